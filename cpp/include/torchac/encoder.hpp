// The encoder: intervals in, bytes out. An Encoder is small enough for a loop to keep a copy in
// registers; an EncodedStream owns the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/output.hpp"
#include "torchac/range.hpp"

namespace torchac {

// The range of an encoder, or of several side by side.
template <class Word>
struct EncoderRange {
  Word low;  // its lower end, in the window
  Word span;

  // Narrows it to the part of an interval, and tells by how many bits the window moves on.
  TORCHAC_INLINE Word narrow(Word interval_low, Word interval_high) {
    const Word part = scale(span, interval_low);
    const Word width = scale(span, interval_high) - part;
    low += part;
    const Word shift = doublings(low, width);
    span = width << shift;
    low <<= shift;
    return shift;
  }

  // Takes out the bits that left the window, with a carry that may be in front of them.
  TORCHAC_INLINE Word take_out() {
    const Word bits = low >> kWindowBits;
    low &= kFullSpan - 1;
    return bits;
  }
};

// The format describes output with pending bits: while a range straddles the middle of the window,
// the next bits are 0111... or 1000..., and nobody knows which. This encoder does not wait.
// It keeps the lower end of the range itself, hands on its upper bits as they leave the window, and
// when a later symbol lifts the lower end across the middle, a carry follows them. Both give the
// same bits.
struct Encoder {
  EncoderRange<std::uint64_t> range{0, kFullSpan};
  Output output;

  // Codes one symbol. The interval must be codable, and the output have room.
  TORCHAC_INLINE void encode(Interval interval) {
    const std::uint64_t shift = range.narrow(interval.low, interval.high);
    output.append(range.take_out(), static_cast<std::uint32_t>(shift));
  }

  // Two more bits name a quarter of the window that lies within the range: the second quarter when
  // the range begins in the first, else the third. Then the last byte is filled up.
  void finish() {
    const std::uint64_t low = range.low % (kFullSpan / 2);
    range.low += (low < kFullSpan / 4 ? kFullSpan / 4 : kFullSpan / 2) - low;
    range.low <<= kEndBits;
    output.append(range.take_out(), kEndBits);
    output.fill_byte();
  }
};

class EncodedStream {
 public:
  EncodedStream() : bytes_(kSlack) {}

  // An encoder that goes on here, with room for so many symbols. Give it back with `close`.
  [[nodiscard]] TORCHAC_INLINE Encoder open(std::size_t symbols) {
    reserve(symbols);
    return encoder_;
  }

  TORCHAC_INLINE void close(const Encoder& encoder) {
    encoder_ = encoder;
    written_ = encoder.output.written(bytes_.data());
  }

  // Bits of the stream that `finish` would return now, before it is filled up to whole bytes.
  [[nodiscard]] std::uint64_t num_bits() const {
    return std::uint64_t{written_} * 8 + encoder_.output.held() - Output::kFirstHeld + kEndBits;
  }

  // Ends the stream and shows its bytes, which live as long as this object. Nothing may follow.
  [[nodiscard]] std::span<const std::uint8_t> finish() {
    Encoder encoder = open(1);
    encoder.finish();
    close(encoder);
    return std::span(bytes_).subspan(1, written_ + encoder.output.held() / 8 - 1);
  }

  // What is needed to undo all that is encoded after it was taken.
  struct Checkpoint {
    Encoder encoder;
    std::size_t written;
    std::size_t full;     // written bytes 0xFF at the end
    std::uint8_t before;  // the written byte before them
  };

  // A carry changes the bytes 0xFF at the end and the one before them, and no other.
  [[nodiscard]] Checkpoint checkpoint() const {
    std::size_t full = 0;
    while (full < written_ && bytes_[written_ - 1 - full] == 0xFF) ++full;
    const std::uint8_t before = full < written_ ? bytes_[written_ - 1 - full] : std::uint8_t{0};
    return {encoder_, written_, full, before};
  }

  void restore(const Checkpoint& checkpoint) {
    encoder_ = checkpoint.encoder;
    written_ = checkpoint.written;
    for (std::size_t i = 0; i < checkpoint.full; ++i) bytes_[written_ - 1 - i] = 0xFF;
    if (checkpoint.full < written_) bytes_[written_ - 1 - checkpoint.full] = checkpoint.before;
  }

 private:
  void reserve(std::size_t symbols) {
    const std::size_t needed = written_ + (symbols * kMaxDoublings + 7) / 8 + kSlack;
    if (needed > bytes_.size()) bytes_.resize(needed + bytes_.size() / 2);
    encoder_.output.write_to(bytes_.data() + written_);
  }

  // Output stores eight bytes wherever it is.
  static constexpr std::size_t kSlack = 16;

  Encoder encoder_;
  std::size_t written_ = 0;  // of `bytes_`; the rest is room
  std::vector<std::uint8_t> bytes_;
};

}  // namespace torchac
