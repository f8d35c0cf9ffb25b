// The encoder: intervals in, bits out. It is small enough for a loop to keep a copy in registers.
#pragma once

#include <cstdint>

#include "torchac/bits/writer.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

// Encoder state (low, range) of one stream, or of one stream in each lane.
template <class Word>
struct EncoderState {
  Word low;
  Word range;

  // Narrows the range to the part of an interval, renormalizes it, and returns the shift.
  TORCHAC_INLINE Word narrow(const Word& interval_low, const Word& interval_high) {
    const Word part = scale(range, interval_low);
    const Word width = scale(range, interval_high) - part;
    low += part;
    const Word shift = renormalization_shift(low, width);
    range = width << shift;
    low <<= shift;
    return shift;
  }

  // Takes out the bits that were shifted out of the state, possibly with a carry in front of them.
  TORCHAC_INLINE Word take_out() {
    const Word bits = low >> kStateBits;
    low &= kFullRange - 1;
    return bits;
  }
};

// The format describes output with pending bits: while a range straddles the middle of the state's
// numbers, the next bits are 0111... or 1000..., and it is not yet known which. This encoder does
// not wait for them: it keeps the lower end of the range itself, writes its upper bits as they are
// shifted out, and adds a carry when a later symbol lifts the lower end across the middle. Both
// give the same bits.
struct Encoder {
  EncoderState<std::uint64_t> state{0, kFullRange};
  BitWriter writer;

  // Codes one symbol. The interval must be codable, and the writer must have room.
  TORCHAC_INLINE void encode(Interval interval) {
    const std::uint64_t shift = state.narrow(interval.low, interval.high);
    writer.append(state.take_out(), static_cast<std::uint32_t>(shift));
  }

  // Writes two bits that name a quarter of the state's numbers within the range: the second quarter
  // if the range begins in the first, else the third. Then pads the last byte.
  void finish() {
    const std::uint64_t low = state.low % (kFullRange / 2);
    state.low += (low < kFullRange / 4 ? kFullRange / 4 : kFullRange / 2) - low;
    state.low <<= kEndBits;
    writer.append(state.take_out(), kEndBits);
    writer.fill_byte();
  }
};

}  // namespace torchac
