// Eight bytes of a stream as one big-endian number: bits fill bytes from the most significant end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace torchac {

// Compilers turn this into one instruction.
inline std::uint64_t big_endian(std::uint64_t x) {
  if constexpr (std::endian::native == std::endian::big) return x;
  x = (x & 0x00000000FFFFFFFF) << 32 | x >> 32;
  x = (x & 0x0000FFFF0000FFFF) << 16 | (x >> 16 & 0x0000FFFF0000FFFF);
  return (x & 0x00FF00FF00FF00FF) << 8 | (x >> 8 & 0x00FF00FF00FF00FF);
}

inline std::uint64_t load_big_endian(const std::uint8_t* from) {
  std::uint64_t x = 0;
  std::memcpy(&x, from, sizeof x);
  return big_endian(x);
}

inline void store_big_endian(std::uint8_t* to, std::uint64_t x) {
  x = big_endian(x);
  std::memcpy(to, &x, sizeof x);
}

}  // namespace torchac
