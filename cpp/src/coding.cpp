#include "torchac/coding.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "torchac/crew.hpp"
#include "torchac/intervals.hpp"
#include "torchac/lanes.hpp"
#include "torchac/one_window.hpp"
#include "torchac/report.hpp"
#include "torchac/searches.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"
#include "torchac/turns.hpp"
#include "torchac/values.hpp"
#include "torchac/windows.hpp"

namespace torchac {
namespace {

// The tables that all items share, and how many symbols are coded with them.
struct SharedTables {
  TableView view;
  std::int64_t symbols;
};

template <class Item>
std::optional<SharedTables> shared_tables(std::span<const Item> items) {
  const std::optional<TableView>& view = items.front().rows.tables();
  std::int64_t symbols = 0;
  for (const Item& item : items) {
    if (!view || item.rows.tables() != view || item.format != items.front().format)
      return std::nullopt;
    symbols += item.count;
  }
  return SharedTables{*view, symbols};
}

// Checks the tables of each item that asks for it, as a whole.
Report check_tables(std::span<EncodeItem> items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    EncodeItem& item = items[i];
    if (!item.check || !item.rows.tables()) continue;
    item.check = false;
    const TableView& view = *item.rows.tables();
    if (i > 0 && items[i - 1].rows.tables() == view && items[i - 1].format == item.format) continue;
    for (std::int64_t k = 0; k < view.count; ++k) {
      const std::byte* row = view.first + k * view.stride;
      const Fault fault =
          std::visit([&](const auto& format) { return format.check(row); }, item.format);
      if (fault.problem != Problem::kNone)
        return {fault.problem, static_cast<std::int64_t>(i), 0, fault.column, k};
    }
  }
  return {};
}

// The shared tables' intervals, if there are more symbols than intervals to prepare.
std::optional<IntervalTables> prepare_tables(std::span<const EncodeItem> items) {
  const auto shared = shared_tables(items);
  if (!shared) return std::nullopt;
  return std::visit(
      [&](const auto& format) -> std::optional<IntervalTables> {
        if (shared->symbols / format.symbols() < shared->view.count) return std::nullopt;
        return IntervalTables::prepare(format, shared->view);
      },
      items.front().format);
}

Report encode_rows(std::span<const EncodeItem> items, Crew& crew) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<EncodeLane<RowIntervals<Format>>>(
            items.size(), crew, [&](auto& lane, std::size_t i) {
              const EncodeItem& item = items[i];
              lane.emplace(item.count, *item.stream, std::get<Format>(item.format), item.rows,
                           item.symbols, item.check);
            });
      },
      items.front().format);
}

Report encode_tables(std::span<const EncodeItem> items, const IntervalTables& tables, Crew& crew) {
  return code_all<EncodeLane<TableIntervals>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const EncodeItem& item = items[i];
    lane.emplace(item.count, *item.stream, tables, *item.rows.index(), item.symbols);
  });
}

// The shared tables, prepared, if there are enough symbols for it to pay.
std::optional<Tables> prepare_tables(std::span<const DecodeItem> items) {
  const auto shared = shared_tables(items);
  if (!shared || shared->symbols / Tables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return std::visit([&](const auto& format) { return Tables::prepare(format, shared->view); },
                    items.front().format);
}

template <class Search>
Report decode_with(std::span<const DecodeItem> items, Crew& crew) {
  return code_all<DecodeLane<Search>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const DecodeItem& item = items[i];
    lane.emplace(item.symbols, item.count, *item.stream,
                 std::get<typename Search::Format>(item.format), item.rows);
  });
}

// Whether all items can be decoded with a search that not all rows can be.
template <class Search>
bool fits(std::span<const DecodeItem> items) {
  return std::ranges::all_of(items, [](const DecodeItem& item) {
    const auto* format = std::get_if<typename Search::Format>(&item.format);
    return format != nullptr && Search::fits(*format);
  });
}

Report decode_rows(std::span<const DecodeItem> items, Crew& crew) {
#ifdef TORCHAC_HAS_VECTORS
  if (fits<WindowSearch<OneWindow<Integer16>>>(items))
    return decode_with<WindowSearch<OneWindow<Integer16>>>(items, crew);
  if (fits<WindowSearch<OneWindow<Float32>>>(items))
    return decode_with<WindowSearch<OneWindow<Float32>>>(items, crew);
  if (fits<WindowSearch<Windows<Integer16>>>(items))
    return decode_with<WindowSearch<Windows<Integer16>>>(items, crew);
  if (fits<WindowSearch<Windows<Float32>>>(items))
    return decode_with<WindowSearch<Windows<Float32>>>(items, crew);
#endif
  return std::visit(
      [&]<class Format>(const Format&) { return decode_with<RowSearch<Format>>(items, crew); },
      items.front().format);
}

Report decode_tables(std::span<const DecodeItem> items, const Tables& tables, Crew& crew) {
  return code_all<DecodeLane<TableSearch>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const DecodeItem& item = items[i];
    lane.emplace(item.symbols, item.count, *item.stream, tables, *item.rows.index());
  });
}

}  // namespace

Report encode(std::span<EncodeItem> items, Crew& crew) {
  if (items.empty()) return {};
  const Report report = check_tables(items);
  if (!report.ok()) return report;
  const auto tables = prepare_tables(std::span<const EncodeItem>(items));
  return tables ? encode_tables(items, *tables, crew) : encode_rows(items, crew);
}

Report decode(std::span<const DecodeItem> items, Crew& crew) {
  if (items.empty()) return {};
  const auto tables = prepare_tables(items);
  Report report = tables ? decode_tables(items, *tables, crew) : decode_rows(items, crew);
  for (std::size_t i = 0; report.ok() && i < items.size(); ++i) {
    // Where no symbols were asked for, nobody has looked yet whether the stream has its end.
    if (items[i].stream->truncated())
      report = {Problem::kTruncated, static_cast<std::int64_t>(i), items[i].count};
  }
  return report;
}

}  // namespace torchac
