// The decoder: bytes in, and for each symbol the target that its interval must hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/bytes.hpp"
#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/range.hpp"

namespace torchac {

// Where the stream's number lies in the range: `offset` of `span`.
struct Target {
  std::uint64_t offset;
  std::uint64_t span;

  // Does the part of the range that starts at the CDF value c start at or before the target?
  [[nodiscard]] bool reaches(std::uint32_t c) const { return scale(span, c) <= offset; }

  // The largest c below kWhole that `reaches`: `reaches(c)` says c * span < (offset + 1) * 2^16, so
  // it is ((offset + 1) * 2^16 - 1) / span rounded down. Division of doubles finds it exactly:
  // the numerator n < 2^48 and span <= 2^32 are exact, and where n / span is not an integer it lies
  // at least 1 / span >= 2^-32 below the next one, which is more than the rounding of a quotient
  // below 2^16, 2^-38.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t quantile() const {
    const auto numerator =
        static_cast<double>(static_cast<std::int64_t>(((offset + 1) << kPrecision) - 1));
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(
        numerator / static_cast<double>(static_cast<std::int64_t>(span))));
  }
};

class Decoder {
 public:
  Decoder() = default;

  // Reads from `stream`, which must outlive the decoder.
  explicit Decoder(std::span<const std::uint8_t> stream) : stream_(stream) {
    offset_ = peek() >> (64 - kWindowBits);
    position_ = kWindowBits;
  }

  [[nodiscard]] Target target() const { return {offset_, span_}; }

  // Goes on behind the symbol that has the interval. False if the stream cannot hold that symbol:
  // the target is not in its interval, so the stream was not written with this row, or a bound is
  // not finite, and lies beyond the range; or the stream is `truncated`. The decoder is of no use
  // then.
  [[nodiscard]] TORCHAC_INLINE bool consume(Interval interval) {
    const std::uint64_t low = scale(span_, interval.low);
    const std::uint64_t high = scale(span_, interval.high);
    if (!(low <= offset_ && offset_ < high && high <= span_)) [[unlikely]]
      return false;
    const std::uint64_t width = high - low;
    const std::uint64_t next = peek();
    low_ += low;
    const std::uint32_t shift = doublings(low_, width);
    span_ = width << shift;
    low_ = (low_ << shift) & (kFullSpan / 2 - 1);
    offset_ = (offset_ - low) << shift | next >> 1 >> (63 - shift);
    position_ += shift;
    return !truncated();
  }

  // Bits of the shortest stream that holds what was decoded so far.
  [[nodiscard]] std::uint64_t num_bits() const { return position_ - kWindowBits + kEndBits; }

  // Whether the stream ended before what was decoded so far.
  [[nodiscard]] bool truncated() const { return num_bits() > std::uint64_t{stream_.size()} * 8; }

 private:
  // The stream from `position_` on, at least 57 bits from the most significant end down.
  // Bits past the end are zeros.
  [[nodiscard]] TORCHAC_INLINE std::uint64_t peek() const {
    const std::uint64_t byte = position_ / 8;
    const std::uint64_t bits =
        byte + 8 <= stream_.size() ? load_big_endian(&stream_[byte]) : peek_end(byte);
    return bits << position_ % 8;
  }

  [[nodiscard]] TORCHAC_COLD std::uint64_t peek_end(std::uint64_t byte) const {
    std::uint64_t bits = 0;
    for (std::uint64_t i = byte; i < byte + 8; ++i)
      bits = bits << 8 | (i < stream_.size() ? stream_[i] : 0u);
    return bits;
  }

  std::span<const std::uint8_t> stream_;
  std::uint64_t low_ = 0;  // of the range in the window, less any multiple of 2^31
  std::uint64_t span_ = kFullSpan;
  std::uint64_t position_ = 0;  // of the first bit that is not yet in `offset_`
  std::uint64_t offset_ = 0;
};

}  // namespace torchac
