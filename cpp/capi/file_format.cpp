#include "file_format.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "torchac/coder/checksum.hpp"
#include "torchac/files/segment_index.hpp"

namespace torchac::c {
namespace {

// Entry [k][b] continues the CRC by byte b, followed by k zeros.
constexpr auto kCrcTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t value = b;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0u);
    tables[0][b] = value;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t b = 0; b < 256; ++b)
      tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 255];
  }
  return tables;
}();

}  // namespace

std::uint32_t crc(ByteSpan data, std::uint32_t before) {
  std::uint32_t value = ~before;
  std::size_t i = 0;
  for (; i + 8 <= data.size(); i += 8) {
    std::uint32_t next = 0;
    for (std::size_t k = 0; k < 8; ++k) {
      const std::uint32_t mixed = k < 4 ? value >> (8 * k) & 255 : 0;
      next ^= kCrcTables[7 - k][mixed ^ data[i + k]];
    }
    value = next;
  }
  for (; i < data.size(); ++i) value = value >> 8 ^ kCrcTables[0][(value ^ data[i]) & 255];
  return ~value;
}

std::uint32_t crc_before(ByteSpan data, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t k = 0; k < kCrcBytes; ++k)
    value |= std::uint32_t{data[at - kCrcBytes + k]} << (8 * k);
  return value;
}

std::uint32_t folded(const Checksum& checksum) {
  const std::uint64_t both = std::uint64_t{checksum.sum()} << 32 | checksum.sum_of_sums();
  return static_cast<std::uint32_t>(((both ^ both >> 31) * 0x9E3779B97F4A7C15u) >> 32);
}

void put_number(Bytes& to, std::uint64_t value) {
  for (; value >= 128; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 128));
  to.push_back(static_cast<std::uint8_t>(value));
}

void put_signed(Bytes& to, std::int64_t value) {
  const auto doubled = static_cast<std::uint64_t>(value) << 1;
  put_number(to, value >= 0 ? doubled : ~doubled);
}

void put_uint32(Bytes& to, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8)
    to.push_back(static_cast<std::uint8_t>(value >> shift));
}

void put_title(Bytes& to, SegmentKind kind, std::string_view name, bool named,
               std::span<const std::int64_t> shape) {
  to.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(kind) | (named ? 4u : 0u) |
                                         static_cast<unsigned>(shape.size()) << 3));
  if (named) {
    to.push_back(static_cast<std::uint8_t>(name.size()));
    to.insert(to.end(), name.begin(), name.end());
  }
  for (const std::int64_t size : shape) put_number(to, static_cast<std::uint64_t>(size));
}

}  // namespace torchac::c
