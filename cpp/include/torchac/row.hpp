// One row of a CDF: the interval that a symbol has in it, and the symbol that a target lies in.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/report.hpp"
#include "torchac/strided.hpp"
#include "torchac/values.hpp"

namespace torchac {

// What the rows of a CDF have in common. The methods take the address of a row's first value.
template <class Value>
class RowFormat {
 public:
  using Stored = typename Value::Stored;

  RowFormat() = default;
  RowFormat(Value value, std::int64_t symbols, std::ptrdiff_t stride)
      : value_(value), symbols_(static_cast<std::uint32_t>(symbols)), stride_(stride) {}

  bool operator==(const RowFormat&) const = default;

  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] std::uint32_t symbols() const { return symbols_; }
  [[nodiscard]] bool contiguous() const { return stride_ == sizeof(Stored); }

  [[nodiscard]] TORCHAC_INLINE Interval interval(const std::byte* row, std::uint32_t symbol) const {
    return {at(row, symbol), symbol + 1 == symbols_ ? kWhole : at(row, symbol + 1)};
  }

  // What a symbol is searched for. Where there are two, `find` asks for no quantile.
  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderRange<std::uint64_t>& range) const {
    return Target(range, symbols_ != 2);
  }

  // The largest symbol whose interval starts at or before the target, or 0.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Target& target) const {
    if (symbols_ == 2) return find_of_two(row, target);
    const std::uint32_t symbol = symbols_ == 1 ? 0 : symbol_at(row, target);
    return {symbol, interval(row, symbol)};
  }

  // The same, out of the way of a loop that rarely needs it.
  [[nodiscard]] TORCHAC_FOR_AVX2 Found find_apart(const std::byte* row, Target target) const {
    return find(row, target);
  }

  // Converts the first `count` values to integers of 16 bits. False if one is not finite.
  [[nodiscard]] bool convert(const std::byte* row, std::uint32_t count, std::byte* to) const {
    const bool done = contiguous() ? convert_quickly(row, sizeof(Stored), count, to)
                                   : convert_quickly(row, stride_, count, to);
    return done || convert_slowly(row, count, to);
  }

  // The first value that is not finite, if there is one.
  [[nodiscard]] Fault not_finite(const std::byte* row) const {
    for (std::uint32_t j = 0; j <= symbols_; ++j) {
      if (at(row, j) == kNotFinite) return {Problem::kNotFinite, j};
    }
    return {};
  }

  // Asks memory for the bounds of a symbol, which lie in one line of it, or at the end of one.
  TORCHAC_INLINE void prefetch(const std::byte* row, std::uint32_t symbol) const {
    prefetch_line(row, static_cast<std::ptrdiff_t>(symbol) * stride_);
    prefetch_line(row, static_cast<std::ptrdiff_t>(symbol + 1) * stride_);
  }

  // Why the interval of a symbol is not codable.
  [[nodiscard]] TORCHAC_COLD Fault why_not_codable(const std::byte* row,
                                                   std::uint32_t symbol) const {
    const Interval bounds = interval(row, symbol);
    if (bounds.low == kNotFinite) return {Problem::kNotFinite, symbol};
    if (bounds.high == kNotFinite) return {Problem::kNotFinite, symbol + 1};
    return {Problem::kInterval, symbol};
  }

  // The first of the converted values that is less than the one before it. Values that are not
  // finite are passed over.
  [[nodiscard]] Fault decrease(const std::byte* row) const {
    if (cpu_has_avx2() ? rises_for_avx2(row) : rises(row)) return {};
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j < symbols_; ++j) {
      const std::uint32_t converted = at(row, j);
      if (converted == kNotFinite) continue;
      if (converted < before) return {Problem::kDecreasing, j};
      before = converted;
    }
    return {};
  }

  // Checks the whole row: finite, in [0, 1], and not decreasing.
  [[nodiscard]] Fault check(const std::byte* row) const {
    if constexpr (Value::kIsFloat) {
      if (contiguous() ? plainly_good(row, sizeof(Stored)) : plainly_good(row, stride_)) return {};
      return first_fault(row);
    } else {
      return decrease(row);
    }
  }

 private:
  // One comparison decides, and bounds that are read before are chosen by it without a branch on
  // data.
  [[nodiscard]] TORCHAC_INLINE Found find_of_two(const std::byte* row, const Target& target) const {
    const std::uint32_t first = at(row, 0);
    const std::uint32_t second = at(row, 1);
    const std::uint32_t symbol = target.reaches(second) ? 1 : 0;
    const std::uint32_t all_if_second = 0 - symbol;
    return {
        symbol,
        {first ^ ((first ^ second) & all_if_second), second ^ ((second ^ kWhole) & all_if_second)}};
  }

  [[nodiscard]] TORCHAC_INLINE std::uint32_t symbol_at(const std::byte* row,
                                                       const Target& target) const {
    const auto quantile = target.quantile();
    if (!contiguous()) return scan(row, quantile, stride_);
    return scan(row, quantile, sizeof(Stored));
  }

  [[nodiscard]] TORCHAC_INLINE std::uint32_t at(const std::byte* row, std::uint32_t j) const {
    return value_.convert(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride_), j);
  }

  // Reads the row once from front to back, at the speed of memory, without a branch on what it
  // reads. The stride is a constant where the rows are contiguous, so that the compiler makes
  // vector code.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t scan(const std::byte* row, std::uint32_t quantile,
                                                  std::ptrdiff_t stride) const {
    using Quick = typename Value::Quick;
    using Index = typename Value::Index;
    const auto limit = static_cast<Quick>(quantile);
    Quick all = 0;
    Index last = 0;
    Index index = 0;  // j, in as many bits as what it goes with
    for (std::uint32_t j = 0; j < symbols_; ++j, ++index) {
      const Quick value =
          value_.quick(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride), index);
      all |= value;
      last = std::max(last, value <= limit ? index : Index{0});
    }
    return Value::out_of_range(all) ? scan_slowly(*this, row, quantile)
                                    : static_cast<std::uint32_t>(last);
  }

  [[nodiscard]] TORCHAC_COLD static std::uint32_t scan_slowly(RowFormat format,
                                                              const std::byte* row,
                                                              std::uint32_t quantile) {
    std::uint32_t symbol = format.symbols_ - 1;
    while (symbol > 0 && format.at(row, symbol) > quantile) --symbol;
    return symbol;
  }

  // False if a value is out of range.
  [[nodiscard]] TORCHAC_INLINE bool convert_quickly(const std::byte* row, std::ptrdiff_t stride,
                                                    std::uint32_t count, std::byte* to) const {
    typename Value::Quick all = 0;
    typename Value::Index index = 0;
    for (std::uint32_t j = 0; j < count; ++j, ++index) {
      const auto value =
          value_.quick(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride), index);
      put(static_cast<std::uint16_t>(value), to, j);
      all |= value;
    }
    return !Value::out_of_range(all);
  }

  [[nodiscard]] TORCHAC_COLD bool convert_slowly(const std::byte* row, std::uint32_t count,
                                                 std::byte* to) const {
    for (std::uint32_t j = 0; j < count; ++j) {
      if (at(row, j) == kNotFinite) return false;
      put(static_cast<std::uint16_t>(at(row, j)), to, j);
    }
    return true;
  }

  static void put(std::uint16_t value, std::byte* to, std::uint32_t j) {
    std::memcpy(to + j * sizeof value, &value, sizeof value);
  }

  [[nodiscard]] auto real(const std::byte* row, std::uint32_t j) const {
    return Value::real(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride_));
  }

  // Whether the converted values do not decrease, where all are in range.
  [[nodiscard]] TORCHAC_INLINE bool rises(const std::byte* row) const {
    return contiguous() ? plainly_rises(row, sizeof(Stored)) : plainly_rises(row, stride_);
  }

  [[nodiscard]] TORCHAC_FOR_AVX2 bool rises_for_avx2(const std::byte* row) const {
    return rises(row);
  }

  [[nodiscard]] TORCHAC_INLINE bool plainly_rises(const std::byte* row,
                                                  std::ptrdiff_t stride) const {
    using Index = typename Value::Index;
    const auto converted = [&](std::uint32_t j) {
      return value_.quick(load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride),
                          static_cast<Index>(j));
    };
    typename Value::Quick all = converted(0);
    unsigned falls = 0;
    for (std::uint32_t j = 1; j < symbols_; ++j) {
      all |= converted(j);
      falls |= converted(j) < converted(j - 1);
    }
    return falls == 0 && !Value::out_of_range(all);
  }

  // Whether the values as they are do not decrease and begin and end within [0, 1]: then the
  // converted ones do not decrease either, unless one below the last is rounded up to 1 (without
  // normalization) and wraps. Comparisons with NaN are false.
  [[nodiscard]] TORCHAC_INLINE bool plainly_good(const std::byte* row,
                                                 std::ptrdiff_t stride) const {
    unsigned bad = 0;
    for (std::uint32_t j = 0; j < symbols_; ++j) {
      const auto* value = row + static_cast<std::ptrdiff_t>(j) * stride;
      bad |= !(Value::real(load<Stored>(value)) <= Value::real(load<Stored>(value + stride)));
    }
    return bad == 0 && real(row, 0) >= 0 && real(row, symbols_) <= 1 &&
           !Value::out_of_range(
               value_.quick(load<Stored>(row + static_cast<std::ptrdiff_t>(symbols_ - 1) * stride),
                            static_cast<typename Value::Index>(symbols_ - 1)));
  }

  [[nodiscard]] Fault first_fault(const std::byte* row) const {
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j <= symbols_; ++j) {
      const auto value = real(row, j);
      if (!std::isfinite(value)) return {Problem::kNotFinite, j};
      if (!(value >= 0 && value <= 1)) return {Problem::kOutOfBounds, j};
      const std::uint32_t converted = j == symbols_ ? kWhole : at(row, j);
      if (converted < before) return {Problem::kDecreasing, j};
      before = converted;
    }
    return {};
  }

  Value value_{};
  std::uint32_t symbols_ = 0;
  std::ptrdiff_t stride_ = 0;
};

}  // namespace torchac
