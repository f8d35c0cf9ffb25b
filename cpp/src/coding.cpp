#include "torchac/coding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "torchac/checks.hpp"
#include "torchac/crew.hpp"
#include "torchac/interval.hpp"
#include "torchac/intervals.hpp"
#include "torchac/lanes.hpp"
#include "torchac/one_window.hpp"
#include "torchac/poll.hpp"
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

// The shared tables' intervals, if there are more symbols than intervals to prepare.
template <class Item>
std::optional<IntervalTables> interval_tables(std::span<const Item> items, Poll& poll) {
  const auto shared = shared_tables(items);
  if (!shared) return std::nullopt;
  return std::visit(
      [&](const auto& format) -> std::optional<IntervalTables> {
        if (shared->symbols / format.symbols() < shared->view.count) return std::nullopt;
        return IntervalTables::prepare(format, shared->view, poll);
      },
      items.front().format);
}

Report encode_rows(std::span<const EncodeItem> items, Check check, Crew& crew) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<EncodeLane<RowIntervals<Format>>>(
            items.size(), crew, [&](auto& lane, std::size_t i) {
              const EncodeItem& item = items[i];
              // Tables were checked as a whole.
              const bool check_rows = check == Check::kAll && !item.rows.tables();
              lane.emplace(item.count, *item.stream, std::get<Format>(item.format), item.rows,
                           item.symbols, check_rows);
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
std::optional<Tables> lookup_tables(std::span<const DecodeItem> items, Poll& poll) {
  const auto shared = shared_tables(items);
  if (!shared || shared->symbols / Tables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return std::visit([&](const auto& format) { return Tables::prepare(format, shared->view, poll); },
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

// The cost of the symbols that a source has intervals of.
template <class Intervals>
Report measure_all(Intervals& intervals, const MeasureItem& item, Poll& poll) {
  const double* bits = costs().data();
  for (std::int64_t done = 0; done < item.count;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(item.count - done, kBlock));
    const Readable readable = intervals.read(count);
    const auto view = intervals.view(0);
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Interval interval = view.interval(i);
      if constexpr (!Intervals::kIsChecked) {
        if (!interval.codable()) [[unlikely]] {
          const Fault fault = intervals.why_not_codable(i);
          return {fault.problem, 0, done + static_cast<std::int64_t>(i), fault.column};
        }
      }
      item.bits[done + static_cast<std::int64_t>(i)] = bits[interval.high - interval.low];
    }
    done += static_cast<std::int64_t>(readable.count);
    if (readable.count < count) return {readable.fault.problem, 0, done, readable.fault.column};
    poll.after(count);
  }
  return {};
}

}  // namespace

Report encode(std::span<const EncodeItem> items, Check check, Crew& crew) {
  if (items.empty()) return {};
  const Report report = RowChecks(items, check, crew.poll()).run();
  if (!report.ok()) return report;
  const auto tables = interval_tables(items, crew.poll());
  return tables ? encode_tables(items, *tables, crew) : encode_rows(items, check, crew);
}

Report decode(std::span<const DecodeItem> items, Check check, Crew& crew) {
  if (items.empty()) return {};
  const Report report = RowChecks(items, check, crew.poll()).run();
  if (!report.ok()) return report;
  const auto tables = lookup_tables(items, crew.poll());
  return tables ? decode_tables(items, *tables, crew) : decode_rows(items, crew);
}

std::span<const double> costs() {
  static const std::vector<double> bits = [] {
    std::vector<double> result(kWhole + 1);
    for (std::uint32_t width = 1; width <= kWhole; ++width)
      result[width] = kPrecision - std::log2(static_cast<double>(width));
    return result;
  }();
  return bits;
}

Report measure(const MeasureItem& item, Check check, Poll& poll) {
  const std::span<const MeasureItem> items(&item, 1);
  const Report report = RowChecks(items, check, poll).run();
  if (!report.ok() || item.count == 0) return report;
  if (const auto tables = interval_tables(items, poll)) {
    TableIntervals intervals(*tables, *item.rows.index(), item.symbols);
    return measure_all(intervals, item, poll);
  }
  return std::visit(
      [&](const auto& format) {
        RowIntervals intervals(format, item.rows, item.symbols, false);
        return measure_all(intervals, item, poll);
      },
      item.format);
}

Report quantize(const QuantizeItem& item, Poll& poll) {
  return std::visit(
      [&](const auto& format) -> Report {
        const std::uint32_t values = format.symbols() + 1;
        Rows rows = item.rows;
        std::array<const std::byte*, kBlock> block;
        std::byte* to = item.values;
        for (std::int64_t done = 0; done < item.count;) {
          const auto count =
              static_cast<std::size_t>(std::min<std::int64_t>(item.count - done, kBlock));
          rows.read(count, block.data());
          for (std::size_t i = 0; i < count; ++i, to += values * sizeof(std::uint16_t)) {
            if (!format.convert(block[i], values, to)) [[unlikely]]
              return {Problem::kNotFinite, 0, done + static_cast<std::int64_t>(i),
                      format.not_finite(block[i]).column};
            poll.after(values);
          }
          done += static_cast<std::int64_t>(count);
        }
        return {};
      },
      item.format);
}

}  // namespace torchac
