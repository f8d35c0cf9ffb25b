// Arrays of numbers of any type, read as doubles or as 32-bit integers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/error.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// An array of numbers, and the position up to which it was read.
struct Numbers {
  DType type;
  StridedWalk walk;

  bool operator==(const Numbers&) const = default;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Reads the next `count` numbers, each once, and calls `put(i, number)`.
template <class T, class Put>
TORCHAC_INLINE void read_numbers_as(Numbers& from, std::size_t count, const Put& put) {
  for (std::size_t done = 0; done < count;) {
    const std::size_t n = std::min(count - done, static_cast<std::size_t>(from.walk.run()));
    const std::byte* at = from.walk.at();
    const std::ptrdiff_t stride = from.walk.stride();
    if (stride == sizeof(T)) {  // a constant, so that the compiler makes vector code
      for (std::size_t i = 0; i < n; ++i) put(done + i, load<T>(at + i * sizeof(T)));
    } else {
      for (std::size_t i = 0; i < n; ++i, at += stride) put(done + i, load<T>(at));
    }
    from.walk.advance(static_cast<std::int64_t>(n));
    done += n;
  }
}

// An integer in 32 bits. If they cannot hold it, the result exceeds every limit.
template <class T>
TORCHAC_INLINE std::uint32_t to_uint32(T value) {
  if constexpr (sizeof(T) <= sizeof(std::uint32_t)) {
    return static_cast<std::uint32_t>(value);
  } else {
    const auto whole = static_cast<std::uint64_t>(value);
    return whole > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(whole);
  }
}

// Reads the next `count` integers. Clamps negative ones to 0 if that is asked for: the caller
// clamps to the upper limit.
inline void read_integers(Numbers& from, std::size_t count, std::uint32_t* to, bool clamp = false) {
  with_dtype(IntegerTypes(), from.type, [&]<class T>(const T*) {
    if (clamp) {
      read_numbers_as<T>(from, count,
                         [&](std::size_t i, T x) { to[i] = x < 0 ? 0 : to_uint32(x); });
    } else {
      read_numbers_as<T>(from, count, [&](std::size_t i, T x) { to[i] = to_uint32(x); });
    }
  });
  // Prefetches the next `count`, because other streams may be coded between two blocks.
  constexpr std::size_t kInLine = kLine / sizeof(std::int64_t);  // at least, if there are no gaps
  for (std::size_t i = 0; i < count; i += kInLine)
    prefetch_line(from.walk.at(), static_cast<std::ptrdiff_t>(i) * from.walk.stride());
}

// How many numbers come before the first that is not below its limit, `limit(i)`.
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

inline void read_doubles(Numbers& from, std::size_t count, double* to) {
  with_dtype(NumberTypes(), from.type, [&]<class T>(const T*) {
    read_numbers_as<T>(from, count, [&](std::size_t i, T x) { to[i] = static_cast<double>(x); });
  });
}

// Reads the numbers at the places `which` in a one-dimensional array.
inline void gather_doubles(const Numbers& from, const std::uint32_t* which, std::size_t count,
                           double* to) {
  const std::byte* const first = from.walk.at();
  const auto stride = static_cast<std::ptrdiff_t>(from.walk.stride());
  with_dtype(NumberTypes(), from.type, [&]<class T>(const T*) {
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<double>(load<T>(first + static_cast<std::ptrdiff_t>(which[i]) * stride));
  });
}

// Reads floats that 32 bits hold.
inline void read_floats(Numbers& from, std::size_t count, float* to) {
  with_dtype(NarrowFloatTypes(), from.type, [&]<class T>(const T*) {
    read_numbers_as<T>(from, count, [&](std::size_t i, T x) { to[i] = static_cast<float>(x); });
  });
}

// Reads floats that lie side by side.
inline void read_floats(DType type, const std::byte* from, std::size_t count, float* to) {
  with_dtype(NarrowFloatTypes(), type, [&]<class T>(const T*) {
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<float>(load<T>(from + i * sizeof(T)));
  });
}

inline void gather_floats(const Numbers& from, const std::uint32_t* which, std::size_t count,
                          float* to) {
  const std::byte* const first = from.walk.at();
  const auto stride = static_cast<std::ptrdiff_t>(from.walk.stride());
  with_dtype(NarrowFloatTypes(), from.type, [&]<class T>(const T*) {
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<float>(load<T>(first + static_cast<std::ptrdiff_t>(which[i]) * stride));
  });
}

// Converts a number to 32 bits. False if they cannot hold it.
template <class T>
TORCHAC_INLINE bool to_int32(T number, std::int32_t& to) {
  if constexpr (std::is_integral_v<T>) {
    const bool inside = std::in_range<std::int32_t>(number);
    to = inside ? static_cast<std::int32_t>(number) : 0;  // NOLINT(bugprone-signed-char-misuse)
    return inside;
  } else {
    const auto real = static_cast<double>(number);
    const bool inside = real >= -0x1p31 && real < 0x1p31;
    to = static_cast<std::int32_t>(inside ? real : 0.0);
    return inside && static_cast<double>(to) == real;
  }
}

// Reads the next `count` as integers, up to the first that is not a 32-bit integer.
inline ReadableBlock read_values(Numbers& from, std::size_t count, std::int32_t* to) {
  ReadableBlock readable{count};
  with_dtype(NumberTypes(), from.type, [&]<class T>(const T*) {
    bool good = true;
    const Numbers before = from;
    read_numbers_as<T>(from, count, [&](std::size_t i, T x) { good &= to_int32(x, to[i]); });
    if (good) return;
    Numbers again = before;
    read_numbers_as<T>(again, count, [&](std::size_t i, T x) {
      if (!to_int32(x, to[i])) readable.truncate(i, {Problem::kValue});
    });
  });
  return readable;
}

TORCHAC_END_TARGET
