// A bit reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "torchac/bits/big_endian.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

class BitReader {
 public:
  // The least number of bits that `peek` shows.
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

  // Copies kBytes bytes from the one of the next bit on. Bytes past the end are zeros.
  template <std::size_t kBytes>
  TORCHAC_INLINE void copy_next(std::uint8_t* to) const {
    const std::uint64_t byte = position_ / 8;
    if (byte + kBytes <= stream_.size()) [[likely]] {
      std::memcpy(to, &stream_[byte], kBytes);
    } else {
      for (std::uint64_t i = 0; i < kBytes; ++i)
        to[i] = byte + i < stream_.size() ? stream_[byte + i] : std::uint8_t{0};
    }
  }

  void skip(std::uint64_t bits) { position_ += bits; }

  // The number of skipped bits.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  // The number of bits in the stream.
  [[nodiscard]] std::uint64_t size() const { return std::uint64_t{stream_.size()} * 8; }

 private:
  // Static, because compilers keep an object in memory if its address is taken.
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
