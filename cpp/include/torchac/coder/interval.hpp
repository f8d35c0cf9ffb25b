// The interval [low, high) of a symbol in the CDF, in units of 2^-16.
#pragma once

#include <cstdint>

#include "torchac/support/compiler.hpp"

namespace torchac {

inline constexpr std::uint32_t kPrecision = 16;
// The probability of a whole row. As a CDF value it does not fit 16 bits, so the last value of a
// row, which always means this, is never read.
inline constexpr std::uint32_t kTotalFrequency = 1u << kPrecision;

// The smallest and the largest alphabet. A row of more than 32768 symbols could not be numbered
// by int16 results.
inline constexpr std::int64_t kMinSymbols = 1;
inline constexpr std::int64_t kMaxSymbols = 32768;

// Stands for a CDF value that is NaN or infinite. No interval with this bound is codable: its
// difference to any value up to kTotalFrequency, and to itself, lies outside 1 ... kTotalFrequency.
// And it is beyond every range, without overflow: 2^32 * 2^31 fits 64 bits.
inline constexpr std::uint32_t kNotFinite = 1u << 31;

struct Interval {
  std::uint32_t low;
  std::uint32_t high;

  // 1 <= high - low <= kTotalFrequency, in one comparison: unsigned differences wrap.
  [[nodiscard]] TORCHAC_INLINE bool codable() const { return high - low - 1 < kTotalFrequency; }
};

// The result of a search: a symbol and its interval.
struct Found {
  std::uint32_t symbol;
  Interval interval;
};

// An interval in 32 bits, 16 for each bound: low, and high - 1. An interval that is not codable is
// packed as 65535 ... 1, which is not codable either.
inline constexpr std::uint32_t kInvalidPacked = 65535;

TORCHAC_INLINE std::uint32_t pack_interval(Interval interval) {
  return interval.codable() ? interval.low | (interval.high - 1) << kPrecision : kInvalidPacked;
}

template <class Word>
TORCHAC_INLINE Word packed_low(const Word& packed) {
  return packed & (kTotalFrequency - 1);
}

template <class Word>
TORCHAC_INLINE Word packed_high(const Word& packed) {
  return (packed >> kPrecision) + 1;
}

}  // namespace torchac
