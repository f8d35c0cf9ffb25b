// Few categories, block by block: their numbers are transposed, so that all loops run over values
// and are vectorized for any number of categories. Bernoulli distributions have two categories, but
// only one number.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

class TransposedCategories {
 public:
  using Locator = const std::byte*;
  static constexpr std::size_t kMinSteps = 1;
  static constexpr std::size_t kMaxPrepared = kBlock;

  explicit TransposedCategories(const CategoryLayout& layout)
      : layout_(layout),
        valid_(ValidNumbers::of(layout)),
        categories_(layout.categories()),
        values_(std::min(kBlock, kNumbers / categories_)) {}

  // The most values in a block.
  [[nodiscard]] std::size_t max_packed() const { return values_; }
  [[nodiscard]] std::size_t max_prepared() const { return values_; }
  [[nodiscard]] static std::size_t steps() { return 1; }

  // As CategoryPacker.
  [[nodiscard]] ReadableBlock pack(const Locator* rows, const std::int32_t* values,
                                   std::size_t count, std::uint32_t* to) {
    const ReadableBlock readable = read(rows, count);
    pack_symbols(values, readable.count, to);
    return readable;
  }

  // Computes the bounds of all rows, for `find`.
  [[nodiscard]] ReadableBlock prepare(const Locator* rows, std::size_t count) {
    const ReadableBlock readable = read(rows, count);
    make_bounds(readable.count);
    return readable;
  }

  // The bounds above each symbol of value i, `step` apart.
  struct View {
    const std::int32_t* bounds = nullptr;
    std::size_t step = 0;
    std::uint32_t categories = 0;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      const auto wanted = static_cast<std::int32_t>(quantile);
      if (categories == 2) {  // no loop, no branch
        const auto bound = static_cast<std::uint32_t>(bounds[i]);
        const std::uint32_t symbol = bound <= quantile ? 1 : 0;
        const std::uint32_t all = 0u - symbol;  // its bits
        return {symbol, {bound & all, bound + ((kTotalFrequency - bound) & all)}};
      }
      std::uint32_t symbol = 0;
      for (std::size_t j = 0; j + 1 < categories; ++j)
        symbol += bounds[j * step + i] <= wanted ? 1 : 0;
      const std::int32_t low = symbol == 0 ? 0 : bounds[(symbol - 1) * step + i];
      return {
          symbol,
          {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(bounds[symbol * step + i])}};
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(const Locator*, std::size_t first) const {
    return {&bounds_[first], values_, categories_};
  }

  // Writes the values of row i.
  void write(std::size_t i, std::uint16_t* to) const {
    to[0] = 0;
    for (std::size_t j = 0; j < categories_; ++j)
      to[j + 1] = static_cast<std::uint16_t>(bounds_[j * values_ + i]);
  }

 private:
  using Integers = std::array<std::int32_t, kBlock>;

  // 16 KiB, half of an L1 cache.
  static constexpr std::size_t kNumbers = 4096;

  [[nodiscard]] const float* of_category(std::size_t j) const { return &numbers_[j * values_]; }

  [[nodiscard]] ReadableBlock read(const Locator* rows, std::size_t count) {
    layout_.bernoulli() ? read_bernoulli(rows, count) : read_transposed(rows, count);
    // The extremes of each row, and of all rows.
    std::array<std::int32_t, kBlock> most;
    std::array<std::uint32_t, kBlock> least_unsigned;
    std::fill_n(most.data(), count, INT32_MIN);
    std::fill_n(least_unsigned.data(), count, UINT32_MAX);
    Extremes all;
    for (std::size_t j = 0; j < categories_; ++j) {
      const float* numbers = of_category(j);
      std::uint32_t most_unsigned = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const auto bits = std::bit_cast<std::uint32_t>(numbers[i]);
        most[i] = std::max(most[i], static_cast<std::int32_t>(bits));
        least_unsigned[i] = std::min(least_unsigned[i], bits);
        most_unsigned = std::max(most_unsigned, bits);
      }
      all.most_unsigned = std::max(all.most_unsigned, most_unsigned);
    }
    std::int32_t too_small = 0;
    for (std::size_t i = 0; i < count; ++i) {
      largest_[i] = Extremes{most[i], least_unsigned[i], 0}.largest();
      all.most = std::max(all.most, most[i]);
      too_small += largest_[i] >= valid_.largest_at_least ? 0 : 1;
    }
    ReadableBlock readable{count};
    if (!valid_.has(all) || too_small > 0) [[unlikely]]
      blame(count, readable);
    return readable;
  }

  void pack_symbols(const std::int32_t* symbols, std::size_t count, std::uint32_t* packed) const {
    Integers before{};
    Integers own{};
    Integers sum{};
    with_weight<kRowBits>(layout_, [&]<class Weight>(const Weight*) {
      for (std::size_t j = 0; j < categories_; ++j) {
        const float* numbers = of_category(j);
        const auto category = static_cast<std::int32_t>(j);
        for (std::size_t i = 0; i < count; ++i) {
          const std::int32_t w = Weight(largest_[i])(numbers[i]);
          before[i] += category < symbols[i] ? w : 0;
          own[i] += category == symbols[i] ? w : 0;
          sum[i] += w;
        }
      }
    });
    const auto last = static_cast<std::int32_t>(categories_ - 1);
    for (std::size_t i = 0; i < count; ++i) {
      const WeightedRow<std::int32_t> row(sum[i], categories_);
      const std::int32_t low = row.part(before[i] + symbols[i]) + symbols[i];
      const std::int32_t next = symbols[i] + 1;
      const std::int32_t high = row.part(before[i] + own[i] + next) + next;
      const std::int32_t end =
          symbols[i] == last ? static_cast<std::int32_t>(kTotalFrequency) : high;
      packed[i] = static_cast<std::uint32_t>(low) | static_cast<std::uint32_t>(end - 1)
                                                        << kPrecision;
    }
  }

  void make_bounds(std::size_t count) {
    Integers sum{};
    with_weight<kRowBits>(layout_, [&]<class Weight>(const Weight*) {
      for (std::size_t j = 0; j < categories_; ++j) {
        const float* numbers = of_category(j);
        std::int32_t* weights = &bounds_[j * values_];
        for (std::size_t i = 0; i < count; ++i) {
          weights[i] = Weight(largest_[i])(numbers[i]);
          sum[i] += weights[i];
        }
      }
    });
    std::array<double, kBlock> factor;
    for (std::size_t i = 0; i < count; ++i)
      factor[i] = WeightedRow<std::int32_t>(sum[i], categories_).factor();
    Integers before{};
    for (std::size_t j = 0; j < categories_; ++j) {
      std::int32_t* bounds = &bounds_[j * values_];
      const auto next = static_cast<std::int32_t>(j + 1);
      for (std::size_t i = 0; i < count; ++i) {
        before[i] += bounds[i];
        bounds[i] =
            static_cast<std::int32_t>(static_cast<double>(before[i] + next) * factor[i]) + next;
      }
    }
    std::fill_n(&bounds_[(categories_ - 1) * values_], count,
                static_cast<std::int32_t>(kTotalFrequency));
  }

  void read_transposed(const std::byte* const* rows, std::size_t count) {
    with_dtype(FloatTypes(), layout_.type, [&]<class T>(const T*) {
      const auto stride = static_cast<std::ptrdiff_t>(layout_.stride);
      for (std::size_t i = 0; i < count; ++i) {
        const std::byte* at = rows[i];
        float* to = &numbers_[i];
        for (std::size_t j = 0; j < categories_; ++j, at += stride, to += values_)
          *to = static_cast<float>(load<T>(at));
      }
    });
  }

  void read_bernoulli(const std::byte* const* rows, std::size_t count) {
    with_dtype(FloatTypes(), layout_.type, [&]<class T>(const T*) {
      for (std::size_t i = 0; i < count; ++i) {
        const auto second = static_cast<double>(load<T>(rows[i]));
        numbers_[i] = layout_.logits() ? 0.0f : static_cast<float>(1.0 - second);
        numbers_[values_ + i] = static_cast<float>(second);
      }
    });
  }

  TORCHAC_COLD void blame(std::size_t count, ReadableBlock& readable) const {
    for (std::size_t i = 0; i < count; ++i) {
      Extremes extremes;
      for (std::size_t j = 0; j < categories_; ++j) extremes.add(of_category(j)[i]);
      const Fault fault =
          fault_of(valid_, extremes, categories_, [&](std::size_t j) { return of_category(j)[i]; });
      if (fault.problem != Problem::kNone) return readable.truncate(i, fault);
    }
  }

  CategoryLayout layout_;
  ValidNumbers valid_;
  std::uint32_t categories_;
  std::size_t values_;
  std::array<float, kBlock> largest_;
  std::array<float, kNumbers> numbers_;  // by category, then by value
  std::array<std::int32_t, kNumbers> bounds_;
};

TORCHAC_END_TARGET
