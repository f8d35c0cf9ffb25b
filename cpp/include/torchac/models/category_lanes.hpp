// Distributions of few categories in lanes, those of eight streams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "torchac/coder/decoder_lanes.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/models/transposed_categories.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_TARGET_AVX2

TORCHAC_BEGIN_TARGET

class CategoryLanes {
 public:
  using Block = TransposedCategories;
  static constexpr std::size_t kGroups = 1;

  [[nodiscard]] static bool alike(const Block& a, const Block& b) {
    return a.categories() == b.categories();
  }

  // Takes the bounds of the next `steps` distributions of each block, from `from` on.
  TORCHAC_NOINLINE bool prepare(const LaneArray<const Block*>& blocks,
                                const LaneArray<std::size_t>& from, std::size_t steps) {
    inner_ = blocks[0]->categories() - 1;
    bounds_.resize(kLaneSteps * inner_);
    for (std::size_t first = 0; first < steps; first += kTileRows) {
      for (std::size_t j = 0; j < inner_; ++j) {
        LaneArray<const std::byte*> at;
        for (std::size_t p = 0; p < kLanes; ++p)
          at[p] = reinterpret_cast<const std::byte*>(blocks[p]->bounds_above(j) + from[p] + first);
        std::array<LaneArray<std::int32_t>, kTileRows> tile;
        load_columns(at, reinterpret_cast<std::byte*>(tile.data()));
        for (std::size_t i = 0; i < kTileRows; ++i) bounds_[(first + i) * inner_ + j] = tile[i];
      }
    }
    return true;
  }

  // Counts the bounds that the quantiles reach.
  [[nodiscard]] TORCHAC_INLINE FoundLanes find(std::size_t step, const DecoderLanes& lanes) const {
    const Ints8 quantiles = ints(lanes.quantiles());
    Ints8 symbol{};
    Ints8 low{};
    Ints8 high = Ints8{} + static_cast<std::int32_t>(kTotalFrequency);
    for (std::size_t j = 0; j < inner_; ++j) {
      const Ints8 bound = load_vec8(bounds_[step * inner_ + j].data());
      const Ints8 reached = bound <= quantiles;
      symbol -= reached;
      low = larger(low, bound & reached);
      high = smaller(high, reached ? high : bound);
    }
    const Ints8 whole = high == static_cast<std::int32_t>(kTotalFrequency);
    return {words(symbol), part_below(lanes.last, words(low)),
            whole ? lanes.last : part_below(lanes.last, words(high)) - 1};
  }

 private:
  std::size_t inner_ = 0;                        // bounds of a row between its symbols
  std::vector<LaneArray<std::int32_t>> bounds_;  // step by step
};

TORCHAC_END_TARGET

#endif
