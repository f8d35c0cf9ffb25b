// Integers of any type, read as 32 bits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/strided.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

enum class IntegerType : std::uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64
};

// An array of integers, and how far it was read.
struct Integers {
  IntegerType type;
  StridedWalk walk;
  bool clamp = false;  // to 0, what is negative; whoever knows the other limit clamps to that

  bool operator==(const Integers&) const = default;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// One integer as 32 bits: where they cannot hold it, as one that is beyond each limit.
template <class T>
TORCHAC_INLINE std::uint32_t to_uint32(T value) {
  if constexpr (sizeof(T) <= sizeof(std::uint32_t)) {
    return static_cast<std::uint32_t>(value);
  } else {
    const auto whole = static_cast<std::uint64_t>(value);
    return whole > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(whole);
  }
}

// Reads `count` integers that lie one stride apart.
template <class T>
void read_run(const Integers& from, std::size_t count, std::uint32_t* to) {
  const std::byte* at = from.walk.at();
  const std::ptrdiff_t stride = from.walk.stride();
  if (from.clamp) {
    for (std::size_t i = 0; i < count; ++i, at += stride) {
      const T value = load<T>(at);
      to[i] = value < 0 ? 0 : to_uint32(value);
    }
  } else if (stride == sizeof(T)) {  // a constant, so that the compiler makes vector code
    for (std::size_t i = 0; i < count; ++i, at += sizeof(T)) to[i] = to_uint32(load<T>(at));
  } else {
    for (std::size_t i = 0; i < count; ++i, at += stride) to[i] = to_uint32(load<T>(at));
  }
}

inline void read_run(const Integers& from, std::size_t count, std::uint32_t* to) {
  switch (from.type) {
    case IntegerType::kInt8:
      return read_run<std::int8_t>(from, count, to);
    case IntegerType::kInt16:
      return read_run<std::int16_t>(from, count, to);
    case IntegerType::kInt32:
      return read_run<std::int32_t>(from, count, to);
    case IntegerType::kInt64:
      return read_run<std::int64_t>(from, count, to);
    case IntegerType::kUint8:
      return read_run<std::uint8_t>(from, count, to);
    case IntegerType::kUint16:
      return read_run<std::uint16_t>(from, count, to);
    case IntegerType::kUint32:
      return read_run<std::uint32_t>(from, count, to);
    case IntegerType::kUint64:
      return read_run<std::uint64_t>(from, count, to);
  }
}

// Reads the next `count`, each once.
inline void read_integers(Integers& from, std::size_t count, std::uint32_t* to) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t n = std::min(count - done, static_cast<std::size_t>(from.walk.run()));
    read_run(from, n, to + done);
    from.walk.advance(static_cast<std::int64_t>(n));
    done += n;
  }
  // Prefetches the next `count`: between two blocks of a stream others may be coded.
  constexpr std::size_t kInLine = kLine / sizeof(std::int64_t);  // at least, if there are no gaps
  for (std::size_t i = 0; i < count; i += kInLine)
    prefetch_line(from.walk.at(), static_cast<std::ptrdiff_t>(i) * from.walk.stride());
}

// How many numbers come before the first that its limit, `limit(i)`, is not above.
template <class Limit>
TORCHAC_INLINE std::size_t count_below(const std::uint32_t* numbers, std::size_t count,
                                       const Limit& limit) {
  unsigned beyond = 0;
  for (std::size_t i = 0; i < count; ++i) beyond |= numbers[i] >= limit(i);
  if (beyond == 0) return count;
  std::size_t i = 0;
  while (numbers[i] < limit(i)) ++i;
  return i;
}

TORCHAC_END_TARGET
