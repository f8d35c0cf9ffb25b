// Rows of parameters in lanes, those of eight streams, and the search for symbols in them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "torchac/coder/decoder_lanes.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/row_lanes.hpp"
#include "torchac/models/row_search.hpp"
#include "torchac/models/row_values.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_TARGET_AVX2

TORCHAC_BEGIN_TARGET

template <bool kMixture>
class LaneRows {
 public:
  using Block = ParameterBlock;
  // The groups of eight that are decoded together: more of mixtures would not fit the L1 cache.
  static constexpr std::size_t kGroups = kMixture ? 1 : 3;

  // Whether the rows of two blocks can be in lanes together.
  [[nodiscard]] static bool alike(const Block& a, const Block& b) {
    return a.usual() && b.usual() && a.same_families(b);
  }

  // Prepares the next `steps` rows of each block, at most kLaneSteps, from `from` on. False if one
  // of them has zones.
  TORCHAC_NOINLINE bool prepare(const std::array<const Block*, kLanes>& blocks,
                                const std::array<std::size_t, kLanes>& from, std::size_t steps) {
    block_ = blocks[0];
    size_ = kMixture ? block_->size() : 1;
    components_.resize(size_ * kLaneSteps);
    columns_.resize(size_);
    for (std::size_t p = 0; p < kLanes; ++p) {
      lowest_[p] = blocks[p]->bounds().low;
      highest_[p] = blocks[p]->bounds().high;
    }
    for (std::size_t first = 0; first < steps; first += kTileRows) {
      for (std::size_t k = 0; k < size_; ++k) {
        const auto read = [&](const auto& column, auto& to) {
          std::array<const std::byte*, kLanes> at;
          for (std::size_t p = 0; p < kLanes; ++p)
            at[p] =
                reinterpret_cast<const std::byte*>(column(blocks[p]->columns(k)) + from[p] + first);
          load_columns(at, reinterpret_cast<std::byte*>(to.data()));
        };
        read([](const ComponentColumns& c) { return c.get(Parameter::kLoc); }, columns_[k].loc);
        read([](const ComponentColumns& c) { return c.get(Parameter::kScale); }, columns_[k].scale);
        if constexpr (kMixture)
          read([](const ComponentColumns& c) { return c.weight.data(); }, columns_[k].weight);
      }
      for (std::size_t i = 0; i < kTileRows && first + i < steps; ++i) {
        if (!prepare_step(i, first + i)) return false;
      }
    }
    return true;
  }

  // Symbols and their parts of the ranges.
  [[nodiscard]] TORCHAC_INLINE FoundLanes find(std::size_t step, const DecoderLanes& lanes) const {
    if constexpr (kMixture) return find_in_mixtures(step, lanes);
    const LaneComponent& row = components_[step];
    const Words8 last = load_vec8(rows_[step].last.data());
    Floats8 part;
    const Floats8 z = standard_quantile(*row.family, lanes, part);
    const Floats8 x = z * load_vec8(row.scale.data()) + load_vec8(row.center.data());
    const Floats8 at = rounded_down(smaller(larger(x, Floats8{}), floats(ints(last))));
    const Words8 symbol = words(truncated(at));
    const Words8 below = lane_bounds(lane_sums<false>(&row, 1, at), symbol, last);
    const Words8 above = lane_bounds(lane_sums<false>(&row, 1, at + 1.0f), symbol + 1, last);
    const Words8 low = part_below(lanes.last, below) & words(symbol != 0);
    const Words8 high = symbol == last ? lanes.last : part_below(lanes.last, above) - 1;
    const Words8 wrong = words((lanes.offset < low) | (lanes.offset > high));
    FoundLanes found{symbol, low, high};
    if (any_set(ints(wrong))) [[unlikely]]
      find_slowly(step, lanes, wrong, found);
    return found;
  }

  // The windows of a step: the first symbols' values, the lowest bits that symbols leave open, and
  // the symbols at open ends, or symbols that no row has.
  struct Windows {
    LaneArray<std::int32_t> first;
    LaneArray<std::uint32_t> last;
    LaneArray<std::int32_t> shift;
    LaneArray<std::uint32_t> end_below;
    LaneArray<std::uint32_t> end_above;

    [[nodiscard]] Window of(std::size_t lane) const {
      return {first[lane], last[lane], static_cast<std::uint32_t>(shift[lane]),
              (end_below[lane] == 0 ? Window::kBelow : 0) |
                  (end_above[lane] == last[lane] ? Window::kAbove : 0)};
    }
  };
  [[nodiscard]] TORCHAC_INLINE const Windows& windows(std::size_t step) const {
    return rows_[step];
  }
  [[nodiscard]] Bounds bounds(std::size_t lane) const { return {lowest_[lane], highest_[lane]}; }
  [[nodiscard]] TORCHAC_INLINE Ints8 lowest() const { return load_vec8(lowest_.data()); }
  [[nodiscard]] TORCHAC_INLINE Ints8 highest() const { return load_vec8(highest_.data()); }

 private:
  // The parameters of a component in four steps.
  struct Columns {
    std::array<float, kTileRows * kLanes> loc;
    std::array<float, kTileRows * kLanes> scale;
    std::array<std::uint32_t, kTileRows * kLanes> weight;
  };

  struct Step {
    const LaneRows& rows;
    std::size_t i;

    [[nodiscard]] TORCHAC_INLINE const Family& family(std::size_t k) const {
      return rows.block_->family(k);
    }
    [[nodiscard]] TORCHAC_INLINE Floats8 loc(std::size_t k) const {
      return load_vec8(&rows.columns_[k].loc[i * kLanes]);
    }
    [[nodiscard]] TORCHAC_INLINE Floats8 scale(std::size_t k) const {
      return load_vec8(&rows.columns_[k].scale[i * kLanes]);
    }
    [[nodiscard]] TORCHAC_INLINE Words8 weight(std::size_t k) const {
      return load_vec8(&rows.columns_[k].weight[i * kLanes]);
    }
  };

  TORCHAC_INLINE bool prepare_step(std::size_t i, std::size_t step) {
    LaneComponent* const components = &components_[step * size_];
    const LaneWindows windows =
        prepare_lanes<kMixture>(Step{*this, i}, size_, lowest(), highest(), components);
    for (std::size_t k = 0; k < size_; ++k) {
      LaneComponent& c = components[k];
      store_vec8(load_vec8(c.center_error.data()) - load_vec8(c.offset.data()), c.center.data());
      if constexpr (kMixture)
        store_vec8(floats(ints(load_vec8(c.weight.data()))) * 0x1p-15f, c.share.data());
    }
    Windows& row = rows_[step];
    store_vec8(windows.first, row.first.data());
    store_vec8(words(windows.last), row.last.data());
    store_vec8(windows.shift, row.shift.data());
    store_vec8(words(~windows.open_below), row.end_below.data());  // 0, or all ones
    store_vec8(words(windows.last | ~windows.open_above), row.end_above.data());
    return !kMixture || !any_set(windows.zones);
  }

  // Where a quantile is in the standard distribution, and how much of the range lies below it.
  [[nodiscard]] TORCHAC_INLINE static Floats8 standard_quantile(const Family& family,
                                                                const DecoderLanes& lanes,
                                                                Floats8& part) {
    part = floats(ints(lanes.offset >> 1)) / floats(ints(lanes.last >> 1));
    const Floats8 at =
        smaller(part * static_cast<float>(kQuantiles), Floats8{} + static_cast<float>(kQuantiles));
    const Ints8 i = truncated(at);
    const PairVec8 pair = gather_pairs(family.quantiles.data(), words(i));
    const Floats8 low = as_floats(pair.first);
    const Floats8 high = as_floats(pair.second);
    return (at - floats(i)) * (high - low) + low;
  }

  // NOLINTNEXTLINE(readability-function-cognitive-complexity): a guess, and a search from there
  [[nodiscard]] TORCHAC_INLINE FoundLanes find_in_mixtures(std::size_t step,
                                                           const DecoderLanes& lanes) const {
    const LaneComponent* const components = &components_[step * size_];
    const Words8 last = load_vec8(rows_[step].last.data());
    // A place by an approximation of the row. It lies between the places of the components.
    Floats8 lowest = Floats8{} + 0x1p30f;
    Floats8 highest = Floats8{} - 0x1p30f;
    Floats8 x{};
    Floats8 part{};
    Floats8 z{};
    for (std::size_t k = 0; k < size_; ++k) {
      const LaneComponent& c = components[k];
      if (k == 0 || c.family != components[k - 1].family)
        z = standard_quantile(*c.family, lanes, part);
      const Floats8 at = z * load_vec8(c.scale.data()) + load_vec8(c.center.data());
      lowest = smaller(lowest, at);
      highest = larger(highest, at);
      x = x + at * load_vec8(c.share.data());
    }
    const Floats8 wanted = 0.5f - part;
    for (int round = 0; round < kRounds; ++round) {
      Floats8 sum = wanted;
      Floats8 slope = Floats8{} + 1e-9f;
      for (std::size_t k = 0; k < size_; ++k) {
        const LaneComponent& c = components[k];
        const Approximation& about = c.family->approximation;
        const Floats8 share = load_vec8(c.share.data());
        const Floats8 rate = load_vec8(c.reciprocal.data()) * about.parts_in_unit;
        const Floats8 t = (x - load_vec8(c.center.data())) * rate;
        const Floats8 u = smaller(absolute(t), Floats8{} + 7.9999f);
        const Ints8 i = truncated(u);
        const Floats8 b = permuted(about.linear, i);
        const Floats8 au = permuted(about.square, i) * u;
        const Floats8 h = (au + b) * u + permuted(about.constant, i);
        sum = sum + share * turned_by(h, t);
        slope = slope + share * rate * (au + au + b);
      }
      // Newton's step, or half of what is left. Where the sum is negative, the place is further up.
      const Ints8 up = ints(sum) < 0;
      lowest = up ? x : lowest;
      highest = up ? highest : x;
      const Floats8 to = x - sum * about_reciprocal(slope);
      x = ((to >= lowest) & (to <= highest)) ? to : (lowest + highest) * 0.5f;
    }
    // The exact values at the nearest bound, and at the one next to it, settle nearly all lanes.
    Words8 low{};
    Words8 high = last + 1;
    Words8 low_part{};
    Words8 high_part = lanes.last;
    const auto look = [&](const Words8& symbol) {
      const Words8 sums = lane_sums<true>(components, size_, floats(ints(symbol)));
      const Words8 below = part_below(lanes.last, lane_bounds(sums, symbol, last));
      const Ints8 open = ints(high - low) > 1;
      const Ints8 reached = below <= lanes.offset;
      const Ints8 raise = open & reached;
      const Ints8 lower = open & ~reached;
      low = raise ? symbol : low;
      low_part = raise ? below : low_part;
      high = lower ? symbol : high;
      high_part = lower ? below - 1 : high_part;
      return reached;
    };
    const Floats8 inside = smaller(larger(x, Floats8{} + 1.0f), floats(ints(last)));
    const Words8 nearest = words(truncated(inside + 0.5f));
    const Ints8 before = look(nearest);
    look(nearest - 1 - words(before) * 2);
    // Further in the same direction, in growing steps; once that has turned, by halves.
    Ints8 steady = Ints8{} - 1;
    Words8 step_size = Words8{} + 2;
    while (any_set(ints(high - low) > 1)) {
      const Words8 on = before ? low + step_size : high - step_size;
      const Ints8 is_inside = (ints(on) > ints(low)) & (ints(on) < ints(high));
      const Ints8 now = look(steady & is_inside ? on : (low + high) >> 1);
      steady = steady & (now == before);
      step_size += step_size;
    }
    return {low, low_part, high_part};
  }

  // Finds the symbols of lanes one by one.
  TORCHAC_COLD void find_slowly(std::size_t step, const DecoderLanes& lanes, const Words8& wrong,
                                FoundLanes& found) const {
    const auto row = [&](std::size_t lane) {
      return [this, step, lane](std::uint32_t j) { return value(step, lane, j); };
    };
    const Words8 quantiles = lanes.quantiles();
    for (std::size_t p = 0; p < kLanes; ++p) {
      if (wrong[p] == 0) continue;
      const std::uint32_t last = rows_[step].last[p];
      const Found exact = search_from(found.symbol[p], last + 1, quantiles[p], row(p));
      const std::uint64_t range = std::uint64_t{lanes.last[p]} + 1;
      found.symbol[p] = exact.symbol;
      found.low[p] = static_cast<std::uint32_t>(scale(range, exact.interval.low));
      found.high[p] = static_cast<std::uint32_t>(scale(range, exact.interval.high) - 1);
    }
  }

  // The value of the row in a lane at the lower edge of symbol j.
  [[nodiscard]] std::uint32_t value(std::size_t step, std::size_t lane, std::uint32_t j) const {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < size_; ++k) {
      const LaneComponent& c = components_[step * size_ + k];
      const float at = static_cast<float>(static_cast<std::int32_t>(j)) + c.offset[lane];
      const std::uint32_t cdf =
          evaluate(c.family->table, (at - c.center_error[lane]) * c.reciprocal[lane]);
      sum += part_of_sum<kMixture>(cdf, c.weight[lane]);
    }
    return bound(sum, j, rows_[step].last[lane]);
  }

  static constexpr int kRounds = 3;  // of Newton's method

  const Block* block_ = nullptr;
  std::size_t size_ = 0;
  LaneArray<std::int32_t> lowest_;
  LaneArray<std::int32_t> highest_;
  std::array<Windows, kLaneSteps> rows_;
  std::vector<LaneComponent> components_;  // step by step
  std::vector<Columns> columns_;
};

TORCHAC_END_TARGET

#endif
