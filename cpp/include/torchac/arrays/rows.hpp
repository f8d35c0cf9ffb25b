// The rows of a CDF in memory: one for each symbol, or tables that an index selects.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/error.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// Rows that symbols share: `count` of them, `stride` bytes apart.
struct TableView {
  const std::byte* first;
  std::int64_t stride;
  std::int64_t count;

  bool operator==(const TableView&) const = default;

  [[nodiscard]] const std::byte* row(std::int64_t k) const { return first + k * stride; }
};

// The rows of consecutive symbols.
class Rows {
 public:
  explicit Rows(StridedWalk walk) : walk_(std::move(walk)) {}
  Rows(TableView tables, Numbers index) : tables_(tables), index_(std::move(index)) {}

  bool operator==(const Rows&) const = default;

  [[nodiscard]] const std::optional<TableView>& tables() const { return tables_; }

  // The rows of symbols, if there are no tables.
  [[nodiscard]] const StridedWalk& walk() const { return walk_; }

  // The number of each symbol's table, if there are tables.
  [[nodiscard]] const std::optional<Numbers>& index() const { return index_; }

  // Skips the first `count` rows.
  void skip(std::int64_t count) { (index_ ? index_->walk : walk_).skip(count); }

 private:
  StridedWalk walk_{nullptr, {}};
  std::optional<TableView> tables_;
  std::optional<Numbers> index_;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Reads the index of shared tables, and returns `first` + k * `step` for table k.
class TableReader {
 public:
  explicit TableReader(const Rows& rows, std::uint32_t step = 1, std::uint32_t first = 0)
      : index_(*rows.index()),
        tables_(static_cast<std::uint32_t>(std::min(rows.tables()->count, kMaxTables))),
        step_(step),
        first_(first) {}

  [[nodiscard]] ReadableBlock read(std::size_t count, std::uint32_t* to) {
    read_integers(index_, count, to);
    const std::size_t good = count_below(to, count, [&](std::size_t) { return tables_; });
    for (std::size_t i = 0; i < good; ++i) to[i] = to[i] * step_ + first_;
    return {good, {Problem::kIndex}};
  }

 private:
  // Indices that do not fit 32 bits are read as this number.
  static constexpr std::int64_t kMaxTables = UINT32_MAX;

  Numbers index_;
  std::uint32_t tables_;
  std::uint32_t step_;
  std::uint32_t first_;
};

// Reads the addresses of rows.
class RowReader {
 public:
  TORCHAC_NOINLINE explicit RowReader(const Rows& rows) : walk_(rows.walk()) {
    if (rows.tables()) {
      tables_ = *rows.tables();
      index_.emplace(rows);
    }
  }

  [[nodiscard]] ReadableBlock read(std::size_t count, const std::byte** to) {
    if (index_) return read_tables(count, to);
    for (std::size_t done = 0; done < count;) {
      const std::size_t n = std::min(count - done, static_cast<std::size_t>(walk_.run()));
      const std::byte* row = walk_.at();
      for (std::size_t i = 0; i < n; ++i, row += walk_.stride()) to[done + i] = row;
      walk_.advance(static_cast<std::int64_t>(n));
      done += n;
    }
    return {count};
  }

  // Whether each symbol has its own row.
  [[nodiscard]] bool own_rows() const { return !index_; }

 private:
  ReadableBlock read_tables(std::size_t count, const std::byte** to) {
    std::array<std::uint32_t, kBlock> index;
    const ReadableBlock readable = index_->read(count, index.data());
    for (std::size_t i = 0; i < readable.count; ++i) to[i] = tables_.row(index[i]);
    return readable;
  }

  StridedWalk walk_;
  TableView tables_{};
  std::optional<TableReader> index_;
};

TORCHAC_END_TARGET
