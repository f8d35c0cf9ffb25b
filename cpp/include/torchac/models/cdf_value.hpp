// The types of CDF values, and how each is quantized to 16 bits.
//
// A type quantizes a stored value in two ways: `quantize` is right for every value;
// `quantize_fast` is for loops that the compiler turns into vector code, and right only if
// `out_of_range` is false of all its results, combined by bitwise or.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "torchac/arrays/dtype.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/narrow_floats.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Integer rows hold the 16 bits themselves.
struct Integer16 {
  using Stored = std::uint16_t;
  using Fast = std::uint16_t;
  using Index = std::int16_t;  // as wide as Fast, and signed, which all vector units can compare
  static constexpr DType kDType = DType::kInt16;
  static constexpr bool kIsFloat = false;
  static constexpr bool kRare = false;

  Integer16() = default;
  Integer16(std::uint32_t, bool) {}  // the arguments of FloatValue, which are not needed here

  bool operator==(const Integer16&) const = default;
  [[nodiscard]] std::uint32_t quantize(Stored value, std::uint32_t) const { return value; }
  [[nodiscard]] Fast quantize_fast(Stored value, Index) const { return value; }
  [[nodiscard]] static bool out_of_range(Fast) { return false; }
};

// The IEEE formats, and their bits as integers.
template <class Real>
struct Ieee;

template <>
struct Ieee<float> {
  using Bits = std::int32_t;
  static constexpr int kMantissaBits = 23;
};

template <>
struct Ieee<double> {
  using Bits = std::int64_t;
  static constexpr int kMantissaBits = 52;
};

// Float rows: value j becomes round(value * scale) + j modulo 2^16, or without normalization
// round(value * scale) modulo 2^16.
// The product is rounded to the row's own precision before it is rounded to an integer, so the
// compiler must not fuse it with what follows or compute more precisely. The pragmas hold for the
// rest of a file that includes this; GCC has none, and needs -ffp-contract=off (CMakeLists.txt).
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif
#if defined(__FAST_MATH__) || defined(_M_FP_FAST) || \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "torchac needs exact floats, and NaN: compile it without -ffast-math, -Ofast or /fp:fast"
#endif
static_assert(FLT_EVAL_METHOD == 0, "products must be rounded to the precision of their factors");

template <class Real>
class FloatValue {
 public:
  using Fast = typename Ieee<Real>::Bits;
  using Index = Fast;
  static constexpr bool kIsFloat = true;

  FloatValue() = default;
  // Normalization reserves one part of kTotalFrequency for each symbol, so that each row increases.
  FloatValue(std::uint32_t symbols, bool normalize)
      : scale_(static_cast<Real>(normalize ? kTotalFrequency - symbols : kTotalFrequency)),
        counted_(normalize ? -1 : 0) {}

  bool operator==(const FloatValue&) const = default;

  [[nodiscard]] TORCHAC_INLINE std::uint32_t quantize_real(Real value, std::uint32_t j) const {
    const Fast result = fast_real(value, static_cast<Index>(j));
    return out_of_range(result) ? quantize_slow(*this, value, j)
                                : static_cast<std::uint32_t>(result);
  }

  // The quantized value, before it is taken modulo 2^16. Adding kRounder leaves no bits for a
  // fraction, so the sum is rounded to an integer, half to even, and its bits are kRounder's plus
  // that integer. This holds while the integer is below 2^(kMantissaBits - 1) in magnitude; a
  // larger one, an infinity or a NaN changes the exponent or the sign, so the result is out of
  // range.
  [[nodiscard]] TORCHAC_INLINE Fast fast_real(Real value, Index j) const {
    using Bits = std::make_unsigned_t<Fast>;  // its differences wrap
    const auto rounder = std::bit_cast<Bits>(kRounder) - static_cast<Bits>(j & counted_);
    return static_cast<Fast>(std::bit_cast<Bits>(value * scale_ + kRounder) - rounder);
  }

  [[nodiscard]] static bool out_of_range(Fast all) { return all >> kPrecision != 0; }

  // The constants of quantize_fast: the factor; all ones if j is added, else zero; and the number
  // to add before the bits are taken.
  [[nodiscard]] Real scale() const { return scale_; }
  [[nodiscard]] Index counted() const { return counted_; }
  static constexpr Real kRounder =
      static_cast<Real>(std::uint64_t{3} << (Ieee<Real>::kMantissaBits - 1));

 private:
  // Follows the definition; fmod is exact.
  [[nodiscard]] TORCHAC_COLD static std::uint32_t quantize_slow(FloatValue self, Real value,
                                                                std::uint32_t j) {
    const Real product = value * self.scale_;
    if (!std::isfinite(product)) return kNotFinite;
    const auto rest = static_cast<std::int32_t>(
        std::fmod(std::nearbyint(product), static_cast<Real>(kTotalFrequency)));
    return (static_cast<std::uint32_t>(rest) + (self.counted_ == 0 ? 0 : j)) &
           (kTotalFrequency - 1);
  }

  Real scale_ = 0;
  Index counted_ = 0;
};

template <DType kType, class StoredType, class Real, Real (*widen)(StoredType)>
struct WidenedFloat : FloatValue<Real> {
  using Stored = StoredType;
  static constexpr DType kDType = kType;
  static constexpr bool kRare = sizeof(StoredType) < sizeof(float);
  using typename FloatValue<Real>::Fast;
  using typename FloatValue<Real>::Index;
  using FloatValue<Real>::FloatValue;

  bool operator==(const WidenedFloat&) const = default;

  [[nodiscard]] static Real real(Stored value) { return widen(value); }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t quantize(Stored value, std::uint32_t j) const {
    return this->quantize_real(real(value), j);
  }
  [[nodiscard]] TORCHAC_INLINE Fast quantize_fast(Stored value, Index j) const {
    return this->fast_real(real(value), j);
  }
};

template <class Real>
Real keep(Real value) {
  return value;
}

using Float32 = WidenedFloat<DType::kFloat32, float, float, keep<float>>;
using Float64 = WidenedFloat<DType::kFloat64, double, double, keep<double>>;
using Float16 = WidenedFloat<DType::kFloat16, std::uint16_t, float, widen_float16>;
using BFloat16 = WidenedFloat<DType::kBFloat16, std::uint16_t, float, widen_bfloat16>;

using CdfValues = TypeList<Integer16, Float16, BFloat16, Float32, Float64>;

TORCHAC_END_TARGET
