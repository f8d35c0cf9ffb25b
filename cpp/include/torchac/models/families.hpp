// Location-scale families: tables of integers for their standard distributions, from which rows are
// computed.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// Tables have a value for each 1/128 from -12 to 12, in units of 2^-24, and one more at the end;
// arguments count units of 2^-20.
inline constexpr std::uint32_t kCdfBits = 24;
inline constexpr std::uint32_t kArgumentBits = 20;
inline constexpr std::uint32_t kStepBits = kArgumentBits - 7;
inline constexpr float kArgumentLimit = 12 * 0x1p20f;
inline constexpr std::size_t kHalfValues = std::size_t{12} * 128;

// The number of quantiles of a family, which give decoding a first guess. Bytes do not depend on
// them.
inline constexpr std::size_t kQuantiles = 1024;

// A CDF, less one half, at |z|: a square in each of eight parts of the numbers from 0 on. It is
// only used for guesses.
struct Approximation {
  static constexpr std::size_t kParts = 8;

  std::array<float, kParts> constant;
  std::array<float, kParts> linear;
  std::array<float, kParts> square;
  float parts_in_unit;  // of the CDF's argument
};

struct Family {
  std::string_view name;
  float half_width;                 // half the width of a window, in scales
  std::int32_t max_exact_exponent;  // for larger exponents of a scale, rows omit low bits of values
  const std::uint32_t* table;
  std::array<float, kQuantiles + 2> quantiles;
  Approximation approximation;
};

// All families, as listed in src/families.cpp.
std::span<const Family> families();

// The family with a name; null if there is none.
const Family* find_family(std::string_view name);

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// The CDF at t, interpolated linearly between the values of its table.
template <std::floating_point Real>
TORCHAC_INLINE std::uint32_t evaluate(const std::uint32_t* cdf, Real t) {
  constexpr Real kLimit{kArgumentLimit};
  const Real limited = t > -kLimit ? t : -kLimit;
  const Real inside = limited < kLimit ? limited : kLimit;
  const auto x = static_cast<std::uint32_t>(static_cast<std::int32_t>(inside) +
                                            static_cast<std::int32_t>(kArgumentLimit));
  const std::uint32_t i = x >> kStepBits;
  const std::uint32_t rest = x & ((1u << kStepBits) - 1);
  // A step is less than 2^17, so the product fits.
  return cdf[i] + ((cdf[i + 1] - cdf[i]) * rest >> kStepBits);
}

#ifdef TORCHAC_TARGET_AVX2
// The CDF at eight arguments.
TORCHAC_INLINE Vec8<std::uint32_t> evaluate(const std::uint32_t* cdf, const Vec8<float>& t) {
  const auto whole = __builtin_convertvector(limited(t, kArgumentLimit), Vec8<std::int32_t>) +
                     static_cast<std::int32_t>(kArgumentLimit);
  const auto x = __builtin_bit_cast(Vec8<std::uint32_t>, whole);
  const Vec8<std::uint32_t> i = x >> kStepBits;
  const Vec8<std::uint32_t> rest = x & ((1u << kStepBits) - 1);
  const PairVec8 at = gather_pairs(cdf, i);
  return at.first + ((at.second - at.first) * rest >> kStepBits);
}
#endif

TORCHAC_END_TARGET
