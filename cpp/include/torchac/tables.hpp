// Rows that many symbols share, converted once and arranged for decoding.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"
#include "torchac/words.hpp"

namespace torchac {

// What the quantiles of a bucket are looked up in: the symbol s that the first of them lies in, and
// where s, s + 1 and s + 2 start, in this order from the low bits up. As buckets are narrower than
// most symbols that are met, this nearly always settles it, with one load from memory and no
// branch. Starts are stored less 1, modulo 2^16, which brings kWhole into 16 bits.
template <class Word>
class TableEntry {
 public:
  TORCHAC_INLINE explicit TableEntry(Word bits) : bits_(bits) {}

  [[nodiscard]] TORCHAC_INLINE Word bits() const { return bits_; }

  // All ones if a quantile lies in s + 2 or beyond, else 0.
  [[nodiscard]] TORCHAC_INLINE Word beyond(Word quantile) const {
    return ones_if_greater(quantile, bits_ >> 48);
  }

  // Otherwise all ones if it lies in s + 1, else 0. From here on a shift and no conditional
  // expression, of which compilers make a branch on data.
  [[nodiscard]] TORCHAC_INLINE Word next(Word quantile) const {
    return ones_if_greater(quantile, (bits_ >> 32) & 0xFFFF);
  }
  [[nodiscard]] TORCHAC_INLINE Word symbol(Word next) const { return (bits_ & 0xFFFF) - next; }
  // Of the symbol, where it starts and where it ends.
  [[nodiscard]] TORCHAC_INLINE Word low(Word next) const { return (starts(next) + 1) & 0xFFFF; }
  [[nodiscard]] TORCHAC_INLINE Word high(Word next) const {
    return ((starts(next) >> 16) & 0xFFFF) + 1;
  }

 private:
  [[nodiscard]] TORCHAC_INLINE Word starts(Word next) const { return bits_ >> 16 >> (next & 16); }

  Word bits_;
};

// What prepared tables have in common. A table is its lookup, an entry for each bucket of 2^shift
// neighbouring quantiles, and behind it the converted row.
class TableFormat {
 public:
  TableFormat() = default;
  explicit TableFormat(std::uint32_t symbols) : symbols_(symbols) {
    // A bucket for each symbol.
    const std::uint32_t buckets = std::clamp(std::bit_ceil(symbols), kMinBuckets, kMaxBuckets);
    shift_ = kPrecision - static_cast<std::uint32_t>(std::countr_zero(buckets));
  }

  // Bytes from one table to the next.
  [[nodiscard]] std::size_t size() const {
    return row_offset() + std::size_t{symbols_ + kRowEnd + 3} / 4 * 4 * sizeof(std::uint16_t);
  }

  // Where a table has the entry for a quantile, in bytes.
  template <class Word>
  [[nodiscard]] TORCHAC_INLINE Word entry_offset(Word quantile) const {
    return (quantile >> shift_) * sizeof(std::uint64_t);
  }

  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* table, const Target& target) const {
    const std::uint64_t quantile = target.quantile();
    TableEntry entry(load<std::uint64_t>(table + entry_offset(quantile)));
    if (entry.beyond(quantile) != 0) [[unlikely]]
      entry = find_beyond(*this, table, entry, quantile);
    const std::uint64_t next = entry.next(quantile);
    return {static_cast<std::uint32_t>(entry.symbol(next)),
            {static_cast<std::uint32_t>(entry.low(next)),
             static_cast<std::uint32_t>(entry.high(next))}};
  }

  // An entry that settles it, where one does not.
  [[nodiscard]] TORCHAC_COLD static TableEntry<std::uint64_t> find_beyond(
      TableFormat format, const std::byte* table, TableEntry<std::uint64_t> entry,
      std::uint64_t quantile) {
    std::uint64_t symbol = entry.symbol(0) + 2;
    while (symbol + 1 < format.symbols_ && format.at(table, symbol + 1) <= quantile) ++symbol;
    return TableEntry(format.entry_from(table, symbol));
  }

  // Converts a row into a table of zeros. False if it is not one that increases or stays, or if its
  // first interval is empty and what lies before it is not: such rows have their meaning too, but
  // not by this search, which finds an interval that is not empty for every quantile.
  template <class Value>
  [[nodiscard]] bool prepare(const RowFormat<Value>& format, const std::byte* row,
                             std::byte* table) const {
    if (!format.convert(row, symbols_, table + row_offset()) || !searchable(table)) return false;
    fill_lookup(table);
    return true;
  }

 private:
  // Zeros behind a row, where entries look: the end of the last symbol, kWhole in 16 bits.
  static constexpr std::uint32_t kRowEnd = 4;

  static constexpr std::uint32_t kMinBuckets = 64;
  static constexpr std::uint32_t kMaxBuckets = 4096;

  [[nodiscard]] std::size_t row_offset() const {
    return (std::size_t{kWhole} >> shift_) * sizeof(std::uint64_t);
  }

  [[nodiscard]] std::uint32_t at(const std::byte* table, std::uint64_t j) const {
    return load<std::uint16_t>(table + row_offset() + j * sizeof(std::uint16_t));
  }

  // Whether the converted row is one that `prepare` takes.
  [[nodiscard]] bool searchable(const std::byte* table) const {
    std::uint16_t falls = 0;
    for (std::uint32_t j = 0; j + 1 < symbols_; ++j)
      falls |= at(table, j) > at(table, j + 1) ? std::uint16_t{1} : std::uint16_t{0};
    return falls == 0 && (at(table, 0) == 0 || symbols_ == 1 || at(table, 0) < at(table, 1));
  }

  // An entry that begins with a symbol.
  [[nodiscard]] TORCHAC_INLINE std::uint64_t entry_from(const std::byte* table,
                                                        std::uint64_t symbol) const {
    return symbol | stored_start(table, symbol) << 16 | stored_start(table, symbol + 1) << 32 |
           stored_start(table, symbol + 2) << 48;
  }

  [[nodiscard]] TORCHAC_INLINE std::uint64_t stored_start(const std::byte* table,
                                                          std::uint64_t j) const {
    return static_cast<std::uint16_t>(at(table, j) - 1);
  }

  // Each symbol's entry goes to the first bucket that begins in it or behind it, where a later
  // symbol may replace it, and from there to the buckets that follow and have none.
  void fill_lookup(std::byte* table) const {
    const std::uint32_t buckets = kWhole >> shift_;
    put_entry(table, 0, entry_from(table, 0));  // also for quantiles before it
    for (std::uint32_t symbol = 1; symbol < symbols_; ++symbol) {
      const std::uint32_t bucket = (at(table, symbol) + (1u << shift_) - 1) >> shift_;
      if (bucket == buckets) break;  // like all symbols after it, it begins within the last one
      put_entry(table, bucket, entry_from(table, symbol));
    }
    std::uint64_t entry = 0;  // is none: where the symbol is 0, the start of the next less 1 is not
    for (std::uint32_t bucket = 0; bucket < buckets; ++bucket) {
      const auto here = load<std::uint64_t>(table + bucket * sizeof entry);
      entry = here == 0 ? entry : here;
      put_entry(table, bucket, entry);
    }
  }

  static void put_entry(std::byte* table, std::uint32_t bucket, std::uint64_t entry) {
    std::memcpy(table + bucket * sizeof entry, &entry, sizeof entry);
  }

  std::uint32_t symbols_ = 0;
  std::uint32_t shift_ = 0;
};

// All intervals of tables, for encoding.
class IntervalTables {
 public:
  // Nothing, if a value is not finite.
  template <class Value>
  static std::optional<IntervalTables> prepare(const RowFormat<Value>& format,
                                               const TableView& view, Poll& poll) {
    const std::uint32_t last = format.symbols() - 1;
    IntervalTables tables(format.symbols(), view.count);
    std::vector<std::uint16_t> row(format.symbols());
    std::uint32_t* packed = tables.packed_.data();
    for (std::int64_t k = 0; k < view.count; ++k, packed += format.symbols()) {
      poll.after(format.symbols());
      if (!format.convert(view.first + k * view.stride, format.symbols(),
                          std::as_writable_bytes(std::span(row)).data()))
        return std::nullopt;
      for (std::uint32_t s = 0; s < last; ++s) packed[s] = pack({row[s], row[s + 1]});
      packed[last] = pack({row[last], kWhole});
    }
    return tables;
  }

  // The packed interval of a symbol.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t packed(std::uint32_t table,
                                                    std::uint32_t symbol) const {
    return packed_[std::size_t{table} * symbols_ + symbol];
  }

 private:
  IntervalTables(std::uint32_t symbols, std::int64_t count)
      : symbols_(symbols), packed_(static_cast<std::size_t>(count) * symbols) {}

  std::uint32_t symbols_;
  std::vector<std::uint32_t> packed_;
};

// All tables of a CDF, prepared for decoding.
class Tables {
 public:
  // Preparing a table costs about as much as this number of symbols that are decoded without.
  static constexpr std::int64_t kSymbolsThatPay = 8;

  // Where a table begins is told in units of so many bytes, which brings it into 32 bits.
  static constexpr std::size_t kPlace = sizeof(std::uint64_t);

  // Nothing, if a table cannot be prepared.
  template <class Value>
  static std::optional<Tables> prepare(const RowFormat<Value>& rows, const TableView& view,
                                       Poll& poll) {
    const TableFormat format(rows.symbols());
    if (view.count > std::int64_t{UINT32_MAX} / static_cast<std::int64_t>(format.size() / kPlace))
      return std::nullopt;
    Tables tables(format, view.count);
    std::byte* table = tables.bytes_.data();
    for (std::int64_t k = 0; k < view.count; ++k, table += format.size()) {
      poll.after(rows.symbols());
      if (!format.prepare(rows, view.first + k * view.stride, table)) return std::nullopt;
    }
    return tables;
  }

  [[nodiscard]] const TableFormat& format() const { return format_; }
  [[nodiscard]] const std::byte* data() const { return bytes_.data(); }

  // From one table to the next.
  [[nodiscard]] std::uint32_t size() const {
    return static_cast<std::uint32_t>(format_.size() / kPlace);
  }

 private:
  Tables(TableFormat format, std::int64_t count)
      : format_(format), bytes_(static_cast<std::size_t>(count) * format.size()) {}

  TableFormat format_;
  std::vector<std::byte> bytes_;
};

}  // namespace torchac
