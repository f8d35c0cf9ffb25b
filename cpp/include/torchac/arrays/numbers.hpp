// Numbers of any type, read as doubles, or as the integers that they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/error.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/narrow_floats.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The integers are numbered as those of IntegerType.
enum class NumberType : std::uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64
};

static_assert(static_cast<int>(NumberType::kUint64) == static_cast<int>(IntegerType::kUint64));

// An array of numbers, and how far it was read.
struct Numbers {
  NumberType type;
  StridedWalk walk;

  bool operator==(const Numbers&) const = default;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// The narrow floats, as they are stored.
struct StoredFloat16 {
  std::uint16_t bits;
  explicit operator double() const { return widen_float16(bits); }
};
struct StoredBFloat16 {
  std::uint16_t bits;
  explicit operator double() const { return widen_bfloat16(bits); }
};

// Calls `use` with a null pointer to the type.
template <class Use>
void with_number_type(NumberType type, const Use& use) {
  switch (type) {
    case NumberType::kInt8:
      return use(static_cast<std::int8_t*>(nullptr));
    case NumberType::kInt16:
      return use(static_cast<std::int16_t*>(nullptr));
    case NumberType::kInt32:
      return use(static_cast<std::int32_t*>(nullptr));
    case NumberType::kInt64:
      return use(static_cast<std::int64_t*>(nullptr));
    case NumberType::kUint8:
      return use(static_cast<std::uint8_t*>(nullptr));
    case NumberType::kUint16:
      return use(static_cast<std::uint16_t*>(nullptr));
    case NumberType::kUint32:
      return use(static_cast<std::uint32_t*>(nullptr));
    case NumberType::kUint64:
      return use(static_cast<std::uint64_t*>(nullptr));
    case NumberType::kFloat16:
      return use(static_cast<StoredFloat16*>(nullptr));
    case NumberType::kBFloat16:
      return use(static_cast<StoredBFloat16*>(nullptr));
    case NumberType::kFloat32:
      return use(static_cast<float*>(nullptr));
    case NumberType::kFloat64:
      return use(static_cast<double*>(nullptr));
  }
}

// Reads the next `count`, each by `put(i, number)`.
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

inline void read_doubles(Numbers& from, std::size_t count, double* to) {
  with_number_type(from.type, [&]<class T>(const T*) {
    read_numbers_as<T>(from, count, [&](std::size_t i, T x) { to[i] = static_cast<double>(x); });
  });
}

// Reads those at the places `which` in an array of one dimension.
inline void gather_doubles(const Numbers& from, const std::uint32_t* which, std::size_t count,
                           double* to) {
  const std::byte* const first = from.walk.at();
  const auto stride = static_cast<std::ptrdiff_t>(from.walk.stride());
  with_number_type(from.type, [&]<class T>(const T*) {
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<double>(load<T>(first + static_cast<std::ptrdiff_t>(which[i]) * stride));
  });
}

// One number as 32 bits. False if they cannot hold it.
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

// Reads the next `count` as integers, up to the first that is none of 32 bits.
inline ReadableBlock read_values(Numbers& from, std::size_t count, std::int32_t* to) {
  ReadableBlock readable{count};
  with_number_type(from.type, [&]<class T>(const T*) {
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
