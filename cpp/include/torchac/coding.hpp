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
#include "torchac/lanes.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"
#include "torchac/turns.hpp"
#include "torchac/values.hpp"

namespace torchac {

enum class RowType : std::uint8_t { kInt16, kFloat16, kBFloat16, kFloat32, kFloat64 };

using AnyRowFormat = std::variant<RowFormat<Integer16>, RowFormat<Float16>, RowFormat<BFloat16>,
                                  RowFormat<Float32>, RowFormat<Float64>>;

// `symbols` is kMinSymbols ... kMaxSymbols, `stride` bytes from one value of a row to the next.
inline AnyRowFormat row_format(RowType type, bool normalize, std::int64_t symbols, std::ptrdiff_t stride) {
  switch (type) {
    case RowType::kFloat16: return RowFormat(Float16(symbols, normalize), symbols, stride);
    case RowType::kBFloat16: return RowFormat(BFloat16(symbols, normalize), symbols, stride);
    case RowType::kFloat32: return RowFormat(Float32(symbols, normalize), symbols, stride);
    case RowType::kFloat64: return RowFormat(Float64(symbols, normalize), symbols, stride);
    case RowType::kInt16: break;
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

inline Report encode(std::span<EncodeItem> items, std::size_t threads) {
  if (items.empty()) return {};
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<EncodeLane<Format>>(items.size(), threads, [&](std::size_t i) {
          EncodeItem& item = items[i];
          return EncodeLane<Format>(std::get<Format>(item.format), item.rows, item.symbols, item.count, item.check, *item.stream);
        });
      },
      items.front().format);
}

inline Report decode_rows(std::span<DecodeItem> items, std::size_t threads) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<DecodeLane<Format>>(items.size(), threads, [&](std::size_t i) {
          DecodeItem& item = items[i];
          return DecodeLane<Format>(std::get<Format>(item.format), item.rows, item.symbols, item.count, *item.stream);
        });
      },
      items.front().format);
}

// The tables that all items share, if they do and it pays to prepare them.
inline std::optional<Tables> prepare_tables(std::span<const DecodeItem> items) {
  const std::optional<TableView>& view = items.front().rows.tables();
  std::int64_t symbols = 0;
  for (const DecodeItem& item : items) {
    if (!view || item.rows.tables() != view || item.format != items.front().format) return std::nullopt;
    symbols += item.count;
  }
  if (symbols / Tables::kSymbolsThatPay < view->count) return std::nullopt;
  return std::visit([&](const auto& format) { return Tables::prepare(format, *view); }, items.front().format);
}

inline Report decode(std::span<DecodeItem> items, std::size_t threads) {
  if (items.empty()) return {};
  Report report;
  if (const auto tables = prepare_tables(items)) {
    report = code_all<DecodeLane<TableFormat>>(items.size(), threads, [&](std::size_t i) {
      DecodeItem& item = items[i];
      return DecodeLane<TableFormat>(tables->format(), item.rows.with(tables->view()), item.symbols, item.count, *item.stream);
    });
  } else {
    report = decode_rows(items, threads);
  }
  for (std::size_t i = 0; report.ok() && i < items.size(); ++i) {
    // All symbols may have been decoded, none of them at all, and the end of the stream be missing.
    if (items[i].stream->truncated()) report = {Problem::kTruncated, static_cast<std::int64_t>(i), items[i].count, 0};
  }
  return report;
}

}  // namespace torchac
