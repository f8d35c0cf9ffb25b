// Rows that many symbols share, converted once and arranged for decoding.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace torchac {

// What prepared tables have in common. A table is its lookup, an entry for each bucket of 2^shift
// neighbouring quantiles, and behind it the converted row.
//
// An entry tells for the first quantile of its bucket the symbol s that it lies in, and where s,
// s + 1 and s + 2 start, in this order from the low bits up. As buckets are narrower than most
// symbols that are met, this nearly always settles it, with one load from memory and no branch.
// Starts are stored less 1, modulo 2^16, which brings kWhole into 16 bits.
class TableFormat {
 public:
  TableFormat() = default;
  explicit TableFormat(std::int64_t symbols) : symbols_(static_cast<std::uint32_t>(symbols)) {
    const std::uint32_t buckets =
        std::clamp(std::bit_ceil(kBucketsPerSymbol * symbols_), kMinBuckets, kMaxBuckets);
    shift_ = kPrecision - static_cast<std::uint32_t>(std::countr_zero(buckets));
  }

  // Bytes from one table to the next.
  [[nodiscard]] std::size_t size() const {
    return row_offset() + (symbols_ + 3) / 4 * 4 * sizeof(std::uint16_t);
  }

  [[nodiscard]] Interval interval(const std::byte* table, std::uint32_t symbol) const {
    return {at(table, symbol), symbol + 1 == symbols_ ? kWhole : at(table, symbol + 1)};
  }

  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* table, Target target) const {
    const std::uint32_t quantile = target.quantile();
    const auto entry =
        load<std::uint64_t>(table + std::size_t{quantile >> shift_} * sizeof(std::uint64_t));
    const auto symbol = static_cast<std::uint32_t>(entry & 0xFFFF);
    if (quantile > entry >> 48) [[unlikely]]
      return find_from(table, symbol + 2, quantile);
    // A shift and no conditional expression, of which compilers make a branch on data.
    const auto is_next = static_cast<std::uint32_t>(quantile > (entry >> 32 & 0xFFFF));
    const auto bounds = static_cast<std::uint32_t>(entry >> 16 >> (16 * is_next));
    return {symbol + is_next, {(bounds + 1) & 0xFFFF, (bounds >> 16) + 1}};
  }

  [[nodiscard]] Fault why_not_codable(const std::byte*, std::uint32_t symbol) const {
    return {Problem::kInterval, symbol};
  }

  // Converts a row into a table of zeros. False if it is none that increases or stays: such
  // a row has its meaning too, but not by this search.
  template <class Value>
  [[nodiscard]] bool prepare(const RowFormat<Value>& format, const std::byte* row,
                             std::byte* table) const {
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j < symbols_; ++j) {
      const std::uint32_t value = format.interval(row, j).low;
      if (value < before || value == kNotFinite) return false;
      const auto stored = static_cast<std::uint16_t>(value);
      std::memcpy(table + row_offset() + j * sizeof stored, &stored, sizeof stored);
      before = value;
    }
    fill_lookup(table);
    return true;
  }

 private:
  static constexpr std::uint32_t kBucketsPerSymbol = 1;
  static constexpr std::uint32_t kMinBuckets = 64;
  static constexpr std::uint32_t kMaxBuckets = 4096;

  [[nodiscard]] std::size_t row_offset() const {
    return (std::size_t{kWhole} >> shift_) * sizeof(std::uint64_t);
  }

  [[nodiscard]] std::uint32_t at(const std::byte* table, std::uint32_t j) const {
    return load<std::uint16_t>(table + row_offset() + j * sizeof(std::uint16_t));
  }

  [[nodiscard]] TORCHAC_COLD Found find_from(const std::byte* table, std::uint32_t symbol,
                                             std::uint32_t quantile) const {
    while (symbol + 1 < symbols_ && at(table, symbol + 1) <= quantile) ++symbol;
    return {symbol, interval(table, symbol)};
  }

  void fill_lookup(std::byte* table) const {
    const auto start = [&](std::uint32_t j) {
      return std::uint64_t{(j < symbols_ ? at(table, j) - 1 : kWhole - 1) & 0xFFFF};
    };
    std::uint32_t symbol = 0;
    for (std::uint32_t quantile = 0; quantile < kWhole; quantile += 1u << shift_) {
      while (symbol + 1 < symbols_ && at(table, symbol + 1) <= quantile) ++symbol;
      const std::uint64_t entry =
          symbol | start(symbol) << 16 | start(symbol + 1) << 32 | start(symbol + 2) << 48;
      std::memcpy(table + std::size_t{quantile >> shift_} * sizeof entry, &entry, sizeof entry);
    }
  }

  std::uint32_t symbols_ = 0;
  std::uint32_t shift_ = 0;
};

// Tables as rows of 16-bit integers, for encoding. Nothing, if a value is not finite.
template <class Value>
std::optional<std::vector<std::uint16_t>> convert_tables(const RowFormat<Value>& format,
                                                         const TableView& view) {
  std::vector<std::uint16_t> values;
  values.reserve(static_cast<std::size_t>(view.count) * (format.symbols() + 1));
  for (std::int64_t k = 0; k < view.count; ++k) {
    for (std::uint32_t j = 0; j < format.symbols(); ++j) {
      const std::uint32_t value = format.interval(view.first + k * view.stride, j).low;
      if (value == kNotFinite) return std::nullopt;
      values.push_back(static_cast<std::uint16_t>(value));
    }
    values.push_back(0);
  }
  return values;
}

// All tables of a CDF, prepared for decoding.
class Tables {
 public:
  // Preparing a table costs about as much as this number of symbols that are decoded without.
  static constexpr std::int64_t kSymbolsThatPay = 8;

  // Nothing, if one of the tables decreases somewhere or is not finite.
  template <class Value>
  static std::optional<Tables> prepare(const RowFormat<Value>& rows, const TableView& view) {
    Tables tables(TableFormat(rows.symbols()), view.count);
    std::byte* table = tables.bytes_.data();
    for (std::int64_t k = 0; k < view.count; ++k, table += tables.format_.size()) {
      if (!tables.format_.prepare(rows, view.first + k * view.stride, table)) return std::nullopt;
    }
    return tables;
  }

  [[nodiscard]] const TableFormat& format() const { return format_; }

  [[nodiscard]] TableView view() const {
    return {bytes_.data(), static_cast<std::int64_t>(format_.size()),
            static_cast<std::int64_t>(bytes_.size() / format_.size())};
  }

 private:
  Tables(TableFormat format, std::int64_t count)
      : format_(format), bytes_(static_cast<std::size_t>(count) * format.size()) {}

  TableFormat format_;
  std::vector<std::byte> bytes_;
};

}  // namespace torchac
