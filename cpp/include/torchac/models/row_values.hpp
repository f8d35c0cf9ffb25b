// The values of computed rows, from the CDFs of their components.
#pragma once

#include <cstdint>

#include "torchac/coder/interval.hpp"
#include "torchac/models/families.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The integer weights of a mixture add up to 2^15. With 17 bits of a CDF, sums have 32 bits.
inline constexpr std::uint32_t kWeightBits = 15;
inline constexpr std::uint32_t kWeighedBits = 32 - kWeightBits;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// A component's contribution to the sum, from its CDF.
template <bool kMixture, class Number>
TORCHAC_INLINE Number part_of_sum(const Number& cdf, const Number& weight) {
  if constexpr (kMixture) return (cdf >> (kCdfBits - kWeighedBits)) * weight;
  return cdf << (32 - kCdfBits);
}

// The row's value at the lower edge of symbol j, where its components have the sum `sum`. Works for
// numbers and vectors of them. All values after the end of the row equal the last one.
template <class Number>
TORCHAC_INLINE Number bound(const Number& sum, const Number& j, std::uint32_t last) {
  const std::uint32_t symbols = last + 1;
  // The upper half of a product of 32 and 16 bits, computed in 32 bits for vectors.
  const std::uint32_t whole = kTotalFrequency - symbols;
  const Number part = ((sum >> 16) * whole + ((sum & 0xFFFF) * whole >> 16)) >> 16;
  const Number inside = j == 0 ? Number{} : part + j;
  return j >= symbols ? Number{} + kTotalFrequency : inside;
}

TORCHAC_END_TARGET
