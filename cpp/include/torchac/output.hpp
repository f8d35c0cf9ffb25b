// The bits of a stream on their way out, and the carries that run back into them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/bytes.hpp"
#include "torchac/cpu.hpp"

namespace torchac {

// Writes to memory that it is told of. A few numbers, small enough for a loop to keep a copy in
// registers.
class Output {
 public:
  // The most bits that can be appended at once.
  static constexpr std::uint32_t kMost = 48;

  Output() = default;
  // One that holds these bits, which must be valid.
  Output(std::uint64_t bits, std::uint32_t count) : held_(bits), count_(count) {}

  // Whether an output can hold so many bits: at first a byte of zeros and more.
  [[nodiscard]] static bool valid(std::uint64_t bits, std::uint32_t count, bool at_first) {
    if (!(kMinHeld <= count && count < kMinHeld + 8 && bits >> count == 0)) return false;
    return !at_first || (count >= kFirstHeld && bits >> (count - kFirstHeld) == 0);
  }

  // Appends `count` bits. There may be one more bit in front, a carry, which is added to what was
  // appended before: the number as a whole stays below one.
  TORCHAC_INLINE void append(std::uint64_t bits, std::uint32_t count) {
    held_ = (held_ << count) + bits;
    count_ += count;
    if (held_ >> count_) [[unlikely]] {
      drop_written();
      carry(to_);
    }
    store_big_endian(to_, held_ << (64 - count_));
    const std::uint32_t bytes = (count_ - kMinHeld) / 8;
    to_ += bytes;
    count_ -= bytes * 8;
    drop_written();
  }

  // Appends zeros until the bits are whole bytes.
  void fill_byte() { append(0, (8 - count_ % 8) % 8); }

  // Where the next byte goes: room for eight bytes more than the bits need.
  void write_to(std::uint8_t* to) { to_ = to; }

  // Bytes from `first` on that are written.
  [[nodiscard]] std::size_t written(const std::uint8_t* first) const {
    return static_cast<std::size_t>(to_ - first);
  }

  // Bits that are not yet written as bytes, but stand behind them already.
  [[nodiscard]] std::uint32_t held() const { return count_; }

  [[nodiscard]] std::uint64_t bits() const { return held_; }

  // Held from the start: a byte of zeros, which the stream drops in the end.
  static constexpr std::uint32_t kFirstHeld = 8;

 private:
  // Bits are held back until there are at least kMinHeld + 8 of them, so that only one carry in
  // 2^kMinHeld reaches written bytes, and the branch for it is predicted.
  static constexpr std::uint32_t kMinHeld = 7;
  // With a carry, all that can be held fits a word.
  static_assert(kMinHeld + 7 + kMost + 1 <= 64);
  static_assert(kFirstHeld >= kMinHeld);

  // A carry ends at the first byte, zero, at the latest.
  TORCHAC_COLD static void carry(std::uint8_t* end) {
    do --end;
    while (++*end == 0);
  }

  void drop_written() { held_ &= (std::uint64_t{1} << count_) - 1; }

  std::uint64_t held_ = 0;
  std::uint32_t count_ = kFirstHeld;
  std::uint8_t* to_ = nullptr;
};

}  // namespace torchac
