// A stored row of a CDF as a model: the interval of a symbol, and a linear search.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_check.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_value.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

template <CdfValue AnyValue>
class CdfRow {
 public:
  using Value = AnyValue;
  using Stored = typename Value::Stored;
  using Locator = const std::byte*;  // the address of a row's first value
  static constexpr bool kRare = Value::kRare;

  CdfRow() = default;
  // The layout must have this type of value.
  explicit CdfRow(const CdfLayout& cdf)
      : value_(cdf.symbols, cdf.normalize), symbols_(cdf.symbols), stride_(cdf.stride) {}

  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] std::uint32_t symbols() const { return symbols_; }
  [[nodiscard]] std::uint32_t symbols(const std::byte*) const { return symbols_; }
  [[nodiscard]] bool contiguous() const { return stride_ == sizeof(Stored); }
  [[nodiscard]] std::ptrdiff_t stride() const { return stride_; }

  [[nodiscard]] TORCHAC_INLINE Interval interval(const std::byte* row, std::uint32_t symbol) const {
    return {at(row, symbol), symbol + 1 == symbols_ ? kTotalFrequency : at(row, symbol + 1)};
  }

  [[nodiscard]] TORCHAC_COLD Fault why_not_codable(const std::byte* row,
                                                   std::uint32_t symbol) const {
    const Interval bounds = interval(row, symbol);
    if (bounds.low == kNotFinite) return {Problem::kNotFinite, symbol};
    if (bounds.high == kNotFinite) return {Problem::kNotFinite, symbol + 1};
    return {Problem::kInterval, symbol};
  }

  // With two symbols, `find` needs no quantile.
  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
    return symbols_ == 2 ? Target::without_quantile(state) : Target::of<kHasFma>(state);
  }

  // The largest symbol whose interval starts at or before the target, or 0. Long rows are searched
  // by sections.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Target& target) const {
    if (symbols_ == 2) return find_of_two(row, target);
    const std::uint32_t symbol = symbols_ == 1 ? 0 : symbol_at(row, target);
    return {symbol, interval(row, symbol)};
  }

  // Prefetches the bounds of a symbol, which are in one cache line, or at the end of one.
  TORCHAC_INLINE void prefetch(const std::byte* row, std::uint32_t symbol) const {
    prefetch_line(row, static_cast<std::ptrdiff_t>(symbol) * stride_);
    prefetch_line(row, static_cast<std::ptrdiff_t>(symbol + 1) * stride_);
  }

  // Quantizes the first `count` values. False if one is not finite.
  [[nodiscard]] TORCHAC_NOINLINE bool quantize(const std::byte* row, std::uint32_t count,
                                               std::byte* to) const {
    const bool done = contiguous() ? quantize_fast(row, sizeof(Stored), count, to)
                                   : quantize_fast(row, stride_, count, to);
    return done || quantize_slow(row, count, to);
  }

  // The first value that is not finite; the first quantized value less than the one before it; the
  // first fault of any kind.
  [[nodiscard]] TORCHAC_COLD Fault not_finite(const std::byte* row) const {
    return CdfCheck(*this).not_finite(row);
  }
  [[nodiscard]] TORCHAC_NOINLINE Fault decrease(const std::byte* row) const {
    return CdfCheck(*this).decrease(row);
  }
  [[nodiscard]] TORCHAC_NOINLINE Fault check(const std::byte* row) const {
    return CdfCheck(*this).all(row);
  }

  // Value j, as stored and as quantized.
  [[nodiscard]] TORCHAC_INLINE Stored stored(const std::byte* row, std::uint32_t j) const {
    return load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride_);
  }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t at(const std::byte* row, std::uint32_t j) const {
    return value_.quantize(stored(row, j), j);
  }

 private:
  // By docs/format.md: more symbols than kScanned are searched by sections.
  static constexpr std::uint32_t kScanned = 256;
  static constexpr std::uint32_t kSections = 16;
  static constexpr std::ptrdiff_t kRowsAhead = 10;
  static constexpr std::ptrdiff_t kWhole = 4096;  // bytes of the largest row prefetched whole

  // One comparison selects bounds that were read before, without a branch on data.
  [[nodiscard]] TORCHAC_INLINE Found find_of_two(const std::byte* row, const Target& target) const {
    const std::uint32_t first = at(row, 0);
    const std::uint32_t second = at(row, 1);
    const std::uint32_t symbol = target.reaches(second) ? 1 : 0;
    const std::uint32_t all_if_second = 0 - symbol;
    return {symbol,
            {first ^ ((first ^ second) & all_if_second),
             second ^ ((second ^ kTotalFrequency) & all_if_second)}};
  }

  [[nodiscard]] TORCHAC_INLINE std::uint32_t symbol_at(const std::byte* row,
                                                       const Target& target) const {
    const auto quantile = target.quantile();
    if (!contiguous()) return scan_strided(*this, row, quantile);
    if (symbols_ > kScanned) prefetch_row(row);
    return scan(row, quantile, sizeof(Stored));
  }

  // Prefetches a row that is needed soon: all of it, or, if it has many cache lines, those where
  // its sections begin. Processors do not do this themselves, because only parts of a row are read.
  TORCHAC_INLINE void prefetch_row(const std::byte* row) const {
    constexpr std::ptrdiff_t kValue = sizeof(Stored);
    const std::ptrdiff_t size = kValue * (std::ptrdiff_t{symbols_} + 1);
    const std::ptrdiff_t ahead = kRowsAhead * size;
    if (size <= kWhole) return prefetch_bytes(row, ahead, size);
    TORCHAC_UNROLL
    for (std::uint32_t k = 1; k < kSections; ++k)
      prefetch_line<2>(row, ahead + kValue * std::ptrdiff_t{k * symbols_ / kSections});
  }

  [[nodiscard]] TORCHAC_NOINLINE static std::uint32_t scan_strided(CdfRow self,
                                                                   const std::byte* row,
                                                                   std::uint32_t quantile) {
    return self.scan(row, quantile, self.stride_);
  }

  // One or more neighbouring symbols.
  struct Part {
    std::uint32_t first;
    std::uint32_t count;
  };

  // The part of a row to scan. In a long row it is the last section whose first value is reached,
  // or the first section, and so on recursively. The value after a part is never reached, so the
  // interval found there holds the target even in rows that decrease.
  template <class Reaches>
  [[nodiscard]] TORCHAC_INLINE Part part_of(const Reaches& reaches) const {
    Part part{0, symbols_};
    while (part.count > kScanned) {
      std::uint32_t section = 0;
      TORCHAC_UNROLL
      for (std::uint32_t k = 1; k < kSections; ++k)
        section = reaches(part.first + k * part.count / kSections) ? k : section;
      const std::uint32_t begin = section * part.count / kSections;
      part = {part.first + begin, (section + 1) * part.count / kSections - begin};
    }
    return part;
  }

  // Has no branch on data. The stride is a constant if the rows are contiguous, so that the
  // compiler vectorizes the loop.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t scan(const std::byte* row, std::uint32_t quantile,
                                                  std::ptrdiff_t stride) const {
    using Fast = typename Value::Fast;
    using Index = typename Value::Index;
    const auto limit = static_cast<Fast>(quantile);
    Fast all = 0;
    const auto reaches = [&](std::uint32_t j, Index index) {
      const Fast value =
          value_.quantize_fast(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride), index);
      all |= value;
      return value <= limit;
    };
    const Part part = part_of([&](std::uint32_t j) { return reaches(j, static_cast<Index>(j)); });
    const auto first = static_cast<Index>(part.first);
    Index last = first;
    Index index = first;  // j, as wide as the values
    for (std::uint32_t j = part.first; j < part.first + part.count; ++j, ++index)
      last = std::max(last, reaches(j, index) ? index : first);
    return Value::out_of_range(all) ? scan_slow(*this, row, quantile)
                                    : static_cast<std::uint32_t>(last);
  }

  [[nodiscard]] TORCHAC_COLD static std::uint32_t scan_slow(CdfRow self, const std::byte* row,
                                                            std::uint32_t quantile) {
    const auto reaches = [&](std::uint32_t j) { return self.at(row, j) <= quantile; };
    const Part part = self.part_of(reaches);
    std::uint32_t symbol = part.first + part.count - 1;
    while (symbol > part.first && !reaches(symbol)) --symbol;
    return symbol;
  }

  // False if a value is out of range.
  [[nodiscard]] TORCHAC_INLINE bool quantize_fast(const std::byte* row, std::ptrdiff_t stride,
                                                  std::uint32_t count, std::byte* to) const {
    typename Value::Fast all = 0;
    typename Value::Index index = 0;
    for (std::uint32_t j = 0; j < count; ++j, ++index) {
      const auto value =
          value_.quantize_fast(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride), index);
      put(static_cast<std::uint16_t>(value), to, j);
      all |= value;
    }
    return !Value::out_of_range(all);
  }

  [[nodiscard]] TORCHAC_COLD bool quantize_slow(const std::byte* row, std::uint32_t count,
                                                std::byte* to) const {
    for (std::uint32_t j = 0; j < count; ++j) {
      const std::uint32_t value = at(row, j);
      if (value == kNotFinite) return false;
      put(static_cast<std::uint16_t>(value), to, j);
    }
    return true;
  }

  static void put(std::uint16_t value, std::byte* to, std::uint32_t j) {
    std::memcpy(to + j * sizeof value, &value, sizeof value);
  }

  Value value_{};
  std::uint32_t symbols_ = 0;
  std::ptrdiff_t stride_ = 0;
};

static_assert(Model<CdfRow<Integer16>> && PrefetchingModel<CdfRow<Float32>>);

TORCHAC_END_TARGET
