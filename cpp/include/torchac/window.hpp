// Neighbouring values of a row that rises, and where a quantile lies among them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/strided.hpp"
#include "torchac/vectors.hpp"

#ifdef TORCHAC_HAS_VECTORS
#include <emmintrin.h>

namespace torchac {

TORCHAC_INLINE Eight smaller(Eight a, Eight b) { return a < b ? a : b; }

// Compilers know an instruction for this.
TORCHAC_INLINE std::uint32_t smallest(Eight values) {
  std::uint16_t result = UINT16_MAX;
  for (std::size_t k = 0; k < kEight; ++k) result = std::min(result, values[k]);
  return result;
}

// For each comparison that is true, a lane of ones.
using Comparisons = Vector<std::int16_t, kEight>;

// A bit for each of sixteen comparisons.
TORCHAC_INLINE std::uint32_t bits_of(Comparisons a, Comparisons b) {
  const auto bytes = _mm_packs_epi16(std::bit_cast<__m128i>(a), std::bit_cast<__m128i>(b));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
}

// Whether stored values rise, kCount of them at a time.
template <class Stored, std::size_t kCount>
class Rise {
 public:
  // Looks at those from `from` on, and at the next one of each.
  TORCHAC_INLINE void look(const std::byte* from) {
    Values values;
    Values next;
    std::memcpy(&values, from, sizeof values);
    std::memcpy(&next, from + sizeof(Stored), sizeof next);
    all_ &= values <= next;
  }

  // Whether each that was looked at is no more than its next one.
  [[nodiscard]] TORCHAC_INLINE bool holds() const {
    const auto words = __builtin_bit_cast(Vector<std::uint64_t, sizeof(Values) / 8>, all_);
    std::uint64_t all = words[0] & words[1];
    if constexpr (sizeof(Values) > 16) all &= words[2] & words[3];
    return all == UINT64_MAX;
  }

 private:
  using Values = Vector<Stored, kCount>;

  decltype(Values{} <= Values{}) all_ = Values{} <= Values{};  // true
};

// The quantile, eight times, without a way round through other registers.
TORCHAC_INLINE Eight eight_quantiles(const Target& target) {
  constexpr int kFrom = kQuantileBit / 16;
  const auto bits = std::bit_cast<Eight>(Vector<double, 2>{target.quotient(), target.quotient()});
  return shuffled<kFrom, kFrom, kFrom, kFrom, kFrom, kFrom, kFrom, kFrom>(bits, bits);
}

// Values one after the other, of which some may be there twice.
struct Window {
  static constexpr std::uint32_t kSize = 32;

  std::array<Eight, kSize / kEight> values;

  // The nearest values on both sides of the quantile, of which the upper one may be one of `ends`.
  // Where there is none below, the interval begins far above the target.
  [[nodiscard]] TORCHAC_INLINE Interval interval(const Target& target, Eight ends) const {
    const Eight quantile = eight_quantiles(target);
    const Eight next = quantile + 1;
    // Differences wrap: those of values on the other side of the quantile are the larger ones.
    const Eight end = ends - next;
    const std::uint32_t below =
        smallest(smaller(smaller(quantile - values[0], quantile - values[1]),
                         smaller(quantile - values[2], quantile - values[3])));
    const std::uint32_t above =
        smallest(smaller(smaller(smaller(values[0] - next, end), smaller(values[1] - next, end)),
                         smaller(smaller(values[2] - next, end), smaller(values[3] - next, end))));
    const std::uint32_t q = target.quantile();
    return {q - below, q + 1 + above};
  }

  // A bit for each value: whether the quantile reaches it.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t reached(const Target& target) const {
    const Eight quantile = eight_quantiles(target);
    return bits_of(values[0] <= quantile, values[1] <= quantile) |
           bits_of(values[2] <= quantile, values[3] <= quantile) << 16;
  }
};

// The symbol that the last value with a bit belongs to; before the first one, the first.
TORCHAC_INLINE std::uint32_t symbol_of(std::uint32_t reached) {
  return std::max(static_cast<std::uint32_t>(std::popcount(reached)), 1u) - 1;
}

// What rows have in common that are searched by windows: values of a kind that are stored in the
// order of what they mean, one after the other.
template <class AnyValue>
class WindowRows {
 public:
  using Value = AnyValue;

 protected:
  using Stored = typename Value::Stored;

  static constexpr Eight kCount = {0, 1, 2, 3, 4, 5, 6, 7};

  WindowRows() = default;
  WindowRows(Value value, std::uint32_t symbols) : value_(value), symbols_(symbols) {}

  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] std::uint32_t symbols() const { return symbols_; }

  // The values from `first` on.
  [[nodiscard]] TORCHAC_INLINE Eight eight(const std::byte* row, std::uint32_t first) const {
    Vector<Stored, kEight> stored;
    std::memcpy(&stored, row + first * sizeof(Stored), sizeof stored);
    return value_.eight(stored, kCount + static_cast<std::uint16_t>(first));
  }

  // Whether the first and the last value lie in 0 ... kWhole - 1 when converted. C[L] is no value.
  [[nodiscard]] TORCHAC_INLINE bool ends_in_range(const std::byte* row) const {
    return !Value::out_of_range(quick(row, 0) | quick(row, symbols_ - 1));
  }

 private:
  [[nodiscard]] TORCHAC_INLINE auto quick(const std::byte* row, std::uint32_t j) const {
    return value_.quick(load<Stored>(row + j * sizeof(Stored)),
                        static_cast<typename Value::Index>(j));
  }

  Value value_{};
  std::uint32_t symbols_ = 0;
};

}  // namespace torchac

#endif
