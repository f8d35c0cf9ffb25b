// Categories that fit one row: the interval of a category, and a search.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Weights are added in segments of this many categories before a search: about the square root of
// kMaxRowCategories, so that it looks at few sums and then at few weights.
inline constexpr std::uint32_t kSegment = 16;
inline constexpr std::uint32_t kMaxSegments = (kMaxRowCategories + kSegment - 1) / kSegment;

// The numbers of one row, padded to whole segments with numbers of weight 0.
class CategoryRow {
 public:
  using Locator = const std::byte*;
  static constexpr std::size_t kMinSteps = 1;

  explicit CategoryRow(const CategoryLayout& layout)
      : layout_(layout),
        valid_(ValidNumbers::of(layout)),
        filled_((layout.count + kSegment - 1) / kSegment * kSegment) {
    numbers_.fill(valid_.least);
  }

  [[nodiscard]] Fault read(const std::byte* row) {
    read_floats(layout_, row, 0, layout_.count,
                [&](std::size_t i, float number) { numbers_[i] = number; });
    Extremes extremes;
    extremes.add(numbers_.data(), filled_);
    largest_ = extremes.largest();
    return fault_of(valid_, extremes, layout_.count, [&](std::size_t j) { return numbers_[j]; });
  }

  // As CategoryPacker.
  [[nodiscard]] ReadableBlock pack(const Locator* rows, const std::int32_t* values,
                                   std::size_t count, std::uint32_t* to) {
    return with_weight<kRowBits>(layout_, [&]<class Weight>(const Weight*) -> ReadableBlock {
      for (std::size_t i = 0; i < count; ++i) {
        const Fault fault = read(rows[i]);
        if (fault.problem != Problem::kNone) [[unlikely]]
          return {i, fault};
        to[i] = pack_interval(interval<Weight>(static_cast<std::uint32_t>(values[i])));
      }
      return {count};
    });
  }
  [[nodiscard]] static std::size_t steps() { return 1; }
  [[nodiscard]] static std::size_t max_packed() { return kBlock; }

  template <class Weight>
  [[nodiscard]] Interval interval(std::uint32_t symbol) const {
    const Weight weight(largest_);
    const auto end = static_cast<std::int32_t>(symbol);
    std::int32_t before = 0;
    std::int32_t sum = 0;
    const auto filled = static_cast<std::int32_t>(filled_);
    for (std::int32_t i = 0; i < filled; ++i) {
      const std::int32_t w = weight(numbers_[static_cast<std::size_t>(i)]);
      sum += w;
      before += i < end ? w : 0;
    }
    const WeightedRow<std::int32_t> row(sum, layout_.count);
    return {row.bound(before, symbol), row.bound(before + weight(numbers_[symbol]), symbol + 1)};
  }

  // A row to search in.
  class Search {
   public:
    [[nodiscard]] TORCHAC_INLINE Found find(const std::int32_t* weights,
                                            std::uint32_t quantile) const {
      std::uint32_t segment = 0;
      const auto wanted = static_cast<std::int32_t>(quantile);
      for (const std::int32_t end : ends_) segment += end <= wanted ? 1 : 0;
      return find_weight(row_, weights, segment * kSegment, sums_[segment], quantile);
    }

   private:
    friend class CategoryRow;

    WeightedRow<std::int32_t> row_;
    std::array<std::int32_t, kMaxSegments> sums_{};    // sums of the weights before each segment
    std::array<std::int32_t, kMaxSegments - 1> ends_;  // the bounds between segments
  };

  // Writes all weights and computes their sums.
  void prepare(Search& search, std::int32_t* weights) const {
    const std::uint32_t filled = filled_;  // a copy, which `weights` cannot alias
    with_weight<kRowBits>(layout_, [&]<class Weight>(const Weight*) {
      const Weight weight(largest_);
      for (std::uint32_t i = 0; i < filled; ++i) weights[i] = weight(numbers_[i]);
    });
    std::int32_t sum = 0;
    for (std::uint32_t first = 0; first < filled; first += kSegment) {
      search.sums_[first / kSegment] = sum;
      sum += sum_of_segment(weights + first);
    }
    search.row_ = WeightedRow<std::int32_t>(sum, layout_.count);
    for (std::uint32_t s = 1; s < kMaxSegments; ++s) {
      const auto first = static_cast<std::int32_t>(s * kSegment);
      const std::int32_t bound = search.row_.part(search.sums_[s] + first) + first;
      search.ends_[s - 1] = s * kSegment < filled ? bound : INT32_MAX;
    }
  }

  // Writes the values of the row.
  void write(std::uint16_t* to) const {
    Search search;
    std::array<std::int32_t, std::size_t{kMaxSegments} * kSegment> weights;
    prepare(search, weights.data());
    std::int32_t sum = 0;
    for (std::uint32_t j = 0; j < layout_.count; sum += weights[j++])
      to[j] = static_cast<std::uint16_t>(search.row_.bound(sum, j));
    to[layout_.count] = 0;  // 65536
  }

  // The number of weights that `prepare` writes.
  [[nodiscard]] std::uint32_t filled() const { return filled_; }

 private:
  // Uses four sums, of which compilers make vectors.
  [[nodiscard]] TORCHAC_INLINE static std::int32_t sum_of_segment(const std::int32_t* weights) {
    std::array<std::int32_t, 4> sums{};
    for (std::size_t i = 0; i < kSegment; i += sums.size())
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += weights[i + k];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
  }

  CategoryLayout layout_;
  ValidNumbers valid_;
  std::uint32_t filled_;
  float largest_ = 0;
  std::array<float, std::size_t{kMaxSegments} * kSegment> numbers_;
};

// Rows that are prepared for searches.
class CategoryRowSearches {
 public:
  using Locator = const std::byte*;
  // Few enough for the L1 cache.
  static constexpr std::size_t kMaxPrepared = 32;

  explicit CategoryRowSearches(const CategoryLayout& layout) : row_(layout) {}

  // The most rows at a time.
  [[nodiscard]] std::size_t max_prepared() const {
    return std::min(kMaxPrepared, kMaxWeights / row_.filled());
  }

  [[nodiscard]] ReadableBlock prepare(const Locator* rows, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Fault fault = row_.read(rows[i]);
      if (fault.problem != Problem::kNone) [[unlikely]]
        return {i, fault};
      row_.prepare(searches_[i], &weights_[i * row_.filled()]);
    }
    return {count};
  }

  struct View {
    const CategoryRow::Search* searches = nullptr;
    const std::int32_t* weights = nullptr;
    std::size_t filled = 0;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      return searches[i].find(weights + i * filled, quantile);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(const Locator*, std::size_t first) const {
    return {&searches_[first], &weights_[first * row_.filled()], row_.filled()};
  }

 private:
  static constexpr std::size_t kMaxWeights = 4096;

  CategoryRow row_;
  std::array<CategoryRow::Search, kMaxPrepared> searches_;
  std::array<std::int32_t, kMaxWeights> weights_;
};

TORCHAC_END_TARGET
