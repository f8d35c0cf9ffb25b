// Bit reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/bits/big_endian.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

class BitReader {
 public:
  // How many bits `peek` shows at least.
  static constexpr std::uint32_t kPeekBits = 57;

  BitReader() = default;

  // Reads from `stream`, which must outlive it.
  explicit BitReader(std::span<const std::uint8_t> stream) : stream_(stream) {}

  // The next bits, from the most significant end of the word down. Bits past the end are zeros.
  [[nodiscard]] TORCHAC_INLINE std::uint64_t peek() const {
    const std::uint64_t byte = position_ / 8;
    const std::uint64_t bits =
        byte + 8 <= stream_.size() ? load_big_endian(&stream_[byte]) : peek_end(stream_, byte);
    return bits << position_ % 8;
  }

  void skip(std::uint64_t bits) { position_ += bits; }

  // Bits that were skipped.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  // Bits there are.
  [[nodiscard]] std::uint64_t size() const { return std::uint64_t{stream_.size()} * 8; }

 private:
  // Static, as with the address of an object compilers would keep its copies in memory.
  [[nodiscard]] TORCHAC_COLD static std::uint64_t peek_end(std::span<const std::uint8_t> stream,
                                                           std::uint64_t byte) {
    std::uint64_t bits = 0;
    for (std::uint64_t i = byte; i < byte + 8; ++i)
      bits = bits << 8 | (i < stream.size() ? stream[i] : 0u);
    return bits;
  }

  std::span<const std::uint8_t> stream_;
  std::uint64_t position_ = 0;
};

}  // namespace torchac
