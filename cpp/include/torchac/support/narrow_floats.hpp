// Widens 16-bit floats to float, exactly.
#pragma once

#include <bit>
#include <cstdint>

#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

inline float widen_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

inline float widen_float16(std::uint16_t bits) {
  // Exponents are biased by 15 in a float16 and by 127 in a float, mantissas have 10 and 23 bits.
  // The largest exponent, 31, means infinity or NaN, and becomes 255 = 31 + 112 + 112.
  constexpr std::uint32_t kRebias = std::uint32_t{127 - 15} << 23;
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000) << 16;
  const std::uint32_t magnitude = std::uint32_t{bits} & 0x7FFF;
  const std::uint32_t normal = (magnitude << 13) + (magnitude >= 0x7C00 ? 2 * kRebias : kRebias);
  // With exponent 0, the magnitude counts units of 2^-24. This is computed from an integer, because
  // the processor may flush subnormal floats to zero.
  const auto subnormal = std::bit_cast<std::uint32_t>(
      static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f);
  return std::bit_cast<float>((magnitude < 0x0400 ? subnormal : normal) | sign);
}

TORCHAC_END_TARGET
