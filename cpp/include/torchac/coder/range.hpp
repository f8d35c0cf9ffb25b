// The arithmetic that encoder and decoder share: how an interval narrows the range, and by how many
// bits renormalization then shifts it.
#pragma once

#include <cstdint>
#include <type_traits>

#include "torchac/coder/interval.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/word.hpp"

namespace torchac {

// The coder's range is [low, low + range): 32-bit fixed point, relative to the interval that the
// bits so far describe.
inline constexpr std::uint32_t kStateBits = 32;
inline constexpr std::uint64_t kFullRange = std::uint64_t{1} << kStateBits;

// Before each symbol, kMinRange < range <= kFullRange: a range of a quarter or less lies in at most
// two neighbouring quarters of the state's numbers, and is doubled until it does not.
inline constexpr std::uint64_t kMinRange = kFullRange / 4;

// The largest shift of renormalization for a symbol. The narrowest codable part of a range is
// kMinRange / kTotalFrequency = 2^14 wide, and is doubled until it exceeds 2^30 and spans enough
// quarters: at least 16 times, and at most twice more.
inline constexpr std::uint32_t kMaxShift = 18;

// The bits that end a stream: they name a quarter of the state's numbers within the last range.
inline constexpr std::uint32_t kEndBits = 2;

// `range` scaled by the CDF value `c`.
template <class Word>
TORCHAC_INLINE Word scale(const Word& range, const std::type_identity_t<Word>& c) {
  return (range * c) >> kPrecision;
}

// The shift that renormalizes the part [low, low + width) of a range.
//
// The format doubles while the part lies within one half of the state's numbers, or within the
// middle two quarters: that is, while its first and its last number lie in the same or in
// neighbouring quarters. A doubling moves both by the same number of quarters, so doublings can be
// counted without doing them: in units of 2^(30-s), the quarter after s doublings, first and last
// number must be at least two apart. With 2^u <= width - 1 < 2^(u+1), they are in units of 2^(u-1),
// and one or two apart in units of 2^u: s is 31 - u when one, 30 - u when two.
//
// `low` may lack any multiple of 2^31 and may have any bits above the state's: no unit is larger
// than 2^31, so neither changes the difference.
template <class Word>
TORCHAC_INLINE Word renormalization_shift(const Word& low,
                                          const std::type_identity_t<Word>& width) {
  const Word last = width - 1;  // at least 2^14 - 1, so never 0
  const Word u = highest_bit(last | 1);
  const Word apart = ((low + last) >> u) - (low >> u);
  return kStateBits - u - apart;
}

// Whether a range is renormalized, as ranges between two symbols are.
inline bool is_between_symbols(std::uint64_t low, std::uint64_t range) {
  return kMinRange < range && range <= kFullRange && renormalization_shift(low, range) == 0;
}

}  // namespace torchac
