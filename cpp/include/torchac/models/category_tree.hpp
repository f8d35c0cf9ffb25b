// Categories that do not fit one row, coded in steps: a group, and a place in it; if there are many
// groups, a group of groups before that. Each step has a row of its own, whose weights are the sums
// of those that it leads to.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

template <class Weight>
class CategoryTree {
 public:
  static constexpr std::size_t kMaxSteps = 3;

  explicit CategoryTree(const CategoryLayout& layout)
      : layout_(layout),
        groups_((layout.count + kGroup - 1) / kGroup),
        roots_((groups_.size() + kGroup - 1) / kGroup),
        numbers_(groups_.size() * kGroup, Weight::kLeast) {}

  // Three, or two if there are so few groups that they are the roots.
  [[nodiscard]] bool deep() const { return groups_.size() > kGroup; }
  [[nodiscard]] std::size_t steps() const { return deep() ? 3 : 2; }

  // Reads each number once: a caller may change it at any time, and intervals are those of one row
  // only if all steps see the same numbers.
  [[nodiscard]] Fault read(const std::byte* row) {
    Extremes extremes;
    // Some at a time, which stay in the L1 cache.
    constexpr std::size_t kChunk = 1024;
    for (std::size_t first = 0; first < layout_.count; first += kChunk) {
      float* const numbers = &numbers_[first];
      const std::size_t count = std::min(kChunk, layout_.count - first);
      read_floats(layout_, row, first, count,
                  [&](std::size_t i, float number) { numbers[i] = number; });
      extremes.add(numbers, count);
    }
    const Fault fault =
        fault_of<Weight>(extremes, layout_.count, [&](std::size_t j) { return numbers_[j]; });
    if (fault.problem != Problem::kNone) return fault;
    largest_ = extremes.largest();
    for (std::uint32_t g = 0; g < groups_.size(); ++g) {
      const Weights weights = weights_of(g);
      groups_[g] = std::accumulate(weights.begin(), weights.end(), 0);
    }
    for (std::size_t r = 0; r < roots_.size(); ++r) {
      const auto first = groups_.begin() + static_cast<std::ptrdiff_t>(r * kGroup);
      const auto count = static_cast<std::ptrdiff_t>(size_of(r, groups_.size()));
      roots_[r] = std::accumulate(first, first + count, std::int64_t{0});
    }
    return {};
  }

  // The intervals of a symbol, by `push`, one for each step.
  template <class Push>
  void write(std::uint32_t symbol, const Push& push) const {
    const std::uint32_t group = symbol / kGroup;
    if (deep()) push(interval(roots_.data(), roots_.size(), group / kGroup));
    const Children groups = children(group / kGroup);
    push(interval(groups.weights, groups.count, group - groups.first));
    push(interval(weights_of(group).data(), size_of(group, layout_.count), symbol % kGroup));
  }

  // Reads a symbol; `step(find)` gives what `find(quantile)` finds, and goes on behind it.
  [[nodiscard]] Found find_first(std::uint32_t quantile) const {
    return deep() ? find(roots_.data(), roots_.size(), quantile)
                  : find(groups_.data(), groups_.size(), quantile);
  }
  template <class Step>
  [[nodiscard]] std::uint32_t read_rest(std::uint32_t found, const Step& step) const {
    std::uint32_t group = found;
    if (deep()) {
      const Children groups = children(found);
      group = groups.first + step([&](std::uint32_t quantile) {
                return find(groups.weights, groups.count, quantile);
              });
    }
    const Weights weights = weights_of(group);
    return group * kGroup + step([&](std::uint32_t quantile) {
             return find(weights.data(), size_of(group, layout_.count), quantile);
           });
  }

 private:
  // The groups that a root leads to: all, if there are no others.
  struct Children {
    std::uint32_t first;
    const std::int32_t* weights;
    std::size_t count;
  };
  using Weights = std::array<std::int32_t, kGroup>;

  // Of `count` members, those in group g.
  [[nodiscard]] static std::size_t size_of(std::size_t g, std::size_t count) {
    return std::min<std::size_t>(kGroup, count - g * kGroup);
  }

  [[nodiscard]] Children children(std::uint32_t root) const {
    const std::uint32_t first = root * kGroup;
    return {first, groups_.data() + first, size_of(root, groups_.size())};
  }

  // Of a group.
  [[nodiscard]] Weights weights_of(std::uint32_t group) const {
    Weights weights;
    const Weight weight(largest_);
    const float* const numbers = &numbers_[std::size_t{group} * kGroup];
    for (std::size_t i = 0; i < kGroup; ++i) weights[i] = weight(numbers[i]);
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

  CategoryLayout layout_;
  float largest_ = 0;
  std::vector<std::int32_t> groups_;  // the sums of their weights
  std::vector<std::int64_t> roots_;   // those of groups of groups
  std::vector<float> numbers_;        // filled up to whole groups with numbers of weight 0
};

TORCHAC_END_TARGET
