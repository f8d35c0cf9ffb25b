// Shared rows as a model for encoding: a lookup table (LUT) of all their intervals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "torchac/arrays/rows.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

class EncodeLut {
 public:
  using Locator = std::uint32_t;  // the number of a table's first interval

  EncodeLut() = default;
  EncodeLut(const std::uint32_t* packed, std::uint32_t symbols)
      : packed_(packed), symbols_(symbols) {}

  [[nodiscard]] std::uint32_t symbols(std::uint32_t) const { return symbols_; }

  [[nodiscard]] TORCHAC_INLINE std::uint32_t packed_interval(std::uint32_t at,
                                                             std::uint32_t symbol) const {
    return packed_[std::size_t{at} + symbol];
  }

  [[nodiscard]] TORCHAC_INLINE Interval interval(std::uint32_t at, std::uint32_t symbol) const {
    const std::uint32_t packed = packed_interval(at, symbol);
    return {packed_low(packed), packed_high(packed)};
  }

  // A table's values are all finite.
  [[nodiscard]] Fault why_not_codable(std::uint32_t, std::uint32_t symbol) const {
    return {Problem::kInterval, symbol};
  }

 private:
  const std::uint32_t* packed_ = nullptr;
  std::uint32_t symbols_ = 0;
};

static_assert(PackedModel<EncodeLut>);

// The tables of shared rows.
class EncodeTables {
 public:
  // Returns nothing if a value is not finite, or there are more intervals than locators.
  template <class Value>
  static std::optional<EncodeTables> prepare(const CdfRow<Value>& cdf, const TableView& view,
                                             Poll& poll) {
    if (view.count > std::int64_t{UINT32_MAX} / cdf.symbols()) return std::nullopt;
    const std::uint32_t last = cdf.symbols() - 1;
    EncodeTables tables(cdf.symbols(), view.count);
    std::vector<std::uint16_t> row(cdf.symbols());
    std::uint32_t* packed = tables.packed_.data();
    for (std::int64_t k = 0; k < view.count; ++k, packed += cdf.symbols()) {
      poll.after(cdf.symbols());
      if (!cdf.quantize(view.row(k), cdf.symbols(), std::as_writable_bytes(std::span(row)).data()))
        return std::nullopt;
      for (std::uint32_t s = 0; s < last; ++s) packed[s] = pack_interval({row[s], row[s + 1]});
      packed[last] = pack_interval({row[last], kTotalFrequency});
    }
    return tables;
  }

  [[nodiscard]] EncodeLut model() const { return {packed_.data(), symbols_}; }

  // The difference between the locators of two neighbouring tables.
  [[nodiscard]] std::uint32_t step() const { return symbols_; }

 private:
  EncodeTables(std::uint32_t symbols, std::int64_t count)
      : symbols_(symbols), packed_(static_cast<std::size_t>(count) * symbols) {}

  std::uint32_t symbols_;
  std::vector<std::uint32_t> packed_;
};

TORCHAC_END_TARGET
