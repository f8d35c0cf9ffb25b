// A bit writer with carry propagation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/bits/big_endian.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

// Writes to the memory that `write_to` sets. It is small enough for a loop to keep a copy in
// registers.
class BitWriter {
 public:
  // The most bits that can be appended at once.
  static constexpr std::uint32_t kMaxAppend = 48;

  BitWriter() = default;
  // A writer with these pending bits, which must be valid.
  BitWriter(std::uint64_t bits, std::uint32_t count) : pending_(bits), count_(count) {}

  // Whether these bits can be pending. At first a byte of zeros is, and more.
  [[nodiscard]] static bool valid(std::uint64_t bits, std::uint32_t count, bool at_first) {
    if (!(kMinPending <= count && count < kMinPending + 8 && bits >> count == 0)) return false;
    return !at_first || (count >= kFirstPending && bits >> (count - kFirstPending) == 0);
  }

  // Appends `count` bits. One more bit in front of them is a carry, which is added to the bits
  // before: the number as a whole stays below one.
  TORCHAC_INLINE void append(std::uint64_t bits, std::uint32_t count) {
    pending_ = (pending_ << count) + bits;
    count_ += count;
    if (pending_ >> count_) [[unlikely]] {
      drop_written();
      carry(to_);
    }
    store_big_endian(to_, pending_ << (64 - count_));
    const std::uint32_t bytes = (count_ - kMinPending) / 8;
    to_ += bytes;
    count_ -= bytes * 8;
    drop_written();
  }

  // Appends zeros until the bits are whole bytes.
  void fill_byte() { append(0, (8 - count_ % 8) % 8); }

  // Sets where the next byte goes. There must be room for eight bytes more than the bits need.
  void write_to(std::uint8_t* to) { to_ = to; }

  // The number of written bytes from `first` on.
  [[nodiscard]] std::size_t written(const std::uint8_t* first) const {
    return static_cast<std::size_t>(to_ - first);
  }

  // The bits that follow the written bytes, and their number.
  [[nodiscard]] std::uint64_t pending() const { return pending_; }
  [[nodiscard]] std::uint32_t pending_bits() const { return count_; }
  [[nodiscard]] bool all_ones() const { return pending_ + 1 == std::uint64_t{1} << count_; }

  // The bits that are pending at the start: a byte of zeros, which the stream drops in the end.
  static constexpr std::uint32_t kFirstPending = 8;

 private:
  // Bits are held back until there are at least kMinPending + 8 of them, so that only one carry in
  // 2^kMinPending reaches written bytes, and the branch for it is predicted.
  static constexpr std::uint32_t kMinPending = 7;
  // All pending bits, with a carry, fit a word.
  static_assert(kMinPending + 7 + kMaxAppend + 1 <= 64);
  static_assert(kFirstPending >= kMinPending);

  // A carry ends at the latest at the first byte, which is zero.
  TORCHAC_COLD static void carry(std::uint8_t* end) {
    do --end;
    while (++*end == 0);
  }

  void drop_written() { pending_ &= (std::uint64_t{1} << count_) - 1; }

  std::uint64_t pending_ = 0;
  std::uint32_t count_ = kFirstPending;
  std::uint8_t* to_ = nullptr;
};

}  // namespace torchac
