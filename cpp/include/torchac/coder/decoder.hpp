// The decoder: reads bits, and checks that the code is in the interval of a symbol.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "torchac/bits/reader.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/word.hpp"

namespace torchac {

// The position of the quantile in the bits of a quotient.
inline constexpr std::uint32_t kQuantileBit = 32;

template <class Word>
TORCHAC_INLINE Word quantile_of(const Real<Word>& quotient) {
  return (to_bits(quotient) >> kQuantileBit) & (kTotalFrequency - 1);
}

// Decoder state (low, range, code - low) of one stream, or of one stream in each lane.
template <class Word>
struct DecoderState {
  Word low;  // minus any multiple of 2^31
  Word range;
  Word offset;  // code - low; the code is the stream's next kStateBits bits
  Word width;   // the range before the last renormalization
  Word shift;   // the shift of that renormalization

  TORCHAC_INLINE static DecoderState at(const Word& low, const Word& range, const Word& offset) {
    return {low, range, offset, range, Word{}};
  }

  // The largest CDF value c below kTotalFrequency whose part of the range starts at or before the
  // code: scale(range, c) <= offset says c * range < (offset + 1) * 2^16, so c is n / range rounded
  // down with n = (offset + 1) * 2^16 - 1. That is also (n + 1/4) / range rounded down.
  [[nodiscard]] TORCHAC_INLINE Word quantile() const { return quantile_of<Word>(quotient()); }

  // 2^20 + (n + 1/4) / range, a double whose mantissa counts units of 2^-32: the quantile is its
  // bits from kQuantileBit on. For that, it must not be rounded to another integer. The quotient
  // lies 1 / (4 range) >= 2^-34 or more above the last integer, which is more than the error of a
  // product below 2^16 with two roundings, 2^-36; and 3 / (4 range) >= 3/4 of a unit or more below
  // the next integer, so that even with that error it is rounded to one unit below, not to none.
  //
  // `kFused` computes product and sum in one instruction, which is faster and rounds only once. On
  // a processor without it, a slow function computes the same.
  template <bool kFused = false>
  [[nodiscard]] TORCHAC_INLINE Real<Word> quotient() const {
    constexpr double kTwo20 = 1 << 20;
    const Word numerator = ((offset + 1) << (kPrecision + 2)) - 3;
    // The width is known before the shift, so the division begins early.
    const Real<Word> reciprocal = 0.25 / real(width);
    if constexpr (kFused) {
      return std::fma(real(numerator, shift), reciprocal, kTwo20);
    } else {
      return real(numerator, shift) * reciprocal + kTwo20;
    }
  }

  // Narrows the range to its part low_part ... high_part, which holds the code, and renormalizes
  // it, with the first bits of `next`. Returns the shift.
  TORCHAC_INLINE Word narrow(const Word& low_part, const Word& high_part, const Word& next) {
    width = high_part - low_part;
    low += low_part;
    shift = renormalization_shift(low, width);
    range = width << shift;
    low = (low << shift) & (kFullRange / 2 - 1);
    offset = (offset - low_part) << shift | next >> 1 >> (63 - shift);
    return shift;
  }
};

struct Decoder {
  DecoderState<std::uint64_t> state = DecoderState<std::uint64_t>::at(0, kFullRange, 0);
  BitReader reader;  // after the code

  Decoder() = default;

  // Reads from `stream`, which must outlive the decoder.
  explicit Decoder(std::span<const std::uint8_t> stream) : reader(stream) {
    state.offset = reader.peek() >> (64 - kStateBits);
    reader.skip(kStateBits);
  }

  // Advances past the symbol with this interval. False if the stream cannot hold that symbol: the
  // code is not in its interval, so the stream was not written with this row, or a bound is not
  // finite, and so beyond the range; or the stream is `truncated`. The decoder is then unusable.
  [[nodiscard]] TORCHAC_INLINE bool consume(Interval interval) {
    const std::uint64_t low = scale(state.range, interval.low);
    const std::uint64_t high = scale(state.range, interval.high);
    if (!(low <= state.offset && state.offset < high && high <= state.range)) [[unlikely]]
      return false;
    reader.skip(state.narrow(low, high, reader.peek()));
    return !truncated();
  }

  // Whether the decoded symbols are certain: no bits after the end of the stream, which were read
  // as zeros, could change them. Always true for a finished stream.
  [[nodiscard]] bool determined() const {
    const std::uint64_t ones = (std::uint64_t{1} << missing()) - 1;
    return state.offset + ones < state.range;
  }

  // Continues in `stream`, which has more bytes at its end, and `skipped` fewer in front.
  void move_to(std::span<const std::uint8_t> stream, std::uint64_t skipped) {
    const std::uint64_t position = reader.position() - skipped * 8;
    BitReader now(stream);
    now.skip(position - missing());
    if (missing() > 0) state.offset += now.peek() >> (64 - missing());
    now.skip(missing());
    reader = now;
  }

  // The whole state of a decoder, except its stream, to continue it elsewhere.
  struct Saved {
    std::uint64_t low;
    std::uint64_t range;
    std::uint64_t offset;
    std::uint64_t position;  // in bits
  };

  [[nodiscard]] Saved save() const {
    return {state.low, state.range, state.offset, reader.position()};
  }

  // Continues from a saved state. Returns false, and changes nothing, if no decoder can have it.
  [[nodiscard]] bool restore(const Saved& saved) {
    if (!(saved.low < kFullRange / 2 && is_between_symbols(saved.low, saved.range) &&
          saved.offset < saved.range && kStateBits <= saved.position &&
          saved.position <= reader.size() + kStateBits))
      return false;
    state = DecoderState<std::uint64_t>::at(saved.low, saved.range, saved.offset);
    reader.skip(saved.position - reader.position());
    return true;
  }

  // The length in bits of the shortest stream of the symbols decoded so far.
  [[nodiscard]] TORCHAC_INLINE std::uint64_t num_bits() const {
    return reader.position() - kStateBits + kEndBits;
  }

  // Whether the stream is too short for the symbols decoded so far.
  [[nodiscard]] TORCHAC_INLINE bool truncated() const { return num_bits() > reader.size(); }

 private:
  // Bits of the code after the end of the stream: at most kStateBits, unless it is truncated.
  [[nodiscard]] std::uint64_t missing() const {
    return reader.position() > reader.size() ? reader.position() - reader.size() : 0;
  }
};

}  // namespace torchac
