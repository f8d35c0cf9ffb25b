// The encoder: intervals in, bytes out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "torchac/bytes.hpp"
#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/range.hpp"

namespace torchac {

// The format describes output with pending bits: while a range straddles the middle of the window,
// the next bits are 0111... or 1000..., and nobody knows which. This encoder does not wait.
// It keeps the lower end of the range itself, writes its upper bits as they leave the window, and
// when a later symbol lifts the lower end across the middle, a carry runs back into what was
// written. Both give the same bits.
//
// An Encoder is a few numbers and a place to write to, small enough for a loop to keep a copy in
// registers. An EncodedStream owns the bytes and hands it out.
class Encoder {
 public:
  // Codes one symbol. The interval must be codable, and the stream have room.
  TORCHAC_INLINE void encode(Interval interval) {
    const std::uint64_t low = scale(span_, interval.low);
    const std::uint64_t width = scale(span_, interval.high) - low;
    lift(low);
    const std::uint32_t shift = doublings(low_, width);
    span_ = width << shift;
    append(shift);
  }

 private:
  friend class EncodedStream;

  // Bits that left the window are held back until there are at least kMinHeld + 8 of them, so that
  // only one carry in 2^kMinHeld reaches written bytes, and the branch for it is predicted.
  // The most that fits: window, kMinHeld + 7 and kMaxDoublings are 64 bits together.
  static constexpr std::uint32_t kMinHeld = 64 - kWindowBits - kMaxDoublings - 7;
  // Held from the start: a byte of zeros, which the stream drops in the end.
  static constexpr std::uint32_t kFirstHeld = 8;
  static_assert(kMinHeld == 7 && kFirstHeld >= kMinHeld);

  // Adds to the lower end of the range.
  TORCHAC_INLINE void lift(std::uint64_t by) {
    low_ += by;
    if (low_ >> (kWindowBits + held_)) [[unlikely]] {
      drop_written();
      carry(to_);
    }
  }

  // The number as a whole stays below one, so the carry ends at the first byte, zero, at the
  // latest.
  TORCHAC_COLD static void carry(std::uint8_t* end) {
    do --end;
    while (++*end == 0);
  }

  // Moves `shift` more bits out of the window, and whole bytes out of what is held.
  TORCHAC_INLINE void append(std::uint32_t shift) {
    low_ <<= shift;
    held_ += shift;
    store_big_endian(to_, low_ << (64 - kWindowBits - held_));
    const std::uint32_t bytes = (held_ - kMinHeld) / 8;
    to_ += bytes;
    held_ -= bytes * 8;
    drop_written();
  }

  void drop_written() { low_ &= (std::uint64_t{1} << (kWindowBits + held_)) - 1; }

  // The lower end of the range: the window in the low 32 bits, above it `held_` bits.
  std::uint64_t low_ = 0;
  std::uint64_t span_ = kFullSpan;
  std::uint32_t held_ = kFirstHeld;
  std::uint8_t* to_ = nullptr;
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
    written_ = static_cast<std::size_t>(encoder.to_ - bytes_.data());
  }

  // Bits of the stream that `finish` would return now, before it is filled up to whole bytes.
  [[nodiscard]] std::uint64_t num_bits() const {
    return std::uint64_t{written_} * 8 + encoder_.held_ - Encoder::kFirstHeld + kEndBits;
  }

  // Ends the stream and shows its bytes, which live as long as this object. Nothing may follow.
  [[nodiscard]] std::span<const std::uint8_t> finish() {
    Encoder encoder = open(1);
    // Two more bits name a quarter of the window that lies within the range: the second quarter
    // when the range begins in the first, else the third.
    const std::uint64_t low = encoder.low_ & (kFullSpan / 2 - 1);
    encoder.lift((low < kFullSpan / 4 ? kFullSpan / 4 : kFullSpan / 2) - low);
    encoder.append(kEndBits);
    encoder.append((8 - encoder.held_ % 8) % 8);
    close(encoder);
    return std::span(bytes_).subspan(1, written_ + encoder.held_ / 8 - 1);
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
    encoder_.to_ = bytes_.data() + written_;
  }

  // An encoder stores eight bytes wherever it is, up to four bytes after the last whole one.
  static constexpr std::size_t kSlack = 16;

  Encoder encoder_;
  std::size_t written_ = 0;  // of `bytes_`; the rest is room
  std::vector<std::uint8_t> bytes_;
};

}  // namespace torchac
