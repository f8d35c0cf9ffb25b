// Decoders in lanes: eight streams, each in 32 bits of a vector. The arithmetic is that of
// decoder.hpp and range.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_TARGET_AVX2

TORCHAC_BEGIN_TARGET

// The steps for which rows are prepared, and bytes are copied, at a time.
inline constexpr std::size_t kLaneSteps = 12;

// Symbols of each step.
using LaneSymbols = std::array<LaneArray<std::uint32_t>, kLaneSteps>;

// A symbol and its part of the range, from `low` to `high`, both included.
struct FoundLanes {
  Words8 symbol;
  Words8 low;
  Words8 high;
};

// The part of a range of `last` + 1 below the CDF value c, which is below kTotalFrequency.
TORCHAC_INLINE Words8 part_below(const Words8& last, const Words8& c) {
  return (last >> 16) * c + (((last & 0xFFFF) + 1) * c >> 16);
}

struct DecoderLanes {
  Words8 low;     // below 2^31, minus any multiple of it
  Words8 last;    // the range less 1, which fits 32 bits
  Words8 offset;  // at most `last`

  // Narrows the ranges to their parts from `low_part` to `high_part`, which hold the codes, and
  // renormalizes them, with the first bits of `next`. Returns the shifts.
  TORCHAC_INLINE Words8 narrow(const Words8& low_part, const Words8& high_part,
                               const Words8& next) {
    const Words8 width = high_part - low_part;  // less 1
    const Words8 begin = low + low_part;
    const Words8 u = highest_bits(width);
    const Words8 apart = ((begin + width) >> u) - (begin >> u);
    const Words8 shift = 32 - u - apart;
    last = ((width + 1) << shift) - 1;
    low = (begin << shift) & INT32_MAX;
    offset = ((offset - low_part) << shift) | next >> 1 >> (31 - shift);
    return shift;
  }

  // The quantiles of DecoderState: the quotients of (offset + 1) * 2^16 - 1 and the range, which
  // are further below the next integers than their rounding errors.
  [[nodiscard]] TORCHAC_INLINE Words8 quantiles() const {
    return truncated_quotients(offset, last);
  }
};

TORCHAC_END_TARGET

#endif
