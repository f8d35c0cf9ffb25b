// What the core offers: encode and decode streams, one or many, with rows of any kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/intervals.hpp"
#include "torchac/lanes.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/searches.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"
#include "torchac/turns.hpp"
#include "torchac/values.hpp"

namespace torchac {

enum class RowType : std::uint8_t { kInt16, kFloat16, kBFloat16, kFloat32, kFloat64 };

using AnyRowFormat = std::variant<RowFormat<Integer16>, RowFormat<Float16>, RowFormat<BFloat16>,
                                  RowFormat<Float32>, RowFormat<Float64>>;

// `symbols` is kMinSymbols ... kMaxSymbols, `stride` bytes from one value of a row to the next.
inline AnyRowFormat row_format(RowType type, bool normalize, std::int64_t symbols,
                               std::ptrdiff_t stride) {
  switch (type) {
    case RowType::kFloat16:
      return RowFormat(Float16(symbols, normalize), symbols, stride);
    case RowType::kBFloat16:
      return RowFormat(BFloat16(symbols, normalize), symbols, stride);
    case RowType::kFloat32:
      return RowFormat(Float32(symbols, normalize), symbols, stride);
    case RowType::kFloat64:
      return RowFormat(Float64(symbols, normalize), symbols, stride);
    case RowType::kInt16:
      break;
  }
  return RowFormat(Integer16{}, symbols, stride);
}

// Streams to encode and to decode. What is coded together has rows of one type.
struct EncodeItem {
  AnyRowFormat format;
  Rows rows;
  Integers symbols;
  std::int64_t count;
  bool check;
  EncodedStream* stream;
};

struct DecodeItem {
  AnyRowFormat format;
  Rows rows;
  std::int16_t* symbols;
  std::int64_t count;
  Decoder* stream;
};

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
inline Report check_tables(std::span<EncodeItem> items) {
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
inline std::optional<IntervalTables> prepare_tables(std::span<const EncodeItem> items) {
  const auto shared = shared_tables(items);
  if (!shared) return std::nullopt;
  return std::visit(
      [&](const auto& format) -> std::optional<IntervalTables> {
        if (shared->symbols / format.symbols() < shared->view.count) return std::nullopt;
        return IntervalTables::prepare(format, shared->view);
      },
      items.front().format);
}

inline Report encode_rows(std::span<const EncodeItem> items, std::size_t threads) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<EncodeLane<RowIntervals<Format>>>(
            items.size(), threads, [&](std::size_t i) {
              const EncodeItem& item = items[i];
              return EncodeLane(
                  RowIntervals(std::get<Format>(item.format), item.rows, item.symbols, item.check),
                  item.count, *item.stream);
            });
      },
      items.front().format);
}

inline Report encode_tables(std::span<const EncodeItem> items, const IntervalTables& tables,
                            std::size_t threads) {
  return code_all<EncodeLane<TableIntervals>>(items.size(), threads, [&](std::size_t i) {
    const EncodeItem& item = items[i];
    return EncodeLane(TableIntervals(tables, *item.rows.index(), item.symbols), item.count,
                      *item.stream);
  });
}

// Encodes the items' symbols at the ends of their streams.
inline Report encode(std::span<EncodeItem> items, std::size_t threads) {
  if (items.empty()) return {};
  const Report report = check_tables(items);
  if (!report.ok()) return report;
  const auto tables = prepare_tables(std::span<const EncodeItem>(items));
  return tables ? encode_tables(items, *tables, threads) : encode_rows(items, threads);
}

// The shared tables, prepared, if there are enough symbols for it to pay.
inline std::optional<Tables> prepare_tables(std::span<const DecodeItem> items) {
  const auto shared = shared_tables(items);
  if (!shared || shared->symbols / Tables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return std::visit([&](const auto& format) { return Tables::prepare(format, shared->view); },
                    items.front().format);
}

inline Report decode_rows(std::span<const DecodeItem> items, std::size_t threads) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<DecodeLane<RowSearch<Format>>>(items.size(), threads, [&](std::size_t i) {
          const DecodeItem& item = items[i];
          return DecodeLane(RowSearch(std::get<Format>(item.format), item.rows), item.symbols,
                            item.count, *item.stream);
        });
      },
      items.front().format);
}

inline Report decode_tables(std::span<const DecodeItem> items, const Tables& tables,
                            std::size_t threads) {
  return code_all<DecodeLane<TableSearch>>(items.size(), threads, [&](std::size_t i) {
    const DecodeItem& item = items[i];
    return DecodeLane(TableSearch(tables, *item.rows.index()), item.symbols, item.count,
                      *item.stream);
  });
}

// Decodes the items' symbols from where their streams stand.
inline Report decode(std::span<const DecodeItem> items, std::size_t threads) {
  if (items.empty()) return {};
  const auto tables = prepare_tables(items);
  Report report = tables ? decode_tables(items, *tables, threads) : decode_rows(items, threads);
  for (std::size_t i = 0; report.ok() && i < items.size(); ++i) {
    // Where no symbols were asked for, nobody has looked yet whether the stream has its end.
    if (items[i].stream->truncated())
      report = {Problem::kTruncated, static_cast<std::int64_t>(i), items[i].count};
  }
  return report;
}

}  // namespace torchac
