// A longer row that rises, searched in two steps: samples of it tell in which window of
// neighbouring values a quantile lies, and in that window the nearest values below and above are
// found at once.
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
#include "torchac/window.hpp"

#ifdef TORCHAC_HAS_VECTORS
#include <emmintrin.h>

namespace torchac {

// Twice the number of comparisons that are true.
TORCHAC_INLINE std::uint32_t count_twice(Comparisons comparisons) {
  const int bytes = _mm_movemask_epi8(std::bit_cast<__m128i>(comparisons));
  return static_cast<std::uint32_t>(std::popcount(static_cast<std::uint32_t>(bytes)));
}

// Has compilers put a vector together here. They would do it where it is used, and keep its parts
// in memory until then, from where they cannot be loaded as quickly as they were stored.
// NOLINTNEXTLINE(misc-const-correctness): it counts as written to
TORCHAC_INLINE void complete_here(Eight& values) {
  asm volatile("" : "+x"(values));  // NOLINT(portability-no-assembler): there is nothing in it
}

template <class Value>
class Windows : public WindowRows<Value> {
 public:
  using Stored = typename Value::Stored;

  // Whether it is for rows of so many symbols. Of fewer, all values are looked at as quickly.
  [[nodiscard]] static bool fit(std::uint32_t symbols) {
    return symbols >= 2 * kSize && symbols <= kEight * kSize;
  }

  Windows() = default;
  Windows(Value value, std::uint32_t symbols)
      : WindowRows<Value>(value, symbols), last_(symbols - kSize) {
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
    Vector<Stored, kEight> stored;
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      stored = Vector<Stored, kEight>{load<Stored>(row + places_[k])...};
    }(std::make_index_sequence<kEight>());
    Eight samples = this->value().eight(stored, this->kCount * static_cast<std::uint16_t>(kSize));
    complete_here(samples);
    const auto unused = std::bit_cast<Eight>(unused_);
    return {samples | unused, samples & ~unused};
  }

  // Whether each value is as stored no less than the one before, and the first and the last one lie
  // in 0 ... kWhole - 1 when converted: then all do, and rise.
  [[nodiscard]] TORCHAC_INLINE bool rises(const std::byte* row) const {
    constexpr std::size_t kStep = 32 / sizeof(Stored);
    const std::size_t last = this->symbols() - 1 - kStep;  // may overlap with the one before
    Rise<Stored, kStep> rise;
    rise.look(row);
    // Unrolled more often, the loop takes longer to begin than that saves.
    TORCHAC_UNROLL_2
    for (std::size_t j = kStep; j < last; j += kStep) rise.look(row + j * sizeof(Stored));
    rise.look(row + last * sizeof(Stored));
    return rise.holds() && this->ends_in_range(row);
  }

  // For a row that rises. Nothing waits for the symbol, which is found after its interval. Before
  // the first symbol that is symbol 0, and an interval that begins far above the target.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Samples& samples,
                                          const Target& target) const {
    // Where there is no window, a sample counts for the largest quantile only, which lies in the
    // last one. That ends with the row.
    const std::uint32_t first =
        std::min(count_twice(samples.begins <= eight_quantiles(target)) * (kSize / 2), last_);
    const Window window = {{this->eight(row, first), this->eight(row, first + 8),
                            this->eight(row, first + 16), this->eight(row, first + 24)}};
    const Interval interval = window.interval(target, samples.ends);
    return {first + symbol_of(window.reached(target)), interval};
  }

 private:
  // Rows of 256 symbols have as many windows as a vector samples.
  static constexpr std::uint32_t kSize = Window::kSize;

  std::uint32_t last_ = 0;                      // where the last window begins
  std::array<std::uint32_t, kEight> places_{};  // of the samples, in bytes
  std::array<std::uint16_t, kEight> unused_{};  // all ones for those that are none, else zeros
};

}  // namespace torchac

#endif
