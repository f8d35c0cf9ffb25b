// A row that rises, searched in two steps: samples of it tell in which window of neighbouring
// values a quantile lies, and in that window the nearest values below and above are found at once.
//
// A symbol is searched for when the one before it is known, not earlier, so decoding takes what
// lies between quantile and interval, and between that and the next quantile. Taking samples and
// looking whether the row rises is not on that way: a processor does it while it waits for the
// symbol before.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

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

// Twice the number of comparisons that are true.
TORCHAC_INLINE std::uint32_t count_twice(Comparisons comparisons) {
  const int bytes = _mm_movemask_epi8(std::bit_cast<__m128i>(comparisons));
  return static_cast<std::uint32_t>(std::popcount(static_cast<std::uint32_t>(bytes)));
}

// A bit for each of sixteen comparisons.
TORCHAC_INLINE std::uint32_t bits_of(Comparisons a, Comparisons b) {
  const auto bytes = _mm_packs_epi16(std::bit_cast<__m128i>(a), std::bit_cast<__m128i>(b));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
}

// The quantile, eight times, without a way round through other registers.
TORCHAC_INLINE Eight eight_quantiles(const Target& target) {
  constexpr int kFrom = kQuantileBit / 16;
  const auto bits = std::bit_cast<Eight>(Vector<double, 2>{target.quotient(), target.quotient()});
  return __builtin_shufflevector(bits, bits, kFrom, kFrom, kFrom, kFrom, kFrom, kFrom, kFrom,
                                 kFrom);
}

// Has compilers put a vector together here. They would do it where it is used, and keep its parts
// in memory until then, from where they cannot be loaded as quickly as they were stored.
// NOLINTNEXTLINE(misc-const-correctness): it counts as written to
TORCHAC_INLINE void complete_here(Eight& values) {
  asm volatile("" : "+x"(values));  // NOLINT(portability-no-assembler): there is nothing in it
}

// For values of a kind that are stored in the order of what they mean.
template <class Value>
class Windows {
 public:
  using Stored = typename Value::Stored;

  // Whether it is for rows of so many symbols. Of fewer, all values are looked at as quickly.
  [[nodiscard]] static bool fit(std::uint32_t symbols) {
    return symbols >= 2 * kSize && symbols <= kEight * kSize;
  }

  Windows() = default;
  Windows(Value value, std::uint32_t symbols)
      : value_(value), symbols_(symbols), last_(symbols - kSize) {
    for (std::uint32_t k = 0; k < kEight; ++k) {
      const bool begins = k > 0 && k * kSize < symbols;
      places_[k] = begins ? k * kSize * static_cast<std::uint32_t>(sizeof(Stored)) : 0;
      unused_[k] = begins ? 0 : UINT16_MAX;
    }
  }

  // Samples of a row, which are the first values of its windows except the first.
  struct Samples {
    Eight begins;  // of windows; 65535 where there is none
    Eight ends;    // of the windows before them; where there is none kWhole, as 16 bits a zero
  };

  [[nodiscard]] TORCHAC_INLINE Samples sample(const std::byte* row) const {
    const auto stored = [&]<std::size_t... k>(std::index_sequence<k...>) {
      return Vector<Stored, kEight>{load<Stored>(row + places_[k])...};
    }(std::make_index_sequence<kEight>());
    Eight samples = value_.eight(stored, kCount * static_cast<std::uint16_t>(kSize));
    complete_here(samples);
    const auto unused = std::bit_cast<Eight>(unused_);
    return {samples | unused, samples & ~unused};
  }

  // Whether each value is as stored no less than the one before, and the first and the last one lie
  // in 0 ... kWhole - 1 when converted: then all do, and rise. C[L] is no value.
  [[nodiscard]] TORCHAC_INLINE bool rises(const std::byte* row) const {
    constexpr std::size_t kStep = 32 / sizeof(Stored);
    using Step = Vector<Stored, kStep>;
    const auto rise = [&](std::size_t j) {
      const std::byte* from = row + j * sizeof(Stored);
      return std::bit_cast<Group<std::uint64_t>>(load<Step>(from) <=
                                                 load<Step>(from + sizeof(Stored)));
    };
    const std::size_t last = symbols_ - 1 - kStep;  // may overlap with the one before
    auto all = rise(0);
    // Unrolled more often, the loop takes longer to begin than that saves.
    TORCHAC_UNROLL_2
    for (std::size_t j = kStep; j < last; j += kStep) all &= rise(j);
    all &= rise(last);
    return (all[0] & all[1] & all[2] & all[3]) == UINT64_MAX &&
           !Value::out_of_range(quick(row, 0) | quick(row, symbols_ - 1));
  }

  // For a row that rises. Nothing waits for the symbol, which is found after its interval. Before
  // the first symbol that is symbol 0, and an interval that begins far above the target.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Samples& samples,
                                          const Target& target) const {
    const Eight quantile = eight_quantiles(target);
    const Eight next = quantile + 1;
    // Where there is no window, a sample counts for the largest quantile only, which lies in the
    // last one. That ends with the row.
    const std::uint32_t first =
        std::min(count_twice(samples.begins <= quantile) * (kSize / 2), last_);
    static_assert(kSize == 4 * kEight);
    const std::array<Eight, kSize / kEight> window = {
        eight(row, first), eight(row, first + 8), eight(row, first + 16), eight(row, first + 24)};
    // Differences wrap: those of values on the other side of the quantile are the larger ones.
    const auto smallest_of = [&](auto difference) {
      return smallest(smaller(smaller(difference(window[0]), difference(window[1])),
                              smaller(difference(window[2]), difference(window[3]))));
    };
    const std::uint32_t below = smallest_of([&](Eight values) { return quantile - values; });
    const std::uint32_t above =
        smallest_of([&](Eight values) { return smaller(values - next, samples.ends - next); });
    const std::uint32_t reached = bits_of(window[0] <= quantile, window[1] <= quantile) |
                                  bits_of(window[2] <= quantile, window[3] <= quantile) << 16;
    const auto count = static_cast<std::uint32_t>(std::popcount(reached));
    const std::uint32_t q = target.quantile();
    return {first + std::max(count, 1u) - 1, {q - below, q + 1 + above}};
  }

 private:
  // Values in a window, so that the rows of 256 symbols have as many windows as a vector samples.
  static constexpr std::uint32_t kSize = 32;
  static constexpr Eight kCount = {0, 1, 2, 3, 4, 5, 6, 7};

  [[nodiscard]] TORCHAC_INLINE auto quick(const std::byte* row, std::uint32_t j) const {
    return value_.quick(load<Stored>(row + j * sizeof(Stored)),
                        static_cast<typename Value::Index>(j));
  }

  // The values from `first` on.
  [[nodiscard]] TORCHAC_INLINE Eight eight(const std::byte* row, std::uint32_t first) const {
    return value_.eight(load<Vector<Stored, kEight>>(row + first * sizeof(Stored)),
                        kCount + static_cast<std::uint16_t>(first));
  }

  Value value_{};
  std::uint32_t symbols_ = 0;
  std::uint32_t last_ = 0;                      // where the last window begins
  std::array<std::uint32_t, kEight> places_{};  // of the samples, in bytes
  std::array<std::uint16_t, kEight> unused_{};  // all ones for those that are none, else zeros
};

}  // namespace torchac

#endif
