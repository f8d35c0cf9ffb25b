// Which rows are looked at before a call codes anything, and the first fault that they have.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace torchac {

// What is looked at, beyond all that coding a symbol touches.
enum class Check : std::uint8_t {
  kTouched,  // nothing
  kFew,      // whether rows decrease: shared ones, and those of a call that has few
  kAll       // each value of each row
};

// Rows of their own are few if they are no more than these, or no more than one for so many symbols
// that share it because an array is expanded. To look at a row takes as long as to encode one to
// three symbols, so that looking takes no more than a few microseconds, or a few percent.
inline constexpr std::int64_t kFewRows = 64;

// Checks rows of items that are encoded, decoded or measured.
template <class Item>
class RowChecks {
 public:
  RowChecks(std::span<const Item> items, Check check, Poll& poll)
      : items_(items), check_(check), poll_(poll) {}

  [[nodiscard]] Report run() {
    if (check_ == Check::kTouched) return {};
    const bool few = check_ == Check::kFew && rows_are_few();
    for (std::size_t i = 0; i < items_.size(); ++i) {
      Report report;
      if (items_[i].rows.tables()) {
        report = check_tables(i);
      } else if (few) {
        report = check_rows(i);
      }
      report.item = static_cast<std::int64_t>(i);
      if (!report.ok()) return report;
    }
    return {};
  }

 private:
  [[nodiscard]] bool rows_are_few() const {
    std::int64_t rows = 0;
    std::int64_t symbols = 0;
    for (const Item& item : items_) {
      if (item.rows.tables() || item.count == 0) continue;
      rows += item.rows.walk().distinct();
      symbols += item.count;
    }
    return rows <= std::max(kFewRows, symbols / kFewRows);
  }

  [[nodiscard]] bool shares_with_last(std::size_t i) const {
    return i > 0 && items_[i - 1].rows.tables() == items_[i].rows.tables() &&
           items_[i - 1].format == items_[i].format;
  }

  // Symbols from item i on that share its tables.
  [[nodiscard]] std::int64_t sharing(std::size_t i) const {
    std::int64_t symbols = items_[i].count;
    for (++i; i < items_.size() && shares_with_last(i); ++i) symbols += items_[i].count;
    return symbols;
  }

  // All tables, used or not, unless there are fewer symbols to use them.
  [[nodiscard]] Report check_tables(std::size_t i) {
    const Item& item = items_[i];
    const TableView& view = *item.rows.tables();
    const bool known = shares_with_last(i);
    if (!known) all_tables_ = check_ == Check::kAll || sharing(i) >= view.count;
    if (!all_tables_) return check_used_tables(item);
    if (known) return {};
    for (std::int64_t k = 0; k < view.count; ++k) {
      const Fault fault = fault_of(item, view.first + k * view.stride);
      if (fault.problem != Problem::kNone) return {fault.problem, 0, 0, fault.column, k};
    }
    return {};
  }

  [[nodiscard]] Report check_used_tables(const Item& item) {
    Rows rows = item.rows;
    std::array<const std::byte*, kBlock> block;
    for (std::int64_t done = 0; done < item.count;) {
      const auto count =
          static_cast<std::size_t>(std::min<std::int64_t>(item.count - done, kBlock));
      const std::size_t good = rows.read(count, block.data());
      for (std::size_t i = 0; i < good; ++i) {
        const Fault fault = fault_of(item, block[i]);
        if (fault.problem != Problem::kNone)
          return {fault.problem, 0, done + static_cast<std::int64_t>(i), fault.column};
      }
      if (good < count) break;  // an index names no table, which coding finds
      done += static_cast<std::int64_t>(count);
    }
    return {};
  }

  [[nodiscard]] Report check_rows(std::size_t i) {
    const Item& item = items_[i];
    Report first;
    if (item.count == 0) return first;
    for (const StridedWalk::Place& place : item.rows.walk().distinct_places()) {
      const Fault fault = fault_of(item, place.at);
      if (fault.problem != Problem::kNone && (first.ok() || place.position < first.position))
        first = {fault.problem, 0, place.position, fault.column};
    }
    return first;
  }

  [[nodiscard]] Fault fault_of(const Item& item, const std::byte* row) {
    return std::visit(
        [&](const auto& format) {
          poll_.after(format.symbols());
          return check_ == Check::kAll ? format.check(row) : format.decrease(row);
        },
        item.format);
  }

  std::span<const Item> items_;
  Check check_;
  Poll& poll_;
  bool all_tables_ = false;  // that the last item shares with others were checked, used or not
};

}  // namespace torchac
