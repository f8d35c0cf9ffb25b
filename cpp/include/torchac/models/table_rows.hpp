// Stored rows of integers, each with its own window, and a search in them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// Rows in memory: row k has `symbols[k]` 16-bit values, at most `columns`, without the last value,
// which means 65536.
struct TableRowsView {
  const std::byte* first_row;
  std::int64_t stride;  // bytes from one row to the next
  std::int64_t count;
  std::int64_t columns;
  const std::int32_t* first;
  const std::int32_t* symbols;
  const std::uint8_t* shifts;
  Bounds bounds;
  const std::uint32_t* places = nullptr;  // of the rows, in strides, unless rows are consecutive

  bool operator==(const TableRowsView&) const = default;

  [[nodiscard]] const std::byte* row(std::uint32_t k) const {
    return first_row + (places == nullptr ? k : places[k]) * stride;
  }
  // Skips the first `rows` rows.
  void skip(std::int64_t rows) {
    if (places == nullptr) {
      first_row += rows * stride;
    } else {
      places += rows;
    }
    first += rows;
    symbols += rows;
    shifts += rows;
    count -= rows;
  }
  // The window of a row, or nothing if the row is invalid or a symbol of it is outside the bounds.
  // Reads each number once, because another thread may change it after the check.
  [[nodiscard]] TORCHAC_INLINE std::optional<Window> window(std::uint32_t k) const {
    constexpr std::uint32_t kMaxShift = 24;
    const std::int64_t length = symbols[k];
    const std::int32_t begin = first[k];
    const std::uint32_t shift = shifts[k];
    if (length < 1 || length > columns || shift > kMaxShift || begin < bounds.low >> shift ||
        begin + length - 1 > bounds.high >> shift)
      return std::nullopt;
    return Window::of(begin, static_cast<std::uint32_t>(length - 1), shift, bounds);
  }
};

// Lookup tables of rows, if there are any, with a locator for each row.
struct LutsView {
  const std::byte* tables = nullptr;
  const std::uint32_t* locators = nullptr;
};

// The rows of values: consecutive ones, or those that an index selects.
struct TableRows {
  TableRowsView view;
  std::optional<Numbers> index;
  LutsView luts{};
};

// Value j of a row, as coding uses it.
TORCHAC_INLINE std::uint32_t table_row_value(const std::byte* row, std::uint32_t j,
                                             std::uint32_t last) {
  return j > last ? kTotalFrequency : load<std::uint16_t>(row + j * sizeof(std::uint16_t));
}

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Reads the rows of values.
class TableRowBlock {
 public:
  explicit TableRowBlock(TableRows rows) : rows_(std::move(rows)) {}

  [[nodiscard]] const TableRowsView& view() const { return rows_.view; }
  [[nodiscard]] const Bounds& bounds() const { return rows_.view.bounds; }
  [[nodiscard]] std::uint32_t row(std::size_t i) const { return block_[i]; }
  [[nodiscard]] const Window& window(std::size_t i) const { return windows_[i]; }

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    if (rows_.index && std::cmp_less_equal(view().count, count) && of_rows_.empty()) read_rows();
    if (!of_rows_.empty()) return read_shared(count);
    if (rows_.index) {
      read_integers(*rows_.index, count, block_.data());
    } else {
      for (std::size_t i = 0; i < count; ++i) block_[i] = next_++;
    }
    ReadableBlock readable{count};
    for (std::size_t i = 0; i < count; ++i) {
      const bool inside = std::cmp_less(block_[i], view().count);
      const auto window = inside ? view().window(block_[i]) : std::nullopt;
      if (!window) {
        readable.truncate(i, {Problem::kIndex});
        break;
      }
      windows_[i] = *window;
    }
    return readable;
  }

  // Packs the interval of each symbol.
  void pack(const std::uint32_t* symbols, std::size_t count, std::uint32_t* packed) const {
    for (std::size_t i = 0; i < count; ++i) {
      const std::byte* row = view().row(block_[i]);
      const std::uint32_t last = windows_[i].last();
      packed[i] = pack_interval(
          {table_row_value(row, symbols[i], last), table_row_value(row, symbols[i] + 1, last)});
    }
  }

 private:
  // Reads the windows of all rows, if there are fewer rows than values and all are valid.
  void read_rows() {
    std::vector<Window> windows;
    for (std::uint32_t k = 0; std::cmp_less(k, view().count); ++k) {
      const auto window = view().window(k);
      if (!window) return;
      windows.push_back(*window);
    }
    of_rows_ = std::move(windows);
  }

  ReadableBlock read_shared(std::size_t count) {
    read_integers(*rows_.index, count, block_.data());
    const auto rows = static_cast<std::uint32_t>(of_rows_.size());
    const std::size_t good = count_below(block_.data(), count, [&](std::size_t) { return rows; });
    for (std::size_t i = 0; i < good; ++i) windows_[i] = of_rows_[block_[i]];
    return {good, {Problem::kIndex}};
  }

  TableRows rows_;
  std::uint32_t next_ = 0;
  std::vector<Window> of_rows_;
  std::array<std::uint32_t, kBlock> block_;
  std::array<Window, kBlock> windows_;
};

TORCHAC_END_TARGET
