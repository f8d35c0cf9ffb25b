// The decoder: bytes in, and for each symbol the target that its interval must hold.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/cpu.hpp"
#include "torchac/input.hpp"
#include "torchac/interval.hpp"
#include "torchac/range.hpp"

namespace torchac {

// Where the quantile is in the bits of a quotient.
inline constexpr std::uint32_t kQuantileBit = 32;

template <class Word>
TORCHAC_INLINE Word quantile_of(Real<Word> quotient) {
  return (to_bits(quotient) >> kQuantileBit) & (kWhole - 1);
}

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
  // with n = (offset + 1) * 2^16 - 1. That is also (n + 1/4) / span rounded down.
  [[nodiscard]] TORCHAC_INLINE Word quantile() const { return quantile_of<Word>(quotient()); }

  // 2^20 + (n + 1/4) / span, a double whose mantissa counts units of 2^-32: the quantile is its
  // bits from kQuantileBit on. For that, it must not be rounded to another integer. The quotient
  // lies 1 / (4 span) >= 2^-34 or more above the last integer, which is more than the error of a
  // product below 2^16 with two roundings, 2^-36; and 3 / (4 span) >= 3/4 of a unit or more below
  // the next integer, so that even with that error it is rounded to one unit below, not to none.
  //
  // `kFused` asks for product and sum in one instruction, which takes less time and rounds once
  // less, where the processor has it: elsewhere it is a function that computes the same slowly.
  template <bool kFused = false>
  [[nodiscard]] TORCHAC_INLINE Real<Word> quotient() const {
    constexpr double kTwo20 = 1 << 20;
    const Word numerator = ((offset + 1) << (kPrecision + 2)) - 3;
    // The width is known before the shift is: that gives the division the time that it takes.
    const Real<Word> reciprocal = 0.25 / real(width);
    if constexpr (kFused) {
      return std::fma(real(numerator, shift), reciprocal, kTwo20);
    } else {
      return real(numerator, shift) * reciprocal + kTwo20;
    }
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

// What a symbol is searched for: the number in its range. Made as soon as the range is known, so
// that the division is under way before anything else that a search does.
class Target {
 public:
  Target() = default;
  // Without a quantile where that is not asked for.
  explicit Target(const DecoderRange<std::uint64_t>& range, bool with_quantile = true)
      : span_(range.span), offset_(range.offset), quotient_(with_quantile ? range.quotient() : 0) {}

  // For the loops for AVX2.
  [[nodiscard]] TORCHAC_INLINE static Target fused(const DecoderRange<std::uint64_t>& range) {
    Target target(range, false);
    target.quotient_ = range.quotient<true>();
    return target;
  }

  // As those of DecoderRange.
  [[nodiscard]] TORCHAC_INLINE double quotient() const { return quotient_; }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t quantile() const {
    return static_cast<std::uint32_t>(quantile_of<std::uint64_t>(quotient_));
  }

  // Whether the part of the range that starts at the CDF value c starts at or before the number.
  [[nodiscard]] TORCHAC_INLINE bool reaches(std::uint32_t c) const {
    return scale(span_, c) <= offset_;
  }

 private:
  std::uint64_t span_ = 0;
  std::uint64_t offset_ = 0;
  double quotient_ = 0;
};

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

  // All that a decoder is, but for its stream, to continue it elsewhere.
  struct State {
    std::uint64_t low;
    std::uint64_t span;
    std::uint64_t offset;
    std::uint64_t position;  // in bits
  };

  [[nodiscard]] State state() const {
    return {range.low, range.span, range.offset, input.position()};
  }

  // Goes on from there. False, and nothing is changed, if no decoder has that state.
  [[nodiscard]] bool restore(const State& state) {
    if (!(state.low < kFullSpan / 2 && is_between_symbols(state.low, state.span) &&
          state.offset < state.span && kWindowBits <= state.position &&
          state.position <= input.size() + kWindowBits))
      return false;
    range = DecoderRange<std::uint64_t>::at(state.low, state.span, state.offset);
    input.skip(state.position - input.position());
    return true;
  }

  // Bits of the shortest stream that holds what was decoded so far.
  [[nodiscard]] TORCHAC_INLINE std::uint64_t num_bits() const {
    return input.position() - kWindowBits + kEndBits;
  }

  // Whether the stream ended before what was decoded so far.
  [[nodiscard]] TORCHAC_INLINE bool truncated() const { return num_bits() > input.size(); }
};

}  // namespace torchac
