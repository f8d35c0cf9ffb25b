// Searches a short monotone row, which is one SIMD block, loaded before the target is known.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/simd_block.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_HAS_SIMD

TORCHAC_BEGIN_TARGET

template <CdfValue Value>
class SimdShortRow : public SimdRow<Value> {
 public:
  using Stored = typename Value::Stored;
  using Samples = SimdBlock;

  // Whether this search supports rows of `symbols` symbols. They must fill a vector with values
  // that have a next one.
  [[nodiscard]] static bool fits(std::uint32_t symbols) {
    return symbols > kPart && symbols <= SimdBlock::kSize;
  }

  SimdShortRow() = default;
  SimdShortRow(Value value, std::uint32_t symbols) : SimdRow<Value>(value, symbols) {
    // The last parts end with the row, so they repeat values of other parts.
    for (std::uint32_t k = 0; k < kParts; ++k) {
      places_[k] = std::min(k * kPart, symbols - kPart);
      pairs_[k] = std::min(k * kPart, symbols - kPart - 1);
      for (std::uint32_t lane = 0; lane < kPart; ++lane)
        if (places_[k] + lane >= k * kPart) once_.add(k, lane);
    }
  }

  [[nodiscard]] TORCHAC_INLINE SimdBlock sample(const std::byte* row) const {
    return {{this->values8(row, places_[0]), this->values8(row, places_[1]),
             this->values8(row, places_[2]), this->values8(row, places_[3])}};
  }

  // As SimdTwoLevel::is_monotone.
  [[nodiscard]] TORCHAC_INLINE bool is_monotone(const std::byte* row) const {
    MonotoneCheck<Stored, kPart> check;
    TORCHAC_UNROLL
    for (const std::uint32_t first : pairs_) check.look(row + first * sizeof(Stored));
    return check.holds() && this->endpoints_in_range(row);
  }

  // As SimdTwoLevel::find.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte*, const SimdBlock& block,
                                          const Target& target) const {
    constexpr U16x8 kEnds{};  // kTotalFrequency, as 16 bits
    const Interval interval = block.interval(target, kEnds);
    return {last_of(count_lanes(block.reached(target), once_)), interval};
  }

 private:
  static constexpr std::uint32_t kPart = kLanes;
  static constexpr std::uint32_t kParts = SimdBlock::kSize / kPart;

  std::array<std::uint32_t, kParts> places_{};  // where parts begin
  std::array<std::uint32_t, kParts> pairs_{};   // where parts begin that are compared to the next
  CountedLanes once_;                           // lanes with values that no part before has
};

static_assert(SimdSearch<SimdShortRow<Integer16>>);

TORCHAC_END_TARGET

#endif
