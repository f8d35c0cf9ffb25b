// Two-level search of a longer monotone row: samples tell which SIMD block a target is in, and in
// that block the nearest values below and above are found at once.
//
// A search can begin only when the symbol before is known, so the latency from target to interval,
// and from there to the next target, is the time of decoding. Sampling and the monotonicity check
// are off that critical path: a processor does them while it waits for the symbol before.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/simd_block.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_HAS_SIMD

TORCHAC_BEGIN_TARGET

template <CdfValue Value>
class SimdTwoLevel : public SimdRow<Value> {
 public:
  using Stored = typename Value::Stored;

  // Whether this search supports rows of `symbols` symbols. For fewer, a linear search is as fast.
  [[nodiscard]] static bool fits(std::uint32_t symbols) {
    return symbols >= kFewest && symbols <= kLanes * kSize;
  }

  SimdTwoLevel() = default;
  SimdTwoLevel(Value value, std::uint32_t symbols)
      : SimdRow<Value>(value, symbols), last_(symbols - kSize) {
    for (std::uint32_t k = 0; k < kLanes; ++k) {
      const bool begins = k > 0 && k * kSize < symbols;
      places_[k] = begins ? k * kSize * static_cast<std::uint32_t>(sizeof(Stored)) : 0;
      unused_[k] = begins ? 0 : UINT16_MAX;
    }
  }

  // The first values of a row's blocks, except the first one's.
  struct Samples {
    U16x8 begins;  // of blocks; 65535 if there is none
    U16x8 ends;    // of the blocks before them; if there is none kTotalFrequency, 0 in 16 bits
  };

  [[nodiscard]] TORCHAC_INLINE Samples sample(const std::byte* row) const {
    Numbers8<Stored> stored;
    for_each_register<stored.size()>([&](std::size_t part) {
      [&]<std::size_t... k>(std::index_sequence<k...>) {
        const std::uint32_t* const places = &places_[part * sizeof...(k)];
        stored[part] = Vector<Stored, sizeof...(k)>{load<Stored>(row + places[k])...};
      }(std::make_index_sequence<kInRegister<Stored>>());
    });
    U16x8 samples =
        quantize8(this->value(), stored, this->kCount * static_cast<std::uint16_t>(kSize));
    complete_here(samples);
    const auto unused = std::bit_cast<U16x8>(unused_);
    return {samples | unused, samples & ~unused};
  }

  // Whether no stored value is less than the one before, and the first and the last value are in
  // 0 ... kTotalFrequency - 1 when quantized: then all quantized values are in it, and monotone.
  [[nodiscard]] TORCHAC_INLINE bool is_monotone(const std::byte* row) const {
    constexpr std::size_t kStep = 32 / sizeof(Stored);
    const std::size_t last = this->symbols() - 1 - kStep;  // may overlap with the one before
    MonotoneCheck<Stored, kStep> check;
    check.look(row);
    // Unrolled more often, the loop would take longer to begin than that saves.
    TORCHAC_UNROLL_2
    for (std::size_t j = kStep; j < last; j += kStep) check.look(row + j * sizeof(Stored));
    check.look(row + last * sizeof(Stored));
    return check.holds() && this->endpoints_in_range(row);
  }

  // Searches a monotone row. The interval is found before the symbol, for which nothing waits. If
  // the target is before the first symbol, returns symbol 0 and an interval that begins far above.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Samples& samples,
                                          const Target& target) const {
    // If there is no block, its sample is reached only by the largest quantile, which is in the
    // last block. That block ends with the row.
    const std::uint32_t first =
        std::min(count_twice(samples.begins <= broadcast_quantile(target)) * (kSize / 2), last_);
    const SimdBlock block = {{this->values8(row, first), this->values8(row, first + 8),
                              this->values8(row, first + 16), this->values8(row, first + 24)}};
    const Interval interval = block.interval(target, samples.ends);
    return {first + last_of(count_lanes(block.reached(target))), interval};
  }

 private:
  // Rows of 256 symbols have as many blocks as a vector has lanes.
  static constexpr std::uint32_t kSize = SimdBlock::kSize;
  // Samples take more instructions by NEON.
  static constexpr std::uint32_t kFewest = kHasNeon ? 256 / sizeof(Stored) : kSize + kSize / 2;

  std::uint32_t last_ = 0;                      // where the last block begins
  std::array<std::uint32_t, kLanes> places_{};  // of the samples, in bytes
  std::array<std::uint16_t, kLanes> unused_{};  // all ones for unused samples, else zeros
};

static_assert(SimdSearch<SimdTwoLevel<Integer16>>);

TORCHAC_END_TARGET

#endif
