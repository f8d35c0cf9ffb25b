// Weights: integers in proportion to the probabilities of categories. Their sums are exact, so the
// order in which they are added does not matter.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

inline constexpr float kLargestFloat = std::numeric_limits<float>::max();

// The extremes of floats by their bits, which are integers in the same order if no sign is set, and
// in the reverse order if it is; NaN is beyond the infinities.
struct Extremes {
  std::int32_t most = INT32_MIN;              // the largest, if one has no sign
  std::uint32_t least_unsigned = UINT32_MAX;  // the largest, if all have a sign
  std::uint32_t most_unsigned = 0;            // the least, if one has a sign

  TORCHAC_INLINE void add(float x) {
    most = std::max(most, std::bit_cast<std::int32_t>(x));
    least_unsigned = std::min(least_unsigned, std::bit_cast<std::uint32_t>(x));
    most_unsigned = std::max(most_unsigned, std::bit_cast<std::uint32_t>(x));
  }
  // Runs in its own loop, which compilers vectorize.
  TORCHAC_INLINE void add(const float* numbers, std::size_t count) {
    Extremes all = *this;
    for (std::size_t i = 0; i < count; ++i) all.add(numbers[i]);
    *this = all;
  }

  [[nodiscard]] TORCHAC_INLINE float largest() const {
    return std::bit_cast<float>(most >= 0 ? static_cast<std::uint32_t>(most) : least_unsigned);
  }
};

// The largest weight is at most 2^bits, chosen so that the sum of all categories in a row, or in a
// group, fits 32 bits. A category that is less likely by that factor has weight 0, and gets only
// the part that a row gives each symbol.
inline constexpr int kRowBits = 22;
inline constexpr int kGroupBits = 24;
static_assert((std::int64_t{kMaxRowCategories} << kRowBits) + kMaxRowCategories <= INT32_MAX);
static_assert((std::int64_t{kCategoriesPerGroup} << kGroupBits) <= INT32_MAX);

// The weight of a logit: exp(logit - largest) * 2^bits, rounded down.
template <int kBits>
class LogitWeight {
 public:
  explicit LogitWeight(float largest) : largest_(largest) {}

  // exp(x) = 2^t = 2^n * 2^f, with an integer n, and f from -1/2 to 1/2.
  TORCHAC_INLINE std::int32_t operator()(float logit) const {
    constexpr float kLowest = -40;  // exp(-40) < 2^-57, so the weight is 0
    // NOLINTNEXTLINE(modernize-use-std-numbers): the definition in docs/format.md has these digits
    constexpr float kLog2E = 0x1.715476p+0f;
    // Large enough for a unit in the last place of 1. Its own last bits are zeros, so in the sum
    // they are n, modulo 2^22.
    constexpr float kRound = 0x1.8p23f;
    // 2^f as a polynomial that is 1 at 0, so that the largest weight is exactly 2^bits. It has the
    // smallest maximum relative error of these polynomials, 1.01e-4.
    constexpr float kScale = std::uint32_t{1} << kBits;
    // NOLINTNEXTLINE(modernize-use-std-numbers): it is near the logarithm of 2, but not equal
    constexpr float k1 = 0x1.62f5fap-1f * kScale;
    constexpr float k2 = 0x1.f00c4cp-3f * kScale;
    constexpr float k3 = 0x1.c2a216p-5f * kScale;
    const float x = logit - largest_;
    const float t = (x > kLowest ? x : kLowest) * kLog2E;
    const float rounded = t + kRound;
    const float f = t - (rounded - kRound);
    const float power = ((k3 * f + k2) * f + k1) * f + kScale;
    // Multiplies by 2^n: n is added to the exponent.
    const std::uint32_t scaled =
        std::bit_cast<std::uint32_t>(power) + (std::bit_cast<std::uint32_t>(rounded) << 23);
    return static_cast<std::int32_t>(std::bit_cast<float>(scaled));
  }

 private:
  float largest_;
};

// The weight of a probability, which may have any unit: it is multiplied by a power of two and
// rounded down.
template <int kBits>
class ProbabilityWeight {
 public:
  // The exponent of the largest becomes kBits - 1: with the biased ones of both, it is
  // biased + factor - 2 * kBias.
  explicit ProbabilityWeight(float largest)
      : factor_(std::bit_cast<float>(
            (2 * kBias + kBits - 1 - (std::bit_cast<std::uint32_t>(largest) >> 23)) << 23)) {}

  TORCHAC_INLINE std::int32_t operator()(float probability) const {
    return static_cast<std::int32_t>(probability * factor_);
  }

 private:
  static constexpr std::uint32_t kBias = 127;

  float factor_;
};

// Calls `use` with a null pointer to the type of weights for a kind of numbers.
template <int kBits, class Use>
auto with_weight(const CategoryLayout& layout, const Use& use) {
  return layout.logits() ? use(static_cast<const LogitWeight<kBits>*>(nullptr))
                         : use(static_cast<const ProbabilityWeight<kBits>*>(nullptr));
}

// The least valid number, which has the weight 0, and the least valid value of the largest number.
struct ValidNumbers {
  float least;
  float largest_at_least;

  [[nodiscard]] static ValidNumbers of(const CategoryLayout& layout) {
    if (layout.logits()) return {-std::numeric_limits<float>::infinity(), -kLargestFloat};
    return {-0.0f, 0x1p-100f};  // so that the factor of ProbabilityWeight is a float
  }

  // Whether numbers with these extremes are valid.
  [[nodiscard]] TORCHAC_INLINE bool has(const Extremes& extremes) const {
    return extremes.most <= std::bit_cast<std::int32_t>(kLargestFloat) &&
           extremes.most_unsigned <= std::bit_cast<std::uint32_t>(least);
  }
};

// The position of the first invalid number; -1 if all are valid, but none is large enough.
template <class Number>
TORCHAC_COLD Fault bad_number(const ValidNumbers& valid, std::size_t count, const Number& number) {
  for (std::size_t j = 0; j < count; ++j) {
    Extremes one;
    one.add(number(j));
    if (!valid.has(one)) return {Problem::kWeight, static_cast<std::int64_t>(j)};
  }
  return {Problem::kWeight, -1};
}

// The fault of the numbers `number(j)` of a row, if there is one.
template <class Number>
TORCHAC_INLINE Fault fault_of(const ValidNumbers& valid, const Extremes& extremes,
                              std::size_t count, const Number& number) {
  if (valid.has(extremes) && extremes.largest() >= valid.largest_at_least) [[likely]]
    return {};
  return bad_number(valid, count, number);
}

// The bounds of a row of weights with that sum: each symbol gets its share of the row by its weight
// plus one, and at least one part. `Sum` is an integer type that can hold the sum.
template <class Sum>
class WeightedRow {
 public:
  WeightedRow() = default;
  TORCHAC_INLINE WeightedRow(Sum sum, std::uint32_t symbols)
      : symbols_(symbols),
        factor_(static_cast<double>(static_cast<std::int32_t>(kTotalFrequency - symbols)) /
                static_cast<double>(sum + static_cast<Sum>(symbols))) {}

  [[nodiscard]] TORCHAC_INLINE double factor() const { return factor_; }

  // The part of the row for a sum in which each weight is one more.
  [[nodiscard]] TORCHAC_INLINE std::int32_t part(Sum sum) const {
    return static_cast<std::int32_t>(static_cast<double>(sum) * factor_);
  }

  // The bound below symbol j, from the sum of the weights before it.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t bound(Sum sum, std::uint32_t j) const {
    const auto part = static_cast<std::uint32_t>(this->part(sum + static_cast<Sum>(j)));
    return j == symbols_ ? kTotalFrequency : part + j;
  }

 private:
  std::uint32_t symbols_ = 1;
  double factor_ = 0;
};

// The symbol of a quantile among those from `first` on. `sum` is the sum of the weights before it.
template <class Sum, class W>
TORCHAC_INLINE Found find_weight(const WeightedRow<Sum>& row, const W* weights, std::uint32_t first,
                                 Sum sum, std::uint32_t quantile) {
  std::uint32_t low = row.bound(sum, first);
  for (std::uint32_t j = first;; ++j) {
    sum += static_cast<Sum>(weights[j]);
    const std::uint32_t high = row.bound(sum, j + 1);
    if (quantile < high) return {j, {low, high}};
    low = high;
  }
}

TORCHAC_END_TARGET
