// The decoder: bytes in, and for each symbol the target that its interval must hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/cpu.hpp"
#include "torchac/input.hpp"
#include "torchac/interval.hpp"
#include "torchac/range.hpp"

namespace torchac {

// The range of a decoder, or of several side by side, and where the stream's number lies in it.
template <class Word>
struct DecoderRange {
  Word low;  // its lower end in the window, less any multiple of 2^31
  Word span;
  Word offset;  // of the number
  Word width;   // the span before it was doubled,
  Word shift;   // and how often it was

  TORCHAC_INLINE static DecoderRange at(Word low, Word span, Word offset) {
    return {low, span, offset, span, Word{}};
  }

  // The largest CDF value c below kWhole whose part of the range starts at or before the number:
  // scale(span, c) <= offset says c * span < (offset + 1) * 2^16, so c is n / span rounded down
  // with n = (offset + 1) * 2^16 - 1.
  //
  // That is also (n + 1/2) / span rounded down, and so it is (n + 1/2) / span - 1/2 =
  // (2 n + 1 - span) / (2 span) rounded to the nearest. The numerator is exact. What is rounded
  // lies 1 / (2 span) >= 2^-33 or more away from where it would be rounded to another integer,
  // which is more than the error of a product below 2^16 with two roundings, 2^-36.
  [[nodiscard]] TORCHAC_INLINE Word quantile() const {
    constexpr std::uint64_t kPositive = 2 * kFullSpan;  // keeps the numerator from below 0
    const Word numerator = ((offset + 1) << (kPrecision + 1)) - 1 - span + kPositive;
    // The width is known before the span is: that gives a division the time that it takes.
    const Real<Word> inverse = 0.5 / real(width) * power(shift);
    return nearest<Word>(real(numerator, -static_cast<double>(kPositive)) * inverse);
  }

  // Whether the part of the range that starts at the CDF value c starts at or before the number.
  [[nodiscard]] TORCHAC_INLINE bool reaches(std::uint32_t c) const {
    return scale(span, c) <= offset;
  }

  // Narrows it to the part low_part ... high_part, which holds the number, and moves the window on
  // over the first bits of `next`. Tells by how many.
  TORCHAC_INLINE Word narrow(Word low_part, Word high_part, Word next) {
    width = high_part - low_part;
    low += low_part;
    shift = doublings(low, width);
    span = width << shift;
    low = (low << shift) & (kFullSpan / 2 - 1);
    offset = (offset - low_part) << shift | next >> 1 >> (63 - shift);
    return shift;
  }
};

// What symbols are searched for.
using Target = DecoderRange<std::uint64_t>;

struct Decoder {
  DecoderRange<std::uint64_t> range = DecoderRange<std::uint64_t>::at(0, kFullSpan, 0);
  Input input;  // behind the window

  Decoder() = default;

  // Reads from `stream`, which must outlive the decoder.
  explicit Decoder(std::span<const std::uint8_t> stream) : input(stream) {
    range.offset = input.peek() >> (64 - kWindowBits);
    input.skip(kWindowBits);
  }

  // Goes on behind the symbol that has the interval. False if the stream cannot hold that symbol:
  // the target is not in its interval, so the stream was not written with this row, or a bound is
  // not finite, and lies beyond the range; or the stream is `truncated`. The decoder is of no use
  // then.
  [[nodiscard]] TORCHAC_INLINE bool consume(Interval interval) {
    const std::uint64_t low = scale(range.span, interval.low);
    const std::uint64_t high = scale(range.span, interval.high);
    if (!(low <= range.offset && range.offset < high && high <= range.span)) [[unlikely]]
      return false;
    input.skip(range.narrow(low, high, input.peek()));
    return !truncated();
  }

  // Bits of the shortest stream that holds what was decoded so far.
  [[nodiscard]] std::uint64_t num_bits() const { return input.position() - kWindowBits + kEndBits; }

  // Whether the stream ended before what was decoded so far.
  [[nodiscard]] bool truncated() const { return num_bits() > input.size(); }
};

}  // namespace torchac
