// Searches in computed rows, which start from a guess and compute few values of the row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Exponential search for the symbol of `quantile`, from `guess`. `value(j)` increases from 0, and
// exceeds every quantile at `symbols`.
template <class Value>
TORCHAC_INLINE Found search_from(std::uint32_t guess, std::uint32_t symbols, std::uint32_t quantile,
                                 const Value& value) {
  std::uint32_t low = 0;
  std::uint32_t high = symbols;
  if (value(guess) <= quantile) {
    low = guess;
    for (std::uint32_t step = 1; step < high - low; step *= 2) {
      if (value(low + step) > quantile) {
        high = low + step;
        break;
      }
      low += step;
    }
  } else {
    high = guess;
    for (std::uint32_t step = 1; step < high; step *= 2) {
      if (value(high - step) <= quantile) {
        low = high - step;
        break;
      }
      high -= step;
    }
  }
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    (value(middle) <= quantile ? low : high) = middle;
  }
  return {low, {value(low), value(high)}};
}

// Rows of one distribution, whose quantiles give the symbol or one near it.
class SingleSearch {
 public:
  struct Row {
    float center_error;
    float reciprocal;
    float scale;
    float start;  // the offset of positions, in symbols
    std::int32_t offset;
    std::uint32_t last;
  };

  void prepare(const ParameterBlock& block, std::size_t count) {
    family_ = &block.family(0);
    const ComponentBlock& c = block.component(0);
    for (std::size_t i = 0; i < count; ++i) {
      rows_[i] = {c.center_error[i], c.reciprocal[i],
                  c.scale[i],        c.center_error[i] - static_cast<float>(c.offset[i]),
                  c.offset[i],       block.window(i).last()};
    }
  }

  struct View {
    const Row* rows = nullptr;
    const float* quantiles = nullptr;
    const std::uint32_t* table = nullptr;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      const Row& row = rows[i];
      const auto guess = static_cast<std::uint32_t>(guessed(row, quantile));
      const Interval found{value(row, guess), value(row, guess + 1)};
      if (found.low <= quantile && quantile < found.high) [[likely]]
        return {guess, found};
      return find_slow(*this, row, guess, quantile);
    }

   private:
    [[nodiscard]] TORCHAC_INLINE std::int32_t guessed(const Row& row,
                                                      std::uint32_t quantile) const {
      constexpr std::uint32_t kPart = kTotalFrequency / kQuantiles;
      const float* const at = &quantiles[quantile / kPart];
      const float rest = static_cast<float>(static_cast<std::int32_t>(quantile % kPart)) *
                         (1.0f / static_cast<float>(kPart));
      const float z = at[0] + (at[1] - at[0]) * rest;
      const float position = z * row.scale + row.start;
      const auto last = static_cast<float>(static_cast<std::int32_t>(row.last));
      const float limited = position > 0 ? position : 0;
      return static_cast<std::int32_t>(limited < last ? limited : last);
    }

    [[nodiscard]] TORCHAC_INLINE std::uint32_t value(const Row& row, std::uint32_t j) const {
      const auto at = static_cast<float>(static_cast<std::int32_t>(j) + row.offset);
      const std::uint32_t cdf = evaluate(table, (at - row.center_error) * row.reciprocal);
      return bound(cdf << (32 - kCdfBits), j, row.last);
    }

    [[nodiscard]] TORCHAC_COLD static Found find_slow(View self, Row row, std::uint32_t guess,
                                                      std::uint32_t quantile) {
      return search_from(guess, row.last + 1, quantile,
                         [&](std::uint32_t j) { return self.value(row, j); });
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {&rows_[first], family_->quantiles.data(), family_->table};
  }

 private:
  const Family* family_ = nullptr;
  std::array<Row, kParameterRows> rows_;
};

// Rows of mixtures, searched by eight values at once. Eight evenly spaced values are computed
// ahead; between two of these, the search computes eight neighbouring values.
class MixtureSearch {
 public:
  static constexpr std::uint32_t kValues = 8;
  using Values = std::array<std::uint32_t, kValues>;

  struct Row {
    Values coarse;  // at each 8th of the row
    std::uint32_t last;
  };

  struct View {
    const Row* rows = nullptr;
    std::size_t first = 0;  // the first of the rows in the components
    const ComponentBlock* components = nullptr;
    std::size_t size = 0;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      const Row& row = rows[i];
      const std::uint32_t part = count_up_to(row.coarse, quantile) - 1;
      // The symbol is one of low ... high - 1.
      std::uint32_t low = part * (row.last + 1) / kValues;
      std::uint32_t high = (part + 1) * (row.last + 1) / kValues;
      std::uint32_t below = row.coarse[part];
      std::uint32_t above = part + 1 == kValues ? kTotalFrequency : row.coarse[part + 1];
      for (std::uint32_t round = 1;; ++round) {
        const bool halve = round % 4 == 0;  // so that the search ends soon in any row
        const std::uint32_t guess =
            halve ? low + (high - low) / 2 : between(low, high, below, above, quantile);
        const std::uint32_t start = std::max(guess, low + kBefore) - kBefore;
        const Values found = values(i, start, kValues, row.last);
        const std::uint32_t count = count_up_to(found, quantile);
        if (count == 0) {
          high = start;
          above = found.front();
        } else if (count == kValues) {
          low = start + kValues - 1;
          below = found.back();
        } else {
          return {start + count - 1, {found[count - 1], found[count]}};
        }
      }
    }

    // The values of row i at the symbols from `start` on, at every 8th of `step`.
    [[nodiscard]] TORCHAC_INLINE Values values(std::size_t i, std::uint32_t start,
                                               std::uint32_t step, std::uint32_t last) const {
      Values result;
#ifdef TORCHAC_TARGET_AVX2
      const Vec8<std::uint32_t> symbols =
          (Vec8<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7} * step >> 3) + start;
      const auto sums = sums_at<true>(components, size, first + i, symbols);
      store_vec8(bound(sums, symbols, last), result.data());
#else
      for (std::uint32_t p = 0; p < kValues; ++p) {
        const std::uint32_t symbol = start + p * step / kValues;
        std::uint32_t sum = 0;
        for (std::size_t k = 0; k < size; ++k) sum += components[k].part<true>(first + i, symbol);
        result[p] = bound(sum, symbol, last);
      }
#endif
      return result;
    }

   private:
    static constexpr std::uint32_t kBefore = 3;  // values before a guess

    // The position of the quantile if the row were linear.
    [[nodiscard]] TORCHAC_INLINE static std::uint32_t between(std::uint32_t low, std::uint32_t high,
                                                              std::uint32_t below,
                                                              std::uint32_t above,
                                                              std::uint32_t quantile) {
      const auto real = [](std::uint32_t x) {
        return static_cast<float>(static_cast<std::int32_t>(x));
      };
      const float rest = real(quantile - below) / real(above - below) * real(high - low);
      return std::min(low + static_cast<std::uint32_t>(static_cast<std::int32_t>(rest)), high - 1);
    }

    // How many of the increasing values are at most the quantile.
    [[nodiscard]] TORCHAC_INLINE static std::uint32_t count_up_to(const Values& values,
                                                                  std::uint32_t quantile) {
#ifdef TORCHAC_TARGET_AVX2
      const auto each = __builtin_bit_cast(Vec8<std::int32_t>, load_vec8(values.data()));
      return count_lanes(each <= static_cast<std::int32_t>(quantile));
#else
      std::uint32_t count = 0;
      for (const std::uint32_t value : values) count += value <= quantile ? 1u : 0u;
      return count;
#endif
    }
  };

  void prepare(const ParameterBlock& block, std::size_t count) {
    all_ = {rows_.data(), 0, &block.component(0), block.size()};
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t last = block.window(i).last();
      rows_[i].coarse = all_.values(i, 0, last + 1, last);
      rows_[i].last = last;
    }
  }

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    View view = all_;
    view.rows += first;
    view.first = first;
    return view;
  }

 private:
  View all_;
  std::array<Row, kParameterRows> rows_;
};

// Stored rows.
class TableRowSearch {
 public:
  struct Row {
    const std::byte* row;
    std::uint32_t last;
  };

  void prepare(const TableRowBlock& block, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      rows_[i] = {block.view().row(block.row(i)), block.window(i).last()};
  }

  struct View {
    const Row* rows = nullptr;

    // The largest symbol that starts at or before the quantile, or 0.
    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      const Row& row = rows[i];
      std::uint32_t low = 0;
      for (std::uint32_t length = row.last + 1; length > 1;) {
        const std::uint32_t half = length / 2;
        low += table_row_value(row.row, low + half, row.last) <= quantile ? half : 0;
        length -= half;
      }
      return {
          low,
          {table_row_value(row.row, low, row.last), table_row_value(row.row, low + 1, row.last)}};
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const { return {&rows_[first]}; }

 private:
  std::array<Row, kBlock> rows_;
};

TORCHAC_END_TARGET
