// The kinds of value that a CDF may hold, and how each becomes 16 bits.
//
// A kind says how one stored value is converted, twice: `convert` for any value, and `quick` for a
// loop over a row that the compiler turns into vector code, which knows when it met a value that
// it cannot convert.
#pragma once

#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "torchac/interval.hpp"

namespace torchac {

// Integer rows hold the 16 bits themselves.
struct Integer16 {
  using Stored = std::uint16_t;
  using Bits = std::uint16_t;
  static constexpr bool kIsFloat = false;

  bool operator==(const Integer16&) const = default;
  [[nodiscard]] std::uint32_t convert(Stored value, std::uint32_t) const { return value; }
  [[nodiscard]] Bits quick(Stored value, Bits, Bits&) const { return value; }
  [[nodiscard]] static bool quick_is_right(Bits) { return true; }
};

// Bits of the IEEE formats that hold the real numbers.
template <class Real>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissaBits = 23;
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissaBits = 52;
};

// Float rows: value j becomes round(value * scale) + j modulo 2^16, the j only with normalization.
// The product is rounded to the row's own precision before it is rounded to an integer, so the
// compiler must not fuse it with what follows (CMakeLists.txt says so) or compute more precisely.
static_assert(FLT_EVAL_METHOD == 0, "products must be rounded to the precision of their factors");

template <class Real>
class FloatValue {
 public:
  using Bits = typename Format<Real>::Bits;
  static constexpr bool kIsFloat = true;

  // Normalization keeps one part of kWhole for each symbol, and so makes each row increase.
  FloatValue(std::int64_t symbols, bool normalize)
      : scale_(static_cast<Real>(normalize ? kWhole - symbols : kWhole)), counted_(normalize ? ~Bits{0} : 0) {}

  bool operator==(const FloatValue&) const = default;

  [[nodiscard]] std::uint32_t convert_real(Real value, std::uint32_t j) const {
    Bits unusual = 0;
    const Bits result = quick_real(value, j, unusual);
    return quick_is_right(unusual) ? static_cast<std::uint32_t>(result) : convert_unusual(value, j);
  }

  // Adding kRounder leaves no bits for a fraction, so the sum is rounded to an integer, half to even,
  // and its low bits are that integer's. True while the integer is below 2^(kMantissaBits - 1) in
  // size; a larger one, an infinity or a NaN changes the exponent or the sign, which `unusual` collects.
  [[nodiscard]] Bits quick_real(Real value, Bits j, Bits& unusual) const {
    const Bits bits = std::bit_cast<Bits>(value * scale_ + kRounder);
    unusual |= bits ^ std::bit_cast<Bits>(kRounder);
    return (bits + (j & counted_)) & (kWhole - 1);
  }

  [[nodiscard]] static bool quick_is_right(Bits unusual) { return unusual >> Format<Real>::kMantissaBits == 0; }

  // Value j as converted, before it is taken modulo 2^16.
  [[nodiscard]] Real unwrapped(Real value, std::uint32_t j) const {
    return std::nearbyint(value * scale_) + static_cast<Real>(j & counted_);
  }

 private:
  static constexpr Real kRounder = static_cast<Real>(std::uint64_t{3} << (Format<Real>::kMantissaBits - 1));

  // The same by the definition; fmod is exact.
  [[nodiscard]] std::uint32_t convert_unusual(Real value, std::uint32_t j) const {
    const Real product = value * scale_;
    if (!std::isfinite(product)) return kNotFinite;
    const auto rest = static_cast<std::int32_t>(std::fmod(std::nearbyint(product), static_cast<Real>(kWhole)));
    return (static_cast<std::uint32_t>(rest) + (j & static_cast<std::uint32_t>(counted_))) & (kWhole - 1);
  }

  Real scale_;
  Bits counted_;  // all ones if j is added, else zero
};

// The narrow formats are widened to float first, which is exact.
inline float widen_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

inline float widen_float16(std::uint16_t bits) {
  // Exponents are biased by 15 in a float16 and by 127 in a float, mantissas have 10 and 23 bits.
  // The largest exponent, 31, means infinity or NaN, and there becomes 255 = 31 + 112 + 112.
  constexpr std::uint32_t kRebias = std::uint32_t{127 - 15} << 23;
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000) << 16;
  const std::uint32_t magnitude = std::uint32_t{bits} & 0x7FFF;
  const std::uint32_t normal = (magnitude << 13) + (magnitude >= 0x7C00 ? 2 * kRebias : kRebias);
  // Exponent 0: so many times 2^-24. Computed from an integer, because a processor may be set to
  // take floats that are not normal as zero.
  const auto small = std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f);
  return std::bit_cast<float>((magnitude < 0x0400 ? small : normal) | sign);
}

template <class StoredType, class Real, Real (*widen)(StoredType)>
struct WidenedFloat : FloatValue<Real> {
  using Stored = StoredType;
  using Bits = typename FloatValue<Real>::Bits;
  using FloatValue<Real>::FloatValue;

  [[nodiscard]] static Real real(Stored value) { return widen(value); }
  [[nodiscard]] std::uint32_t convert(Stored value, std::uint32_t j) const { return this->convert_real(real(value), j); }
  [[nodiscard]] Bits quick(Stored value, Bits j, Bits& unusual) const { return this->quick_real(real(value), j, unusual); }
};

template <class Real>
Real keep(Real value) {
  return value;
}

using Float32 = WidenedFloat<float, float, keep<float>>;
using Float64 = WidenedFloat<double, double, keep<double>>;
using Float16 = WidenedFloat<std::uint16_t, float, widen_float16>;
using BFloat16 = WidenedFloat<std::uint16_t, float, widen_bfloat16>;

}  // namespace torchac
