// Categories that do not fit one row, coded in steps: a group, then a place in it; if there are
// many groups, a group of groups first. Each step has its own row, whose weights are sums of the
// weights in the next step.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The tree of one value. Only the rows that a step needs are computed.
class CategoryTree {
 public:
  using Locator = const std::byte*;
  using View = TreeView<CategoryTree>;
  static constexpr std::size_t kMinSteps = 2;
  // One, because its numbers take much longer than the work for a block.
  static constexpr std::size_t kMaxPrepared = 1;

  explicit CategoryTree(const CategoryLayout& layout)
      : layout_(layout),
        shape_(layout.count),
        groups_(shape_.groups()),
        roots_(shape_.roots()),
        valid_(ValidNumbers::of(layout)),
        numbers_(groups_.size() * kCategoriesPerGroup, valid_.least) {}

  [[nodiscard]] std::size_t steps() const { return shape_.steps(); }
  [[nodiscard]] static std::size_t max_prepared() { return kMaxPrepared; }
  // The most values at a time: they take a fraction of a millisecond, so that polls are frequent.
  [[nodiscard]] std::size_t max_packed() const {
    constexpr std::size_t kNumbers = 1 << 18;
    return std::clamp<std::size_t>(kNumbers / layout_.count, 1, kBlock / TreeShape::kMaxSteps);
  }

  // As CategoryPacker.
  [[nodiscard]] ReadableBlock pack(const Locator* rows, const std::int32_t* values,
                                   std::size_t count, std::uint32_t* to) {
    for (std::size_t i = 0; i < count; ++i) {
      const Fault fault = read(rows[i]);
      if (fault.problem != Problem::kNone) [[unlikely]]
        return {i, fault};
      write(static_cast<std::uint32_t>(values[i]),
            [&](Interval interval) { *to++ = pack_interval(interval); });
    }
    return {count};
  }

  [[nodiscard]] ReadableBlock prepare(const Locator* rows, std::size_t count) {
    if (count == 0) return {0};
    const Fault fault = read(rows[0]);
    return {fault.problem == Problem::kNone ? count : 0, fault};
  }
  [[nodiscard]] View view(const Locator*, std::size_t) const { return {this}; }

  [[nodiscard]] Fault read(const std::byte* row) {
    return read(row, [](std::uint32_t, const Weights&) {});
  }

  // Reads the numbers, and writes all rows, StoredTree::size values.
  [[nodiscard]] Fault read(const std::byte* row, std::uint16_t* rows) {
    const Fault fault = read(row, [&](std::uint32_t group, const Weights& weights) {
      write_row(weights.data(), groups_[group], TreeShape::size_of(group, layout_.count),
                rows + StoredTree::row_of_group(shape_, group));
    });
    if (fault.problem != Problem::kNone) return fault;
    const std::int64_t sum = std::accumulate(roots_.begin(), roots_.end(), std::int64_t{0});
    if (shape_.deep()) {
      write_row(roots_.data(), sum, shape_.roots(), rows);
      for (std::uint32_t root = 0; root < shape_.roots(); ++root)
        write_row(&groups_[std::size_t{root} * kCategoriesPerGroup], roots_[root], groups_in(root),
                  rows + StoredTree::row_of_root(shape_, root));
    } else {
      write_row(groups_.data(), sum, shape_.groups(), rows);
    }
    rows[StoredTree::size(shape_) - 1] = 0;
    return {};
  }

  // Calls `push` with the intervals of a symbol, one for each step.
  template <class Push>
  void write(std::uint32_t symbol, const Push& push) const {
    const std::uint32_t group = symbol / kCategoriesPerGroup;
    if (shape_.deep()) {
      const std::uint32_t root = group / kCategoriesPerGroup;
      push(interval(roots_.data(), shape_.roots(), root));
      push(interval(&groups_[std::size_t{root} * kCategoriesPerGroup], groups_in(root),
                    group % kCategoriesPerGroup));
    } else {
      push(interval(groups_.data(), shape_.groups(), group));
    }
    push(interval(weights_of(group).data(), TreeShape::size_of(group, layout_.count),
                  symbol % kCategoriesPerGroup));
  }

  // These read a symbol. `step(find)` returns the result of `find(quantile)`, and advances past it.
  [[nodiscard]] Found find_first(std::uint32_t quantile) const {
    return shape_.deep() ? find(roots_.data(), shape_.roots(), quantile)
                         : find(groups_.data(), shape_.groups(), quantile);
  }
  template <class Step>
  [[nodiscard]] std::uint32_t read_rest(std::uint32_t found, const Step& step) const {
    std::uint32_t group = found;
    if (shape_.deep()) {
      group = found * kCategoriesPerGroup + step([&](std::uint32_t quantile) {
                return find(&groups_[std::size_t{found} * kCategoriesPerGroup], groups_in(found),
                            quantile);
              });
    }
    const Weights weights = weights_of(group);
    return group * kCategoriesPerGroup + step([&](std::uint32_t quantile) {
             return find(weights.data(), TreeShape::size_of(group, layout_.count), quantile);
           });
  }

 private:
  using Weights = std::array<std::int32_t, kCategoriesPerGroup>;

  // Reads each number once, because another thread may change it, and all steps must see the same
  // numbers. Calls `each(group, weights)`.
  template <class Each>
  [[nodiscard]] Fault read(const std::byte* row, const Each& each) {
    Extremes extremes;
    // A chunk stays in the L1 cache.
    constexpr std::size_t kChunk = 1024;
    for (std::size_t first = 0; first < layout_.count; first += kChunk) {
      float* const numbers = &numbers_[first];
      const std::size_t count = std::min(kChunk, layout_.count - first);
      read_floats(layout_, row, first, count,
                  [&](std::size_t i, float number) { numbers[i] = number; });
      extremes.add(numbers, count);
    }
    const Fault fault =
        fault_of(valid_, extremes, layout_.count, [&](std::size_t j) { return numbers_[j]; });
    if (fault.problem != Problem::kNone) return fault;
    largest_ = extremes.largest();
    with_weight<kGroupBits>(layout_, [&]<class Weight>(const Weight*) {
      for (std::uint32_t g = 0; g < groups_.size(); ++g) {
        const Weights weights = weights_of<Weight>(g);
        groups_[g] = std::accumulate(weights.begin(), weights.end(), 0);
        each(g, weights);
      }
    });
    for (std::uint32_t r = 0; r < roots_.size(); ++r) {
      const std::int32_t* const first = &groups_[std::size_t{r} * kCategoriesPerGroup];
      roots_[r] = std::accumulate(first, first + groups_in(r), std::int64_t{0});
    }
    return {};
  }

  // The groups that a root leads to.
  [[nodiscard]] std::uint32_t groups_in(std::uint32_t root) const {
    return TreeShape::size_of(root, shape_.groups());
  }

  // The weights of a group's places.
  [[nodiscard]] Weights weights_of(std::uint32_t group) const {
    return with_weight<kGroupBits>(
        layout_, [&]<class Weight>(const Weight*) { return weights_of<Weight>(group); });
  }
  template <class Weight>
  [[nodiscard]] Weights weights_of(std::uint32_t group) const {
    Weights weights;
    const Weight weight(largest_);
    const float* const numbers = &numbers_[std::size_t{group} * kCategoriesPerGroup];
    for (std::size_t i = 0; i < kCategoriesPerGroup; ++i) weights[i] = weight(numbers[i]);
    return weights;
  }

  template <class W>
  [[nodiscard]] static Interval interval(const W* weights, std::size_t count,
                                         std::uint32_t symbol) {
    const std::int64_t before = std::accumulate(weights, weights + symbol, std::int64_t{0});
    const std::int64_t sum = std::accumulate(weights + symbol, weights + count, before);
    const WeightedRow<std::int64_t> row(sum, static_cast<std::uint32_t>(count));
    return {row.bound(before, symbol), row.bound(before + weights[symbol], symbol + 1)};
  }

  template <class W>
  [[nodiscard]] static Found find(const W* weights, std::size_t count, std::uint32_t quantile) {
    const std::int64_t sum = std::accumulate(weights, weights + count, std::int64_t{0});
    const WeightedRow<std::int64_t> row(sum, static_cast<std::uint32_t>(count));
    return find_weight(row, weights, 0, std::int64_t{0}, quantile);
  }

  // Writes the bounds of a row of weights with that sum, and zeros after them. The inner loops have
  // a constant length, so compilers vectorize them, unless sums need 64 bits.
  template <class Sum, class W>
  static void write_row(const W* weights, Sum sum, std::uint32_t count, std::uint16_t* to) {
    const WeightedRow<Sum> row(sum, count);
    Sum before = 0;
    for (std::uint32_t first = 0; first < count; first += kCategoriesPerGroup) {
      std::array<Sum, kCategoriesPerGroup> sums;
      for (std::uint32_t i = 0; i < kCategoriesPerGroup; ++i) {
        const std::uint32_t j = first + i;
        sums[i] = before + static_cast<Sum>(j);
        before += j < count ? weights[j] : 0;
      }
      for (std::uint32_t i = 0; i < kCategoriesPerGroup; ++i) {
        const auto symbol = static_cast<std::int32_t>(first + i);
        to[first + i] = static_cast<std::uint16_t>(row.part(sums[i]) + symbol);
      }
    }
    std::fill(to + count, to + StoredTree::filled(count), std::uint16_t{0});
  }

  CategoryLayout layout_;
  TreeShape shape_;
  float largest_ = 0;
  std::vector<std::int32_t> groups_;  // sums of the weights in each group
  std::vector<std::int64_t> roots_;   // sums of the weights in each group of groups
  ValidNumbers valid_;
  std::vector<float> numbers_;  // padded to whole groups with numbers of weight 0
};

TORCHAC_END_TARGET
