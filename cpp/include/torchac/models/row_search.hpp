// Searches in rows that are computed: a guess from the quantile, and few values of the row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/standard_cdf.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The symbol of a quantile in a row of `symbols`, of which `value(j)` is increasing, 0 at 0 and
// more than any quantile at the end: from symbol `guess` on in growing steps.
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

// Rows of one distribution: its quantiles tell where the symbol is, or next to which.
class SingleSearch {
 public:
  struct Row {
    float edge;
    float reciprocal;
    float scale;
    float start;  // of the position of a quantile, in symbols
    std::int32_t offset;
    std::uint32_t last;
  };

  void prepare(const ParameterBlock& block, std::size_t count) {
    standard_ = &block.standard(0);
    const ComponentBlock& c = block.component(0);
    for (std::size_t i = 0; i < count; ++i) {
      rows_[i] = {c.edge[i],   c.reciprocal[i],
                  c.scale[i],  c.edge[i] - static_cast<float>(c.offset[i]),
                  c.offset[i], block.window(i).last()};
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
      return find_apart(*this, row, guess, quantile);
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
      const std::uint32_t cdf = evaluate(table, (at - row.edge) * row.reciprocal);
      return bound(cdf << (32 - kCdfBits), j, row.last);
    }

    [[nodiscard]] TORCHAC_COLD static Found find_apart(View self, Row row, std::uint32_t guess,
                                                       std::uint32_t quantile) {
      return search_from(guess, row.last + 1, quantile,
                         [&](std::uint32_t j) { return self.value(row, j); });
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {&rows_[first], standard_->quantiles.data(), standard_tables() + standard_->table};
  }

 private:
  const StandardCdf* standard_ = nullptr;
  std::array<Row, kBlock> rows_;
};

// Rows of mixtures: some values are made ahead, for a block of rows at once; then the row is
// evaluated on both sides of a symbol at once, four components in a vector.
class MixtureSearch {
 public:
  static constexpr std::size_t kComponents = 4;
  static constexpr std::size_t kLanes = 2 * kComponents;
  static constexpr std::uint32_t kParts = 8;

  // The components of a row, first for one side, then for the other.
  struct Lanes {
    std::array<std::int32_t, kLanes> offset;
    std::array<float, kLanes> edge;
    std::array<float, kLanes> reciprocal;
    std::array<std::uint32_t, kLanes> weight;
  };

  struct Row {
    std::array<std::uint16_t, kParts> coarse;  // value at each 8th of the row; the last is unused
    std::uint32_t last;
  };

  void prepare(const ParameterBlock& block, std::size_t count) {
    chunks_ = (block.size() + kComponents - 1) / kComponents;
    lanes_.resize(kBlock * chunks_);
    tables_.assign(chunks_, {});
    for (std::size_t k = 0; k < chunks_ * kComponents; ++k) place(block, k, count);
    std::array<std::uint32_t, kBlock> sums;
    for (std::uint32_t part = 1; part < kParts; ++part) {
      for (std::size_t i = 0; i < count; ++i) symbols_[i] = begin(part, block.window(i).last());
      block.sum<1>(symbols_.data(), count, {sums.data()});
      for (std::size_t i = 0; i < count; ++i)
        rows_[i].coarse[part - 1] =
            static_cast<std::uint16_t>(bound(sums[i], symbols_[i], block.window(i).last()));
    }
    for (std::size_t i = 0; i < count; ++i) {
      rows_[i].coarse[kParts - 1] = UINT16_MAX;
      rows_[i].last = block.window(i).last();
    }
  }

  struct View {
    const Row* rows = nullptr;
    const Lanes* lanes = nullptr;
    const std::array<std::uint32_t, kLanes>* tables = nullptr;
    std::size_t chunks = 0;
    const std::uint32_t* base = nullptr;  // of the tables of all kinds

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      const Row& row = rows[i];
      const Lanes* const its_lanes = lanes + i * chunks;
      std::uint32_t part = 0;
      for (std::uint32_t m = 0; m + 1 < kParts; ++m) part += row.coarse[m] <= quantile ? 1u : 0u;
      // The symbol is one of low ... high - 1.
      std::uint32_t low = begin(part, row.last);
      std::uint32_t high = begin(part + 1, row.last);
      std::uint32_t below = part == 0 ? 0 : row.coarse[part - 1];
      std::uint32_t above = part + 1 == kParts ? kTotalFrequency : row.coarse[part];
      for (std::uint32_t round = 1;; ++round) {
        const bool halve = round % 4 == 0;  // so that it ends soon, whatever the row
        const std::uint32_t symbol =
            halve ? low + (high - low) / 2 : between(low, high, below, above, quantile);
        const Interval found = values(its_lanes, symbol, row.last);
        if (quantile < found.low) {
          high = symbol;
          above = found.low;
        } else if (quantile >= found.high) {
          low = symbol + 1;
          below = found.high;
        } else {
          return {symbol, found};
        }
      }
    }

   private:
    // Where the quantile is, if the row were linear.
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

    // The row's values on both sides of a symbol.
    [[nodiscard]] TORCHAC_INLINE Interval values(const Lanes* row, std::uint32_t symbol,
                                                 std::uint32_t last) const {
      std::array<std::uint32_t, kLanes> sums{};
#ifdef TORCHAC_TARGET_OPTIONS
      const Vec8<std::int32_t> symbols =
          Vec8<std::int32_t>{0, 0, 0, 0, 1, 1, 1, 1} + static_cast<std::int32_t>(symbol);
      Vec8<std::uint32_t> sum{};
      for (std::size_t c = 0; c < chunks; ++c) {
        const auto at =
            __builtin_convertvector(symbols + load_vec8(row[c].offset.data()), Vec8<float>);
        const Vec8<float> argument =
            (at - load_vec8(row[c].edge.data())) * load_vec8(row[c].reciprocal.data());
        const Vec8<std::uint32_t> cdf = evaluate(base, argument, load_vec8(tables[c].data()));
        sum += (cdf >> (kCdfBits - kWeighedBits)) * load_vec8(row[c].weight.data());
      }
      store_vec8(sum, sums.data());
#else
      for (std::size_t c = 0; c < chunks; ++c) {
        for (std::size_t k = 0; k < kLanes; ++k) {
          const auto side = static_cast<std::int32_t>(k / kComponents);
          const auto at =
              static_cast<float>(static_cast<std::int32_t>(symbol) + side + row[c].offset[k]);
          const std::uint32_t cdf =
              evaluate(base, (at - row[c].edge[k]) * row[c].reciprocal[k], tables[c][k]);
          sums[k] += row[c].weight[k] * (cdf >> (kCdfBits - kWeighedBits));
        }
      }
#endif
      return {bound(sums[0] + sums[1] + sums[2] + sums[3], symbol, last),
              bound(sums[4] + sums[5] + sums[6] + sums[7], symbol + 1, last)};
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {&rows_[first], &lanes_[first * chunks_], tables_.data(), chunks_, standard_tables()};
  }

 private:
  // The first symbol of a part.
  [[nodiscard]] TORCHAC_INLINE static std::uint32_t begin(std::uint32_t part, std::uint32_t last) {
    return part * (last + 1) / kParts;
  }

  void place(const ParameterBlock& block, std::size_t k, std::size_t count) {
    const std::size_t chunk = k / kComponents;
    const bool none = k >= block.size();  // one of weight 0, to fill the vector
    const ComponentBlock& from = block.component(none ? 0 : k);
    for (std::size_t side = 0; side < 2; ++side) {
      const std::size_t lane = side * kComponents + k % kComponents;
      tables_[chunk][lane] = none ? 0 : block.standard(k).table;
      for (std::size_t i = 0; i < count; ++i) {
        Lanes& to = lanes_[i * chunks_ + chunk];
        to.offset[lane] = from.offset[i];
        to.edge[lane] = from.edge[i];
        to.reciprocal[lane] = from.reciprocal[i];
        to.weight[lane] = none ? 0 : from.weight[i];
      }
    }
  }

  std::size_t chunks_ = 0;
  std::vector<Lanes> lanes_;
  std::vector<std::array<std::uint32_t, kLanes>> tables_;
  std::array<std::uint32_t, kBlock> symbols_;
  std::array<Row, kBlock> rows_;
};

// Stored rows.
class WindowRowSearch {
 public:
  struct Row {
    const std::byte* row;
    std::uint32_t last;
  };

  void prepare(const WindowRowBlock& block, std::size_t count) {
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
        low += window_row_value(row.row, low + half, row.last) <= quantile ? half : 0;
        length -= half;
      }
      return {
          low,
          {window_row_value(row.row, low, row.last), window_row_value(row.row, low + 1, row.last)}};
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const { return {&rows_[first]}; }

 private:
  std::array<Row, kBlock> rows_;
};

TORCHAC_END_TARGET
