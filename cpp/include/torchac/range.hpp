// The arithmetic that encoder and decoder share: how an interval narrows the range, and by how
// many doublings the range then grows back.
#pragma once

#include <cstdint>
#include <type_traits>

#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/words.hpp"

namespace torchac {

// The coder's range is [low, low + span) in units of 2^-32 of what the bits so far left open.
inline constexpr std::uint32_t kWindowBits = 32;
inline constexpr std::uint64_t kFullSpan = std::uint64_t{1} << kWindowBits;

// Before each symbol kMinSpan < span <= kFullSpan: a span of a quarter or less lies in two
// neighbouring quarters of the window, and is doubled until it does not.
inline constexpr std::uint64_t kMinSpan = kFullSpan / 4;

// The narrowest codable part of a range is kMinSpan / kWhole = 2^14 wide, and is doubled until
// it is over 2^30 and its quarters are right: 16 times at least, and at most twice more.
inline constexpr std::uint32_t kMaxDoublings = 18;

// The bits that end a stream: they name a quarter of the window that lies within the last range.
inline constexpr std::uint32_t kEndBits = 2;

// `span` parts of a range, at the CDF value `c`.
template <class Word>
TORCHAC_INLINE Word scale(Word span, std::type_identity_t<Word> c) {
  return (span * c) >> kPrecision;
}

// How often the part [low, low + width) of a range is doubled.
//
// The format doubles while the part lies within one half of the window, or within the middle two
// quarters: that is, while its first and its last number lie in the same or in neighbouring
// quarters. A doubling moves both by the same number of quarters, so the doublings can be counted
// without doing them: in units of 2^(30-s), the quarter of a window doubled s times, first and
// last number must be at least two apart. With 2^u <= width - 1 < 2^(u+1), they are in units of
// 2^(u-1), and one or two apart in units of 2^u: s is 31 - u when one, 30 - u when two.
//
// `low` may lack any multiple of 2^31 and may have any bits above the window: no unit is larger
// than 2^31, so neither changes the difference.
template <class Word>
TORCHAC_INLINE Word doublings(Word low, std::type_identity_t<Word> width) {
  const Word last = width - 1;  // at least 2^14 - 1, so never 0
  const Word u = highest_bit(last | 1);
  const Word apart = ((low + last) >> u) - (low >> u);
  return kWindowBits - u - apart;
}

// Whether a range can be one between two symbols: then it is not doubled any further.
inline bool is_between_symbols(std::uint64_t low, std::uint64_t span) {
  return kMinSpan < span && span <= kFullSpan && doublings(low, span) == 0;
}

}  // namespace torchac
