// What a symbol owns of its row: an interval of the 65536 parts of probability.
#pragma once

#include <cstdint>

#include "torchac/cpu.hpp"

namespace torchac {

inline constexpr std::uint32_t kPrecision = 16;
// A whole row's probability. As a CDF value it does not fit 16 bits, so the last value of a row,
// which always means this, is never read.
inline constexpr std::uint32_t kWhole = 1u << kPrecision;

// The smallest and the largest alphabet. A row of more than 32768 symbols could not be numbered
// by int16 results.
inline constexpr std::int64_t kMinSymbols = 1;
inline constexpr std::int64_t kMaxSymbols = 32768;

// A CDF value that is no number (NaN, infinity). Every interval that has it as a bound is not
// codable: the difference to any value up to kWhole, and to itself, lies outside 1 ... kWhole.
// And it is beyond every range, without overflow: 2^32 * 2^31 fits 64 bits.
inline constexpr std::uint32_t kNotFinite = 1u << 31;

struct Interval {
  std::uint32_t low;
  std::uint32_t high;

  // 1 <= high - low <= kWhole, in one comparison: unsigned differences wrap.
  [[nodiscard]] TORCHAC_INLINE bool codable() const { return high - low - 1 < kWhole; }
};

// A symbol and its interval.
struct Found {
  std::uint32_t symbol;
  Interval interval;
};

// An interval in 32 bits, 16 for each bound: low, and high less 1. One that is not codable is
// packed as 65535 ... 1, which is not codable either.
inline constexpr std::uint32_t kPackedEmpty = 65535;

inline std::uint32_t pack(Interval interval) {
  return interval.codable() ? interval.low | (interval.high - 1) << kPrecision : kPackedEmpty;
}

template <class Word>
TORCHAC_INLINE Word packed_low(Word packed) {
  return packed & (kWhole - 1);
}

template <class Word>
TORCHAC_INLINE Word packed_high(Word packed) {
  return (packed >> kPrecision) + 1;
}

}  // namespace torchac
