// The bytes of files besides those of headers: docs/format.md, "Files", defines them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "torchac/coder/checksum.hpp"
#include "torchac/files/segment_index.hpp"

namespace torchac::c {

using Bytes = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

inline constexpr std::uint8_t kMagic[4] = {0x89, 't', 'a', 'c'};
inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kMaxId = 255;
inline constexpr std::size_t kMaxName = 255;
inline constexpr std::size_t kMaxFileDimensions = 31;
inline constexpr std::size_t kCrcBytes = 4;

// The CRC-32 of these bytes, continued from the CRC before.
[[nodiscard]] std::uint32_t crc(ByteSpan data, std::uint32_t before = 0);

// The CRC stored in the bytes before a place.
[[nodiscard]] std::uint32_t crc_before(ByteSpan data, std::size_t at);

// 32 bits made of the two sums of a checksum.
[[nodiscard]] std::uint32_t folded(const Checksum& checksum);

// These append to bytes.
void put_number(Bytes& to, std::uint64_t value);
void put_signed(Bytes& to, std::int64_t value);
void put_uint32(Bytes& to, std::uint32_t value);
void put_title(Bytes& to, SegmentKind kind, std::string_view name, bool named,
               std::span<const std::int64_t> shape);

// Appends values of `width` bits, highest bits first.
class BitPacker {
 public:
  BitPacker(Bytes& to, int width) : to_(to), width_(width) {}

  void put(std::uint32_t value) {
    held_ = held_ << width_ | (value & ((std::uint64_t{1} << width_) - 1));
    for (bits_ += width_; bits_ >= 8; bits_ -= 8)
      to_.push_back(static_cast<std::uint8_t>(held_ >> (bits_ - 8)));
  }
  void finish() {
    if (bits_ > 0) to_.push_back(static_cast<std::uint8_t>(held_ << (8 - bits_)));
  }

 private:
  Bytes& to_;
  int width_;
  std::uint64_t held_ = 0;
  int bits_ = 0;
};

// Takes them from bytes, which must be enough.
class BitUnpacker {
 public:
  BitUnpacker(ByteSpan from, int width) : from_(from), width_(width) {}

  [[nodiscard]] std::uint32_t take() {
    for (; bits_ < width_; bits_ += 8) held_ = held_ << 8 | from_[next_++];
    bits_ -= width_;
    return static_cast<std::uint32_t>(held_ >> bits_ & ((std::uint64_t{1} << width_) - 1));
  }
  // Whether the bits after the last value are zeros.
  [[nodiscard]] bool ends_in_zeros() const { return (held_ & ((1u << bits_) - 1)) == 0; }

 private:
  ByteSpan from_;
  int width_;
  std::uint64_t held_ = 0;
  int bits_ = 0;
  std::size_t next_ = 0;
};

}  // namespace torchac::c
