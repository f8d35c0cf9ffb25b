// Where the encoder gets its intervals from, block by block: from rows, each symbol its own, or
// from shared tables.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/report.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"

namespace torchac {

// Symbols ahead of the one being coded whose bounds are asked for: as many as memory can have under
// way at once.
inline constexpr std::size_t kPrefetchDistance = 16;

template <class Format>
class RowIntervals {
 public:
  static constexpr bool kGoesAbreast = false;
  static constexpr bool kIsChecked = false;  // whether what is readable is codable

  // `check` asks for a check of every value of every row, not only of those that coding needs.
  RowIntervals(const Format& format, Rows rows, Integers symbols, bool check)
      : format_(&format), rows_(std::move(rows)), symbols_(std::move(symbols)), check_(check) {}

  [[nodiscard]] Readable read(std::size_t count) {
    Readable readable = {count};
    readable.cut(rows_.read(readable.count, block_rows_.data()), {Problem::kIndex});
    readable.cut(symbols_.read(readable.count, block_symbols_.data()), {Problem::kSymbol});
    if (check_) check(readable);
    std::fill_n(&block_rows_[readable.count], kPrefetchDistance, nullptr);
    std::fill_n(&block_symbols_[readable.count], kPrefetchDistance, 0);
    return readable;
  }

  // What the coding loop works with, from a symbol of the block on: a copy, so that the compiler
  // sees that nothing else changes it.
  struct View {
    Format format{};
    const std::byte* const* rows = nullptr;
    const std::uint32_t* symbols = nullptr;
    bool distant = false;  // in memory, rather than in a cache

    [[nodiscard]] TORCHAC_INLINE Interval interval(std::size_t i) const {
      if (distant) format.prefetch(rows[i + kPrefetchDistance], symbols[i + kPrefetchDistance]);
      return format.interval(rows[i], symbols[i]);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {*format_, &block_rows_[first], &block_symbols_[first], !rows_.tables()};
  }

  [[nodiscard]] Fault why_not_codable(std::size_t i) const {
    return format_->why_not_codable(block_rows_[i], block_symbols_[i]);
  }

 private:
  void check(Readable& readable) {
    for (std::size_t i = 0; i < readable.count; ++i) {
      const std::byte* row = block_rows_[i];
      if (row == checked_) continue;  // an expanded row, or a table, again
      checked_ = row;
      const Fault fault = format_->check(row);
      if (fault.problem != Problem::kNone) return readable.cut(i, fault);
    }
  }

  const Format* format_;
  Rows rows_;
  Integers symbols_;
  bool check_;
  const std::byte* checked_ = nullptr;
  // Behind the block are kPrefetchDistance more, which mean nothing.
  std::array<const std::byte*, kBlock + kPrefetchDistance> block_rows_;
  std::array<std::uint32_t, kBlock + kPrefetchDistance> block_symbols_;
};

// Intervals of tables that are at hand.
class TableIntervals {
 public:
  static constexpr bool kGoesAbreast = true;
  static constexpr bool kIsChecked = true;

  TableIntervals(const IntervalTables& tables, Integers index, Integers symbols)
      : tables_(&tables), index_(std::move(index)), symbols_(std::move(symbols)) {}

  [[nodiscard]] Readable read(std::size_t count) {
    std::array<std::uint32_t, kBlock> index;
    std::array<std::uint32_t, kBlock> symbols;
    Readable readable = {count};
    readable.cut(index_.read(readable.count, index.data()), {Problem::kIndex});
    readable.cut(symbols_.read(readable.count, symbols.data()), {Problem::kSymbol});
    for (std::size_t i = 0; i < readable.count; ++i) {
      block_[i] = tables_->packed(index[i], symbols[i]);
      if (block_[i] == kPackedEmpty) [[unlikely]]
        readable.cut(i, {Problem::kInterval, symbols[i]});
    }
    return readable;
  }

  struct View {
    const std::uint32_t* intervals = nullptr;  // packed

    [[nodiscard]] TORCHAC_INLINE Interval interval(std::size_t i) const {
      return {packed_low(intervals[i]), packed_high(intervals[i])};
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const { return {&block_[first]}; }

 private:
  const IntervalTables* tables_;
  Integers index_;
  Integers symbols_;
  std::array<std::uint32_t, kBlock> block_;
};

}  // namespace torchac
