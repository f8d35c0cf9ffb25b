// The layout of decode lookup tables (LUTs): entries, making, and locators.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/coder/interval.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/word.hpp"

namespace torchac {

// The entry for the quantiles of a bucket: the symbol s of the first quantile, and the starts of s,
// s + 1 and s + 2, in this order from the low bits up. Most decoded symbols are wider than a
// bucket, so an entry nearly always has the result, with one load from memory and no branch. Starts
// are stored minus 1, modulo 2^16, so that kTotalFrequency fits 16 bits.
template <class Word>
class LutEntry {
 public:
  TORCHAC_INLINE explicit LutEntry(const Word& bits) : bits_(bits) {}

  [[nodiscard]] TORCHAC_INLINE Word bits() const { return bits_; }

  // All ones if a quantile is in s + 2 or beyond, else 0.
  [[nodiscard]] TORCHAC_INLINE Word is_miss(const Word& quantile) const {
    return ones_if_greater(quantile, bits_ >> 48);
  }

  // Otherwise all ones if it is in s + 1, else 0. From here on, shifts replace conditional
  // expressions, which compilers turn into branches on data.
  [[nodiscard]] TORCHAC_INLINE Word second_mask(const Word& quantile) const {
    return ones_if_greater(quantile, (bits_ >> 32) & 0xFFFF);
  }
  [[nodiscard]] TORCHAC_INLINE Word symbol(const Word& second) const {
    return (bits_ & 0xFFFF) - second;
  }
  // The start and the end of the symbol.
  [[nodiscard]] TORCHAC_INLINE Word low(const Word& second) const {
    return (starts(second) + 1) & 0xFFFF;
  }
  [[nodiscard]] TORCHAC_INLINE Word high(const Word& second) const {
    return ((starts(second) >> 16) & 0xFFFF) + 1;
  }

 private:
  [[nodiscard]] TORCHAC_INLINE Word starts(const Word& second) const {
    return bits_ >> 16 >> (second & 16);
  }

  Word bits_;
};

// The offset of a table in bytes, with the size of its buckets as a shift in the lowest bits. A
// processor that shifts by the lowest bits of a register needs no instruction to extract it.
template <class Word>
class LutLocator {
 public:
  static constexpr std::uint32_t kShiftMask = 63;
  // Tables begin at multiples of this many bytes, at offsets that fit 32 bits.
  static constexpr std::size_t kUnit = kShiftMask + 1;
  static constexpr std::size_t kMaxBytes = UINT32_MAX - kShiftMask;

  TORCHAC_INLINE explicit LutLocator(const Word& bits) : bits_(bits) {}

  [[nodiscard]] TORCHAC_INLINE Word shift() const { return bits_ & kShiftMask; }
  [[nodiscard]] TORCHAC_INLINE Word table() const { return bits_ & ~std::uint64_t{kShiftMask}; }
  [[nodiscard]] TORCHAC_INLINE Word entry(const Word& quantile) const {
    return table() + (quantile >> shift()) * sizeof(std::uint64_t);
  }

 private:
  Word bits_;
};

// A table has an entry for each bucket of 2^shift neighbouring quantiles, followed by the number of
// the last symbol and the quantized row.
class LutLayout {
 public:
  // The layout for rows of `symbols` symbols, with about a bucket for each.
  [[nodiscard]] static LutLayout of(std::uint32_t symbols) {
    const std::uint32_t buckets = std::clamp(std::bit_ceil(symbols), kMinBuckets, kMaxBuckets);
    return LutLayout(kPrecision - static_cast<std::uint32_t>(std::countr_zero(buckets)));
  }

  [[nodiscard]] std::uint32_t buckets() const { return kTotalFrequency >> shift_; }

  // The size of a table of `symbols` symbols in bytes.
  [[nodiscard]] std::size_t size(std::uint32_t symbols) const {
    const std::size_t bytes = row_offset() + (symbols + kRowEnd) * sizeof(std::uint16_t);
    return (bytes + kUnit - 1) / kUnit * kUnit;
  }

  // Bytes from the beginning of a table to its row.
  [[nodiscard]] std::size_t row_offset() const { return last_offset() + sizeof(std::uint64_t); }

  // The locator of a table `offset` bytes after the first one, at most LutLocator::kMaxBytes.
  [[nodiscard]] std::uint32_t locator(std::size_t offset) const {
    return static_cast<std::uint32_t>(offset) | shift_;
  }

  // The right entry for a quantile that misses.
  [[nodiscard]] TORCHAC_COLD static LutEntry<std::uint64_t> find_slow(const std::byte* tables,
                                                                      std::uint64_t locator,
                                                                      std::uint64_t bits,
                                                                      std::uint64_t quantile) {
    const LutLocator<std::uint64_t> at(locator);
    const LutLayout self(static_cast<std::uint32_t>(at.shift()));
    const std::byte* table = tables + at.table();
    const auto last = load<std::uint32_t>(table + self.last_offset());
    std::uint64_t symbol = LutEntry<std::uint64_t>(bits).symbol(0) + 2;
    while (symbol < last && self.at(table, symbol + 1) <= quantile) ++symbol;
    return LutEntry<std::uint64_t>(self.entry_from(table, symbol));
  }

  // Makes the entries of a table from its row of `symbols` symbols. False if the row is not
  // monotone, or if its first interval is empty but there are quantiles before it: such rows are
  // valid too, but not for this search, which finds a nonempty interval for every quantile. Each
  // symbol's entry goes to the first bucket that begins in or after the symbol, where a later
  // symbol may replace it, and is then copied to the empty buckets that follow.
  [[nodiscard]] TORCHAC_NOINLINE bool fill(std::byte* table, std::uint32_t symbols) const {
    if (!searchable(table, symbols)) return false;
    const std::uint32_t last = symbols - 1;
    std::memcpy(table + last_offset(), &last, sizeof last);
    const std::uint32_t buckets = this->buckets();
    put_entry(table, 0, entry_from(table, 0));  // also for quantiles before it
    for (std::uint32_t symbol = 1; symbol < symbols; ++symbol) {
      const std::uint32_t bucket = (at(table, symbol) + (1u << shift_) - 1) >> shift_;
      if (bucket == buckets) break;  // this symbol and all after it begin within the last bucket
      put_entry(table, bucket, entry_from(table, symbol));
    }
    std::uint64_t entry = 0;  // not an entry: with symbol 0, the start of the next symbol is not 1
    for (std::uint32_t bucket = 0; bucket < buckets; ++bucket) {
      const auto here = load<std::uint64_t>(table + bucket * sizeof entry);
      entry = here == 0 ? entry : here;
      put_entry(table, bucket, entry);
    }
    return true;
  }

 private:
  static constexpr std::size_t kUnit = LutLocator<std::uint64_t>::kUnit;
  // Zeros after a row, which entries read: the end of the last symbol, kTotalFrequency in 16 bits.
  static constexpr std::size_t kRowEnd = 3;

  static constexpr std::uint32_t kMinBuckets = 64;
  static constexpr std::uint32_t kMaxBuckets = 4096;

  explicit LutLayout(std::uint32_t shift) : shift_(shift) {}

  [[nodiscard]] std::size_t last_offset() const {
    return std::size_t{buckets()} * sizeof(std::uint64_t);
  }

  [[nodiscard]] std::uint32_t at(const std::byte* table, std::uint64_t j) const {
    return load<std::uint16_t>(table + row_offset() + j * sizeof(std::uint16_t));
  }

  [[nodiscard]] bool searchable(const std::byte* table, std::uint32_t symbols) const {
    std::uint16_t falls = 0;
    for (std::uint32_t j = 0; j + 1 < symbols; ++j)
      falls |= at(table, j) > at(table, j + 1) ? std::uint16_t{1} : std::uint16_t{0};
    return falls == 0 && (at(table, 0) == 0 || symbols == 1 || at(table, 0) < at(table, 1));
  }

  // An entry that begins with a symbol.
  [[nodiscard]] std::uint64_t entry_from(const std::byte* table, std::uint64_t symbol) const {
    return symbol | stored_start(table, symbol) << 16 | stored_start(table, symbol + 1) << 32 |
           stored_start(table, symbol + 2) << 48;
  }

  [[nodiscard]] std::uint64_t stored_start(const std::byte* table, std::uint64_t j) const {
    return static_cast<std::uint16_t>(at(table, j) - 1);
  }

  static void put_entry(std::byte* table, std::uint32_t bucket, std::uint64_t entry) {
    std::memcpy(table + bucket * sizeof entry, &entry, sizeof entry);
  }

  std::uint32_t shift_;
};

}  // namespace torchac
