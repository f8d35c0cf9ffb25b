// Shared rows as a model for decoding: a lookup table (LUT) made of each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/arrays/rows.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/lut_layout.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

class DecodeLut {
 public:
  using Locator = std::uint32_t;  // where a table begins, in units of LutLayout::kOffsetUnit

  DecodeLut() = default;
  DecodeLut(LutLayout layout, const std::byte* tables) : layout_(layout), tables_(tables) {}

  [[nodiscard]] const LutLayout& layout() const { return layout_; }
  [[nodiscard]] const std::byte* tables() const { return tables_; }

  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
    return Target::of<kHasFma>(state);
  }

  [[nodiscard]] TORCHAC_INLINE Found find(std::uint32_t at, const Target& target) const {
    const std::byte* table = tables_ + std::size_t{at} * LutLayout::kOffsetUnit;
    const std::uint64_t quantile = target.quantile();
    LutEntry entry(load<std::uint64_t>(table + layout_.entry_offset(quantile)));
    if (entry.is_miss(quantile) != 0) [[unlikely]]
      entry = LutLayout::find_slow(layout_, table, entry.bits(), quantile);
    const std::uint64_t second = entry.second_mask(quantile);
    return {static_cast<std::uint32_t>(entry.symbol(second)),
            {static_cast<std::uint32_t>(entry.low(second)),
             static_cast<std::uint32_t>(entry.high(second))}};
  }

  // A table's values are all finite.
  [[nodiscard]] Fault why_not_codable(std::uint32_t, std::uint32_t symbol) const {
    return {Problem::kInterval, symbol};
  }

 private:
  LutLayout layout_;
  const std::byte* tables_ = nullptr;
};

static_assert(DecodeModel<DecodeLut>);

// The tables of shared rows.
class DecodeTables {
 public:
  // To make a table takes about as long as to decode this number of symbols without.
  static constexpr std::int64_t kSymbolsThatPay = 8;

  // Nothing, if a row has no table.
  template <class Value>
  static std::optional<DecodeTables> prepare(const CdfRow<Value>& cdf, const TableView& view,
                                             Poll& poll) {
    const LutLayout layout(cdf.symbols());
    if (view.count > std::int64_t{UINT32_MAX} / static_cast<std::int64_t>(step(layout)))
      return std::nullopt;
    DecodeTables tables(layout, view.count);
    std::byte* table = tables.bytes_.data();
    for (std::int64_t k = 0; k < view.count; ++k, table += layout.size()) {
      poll.after(cdf.symbols());
      if (!cdf.quantize(view.row(k), cdf.symbols(), table + layout.row_offset()) ||
          !layout.fill(table, cdf.symbols()))
        return std::nullopt;
    }
    return tables;
  }

  // The same of rows with windows.
  static std::optional<DecodeTables> prepare(const WindowRowsView& view, Poll& poll) {
    std::uint32_t most = 1;
    for (std::uint32_t k = 0; std::cmp_less(k, view.count); ++k) {
      if (!view.valid(k)) return std::nullopt;
      most = std::max(most, static_cast<std::uint32_t>(view.symbols[k]));
    }
    const LutLayout layout(most);
    if (view.count > std::int64_t{UINT32_MAX} / static_cast<std::int64_t>(step(layout)))
      return std::nullopt;
    DecodeTables tables(layout, view.count);
    std::byte* table = tables.bytes_.data();
    for (std::uint32_t k = 0; std::cmp_less(k, view.count); ++k, table += layout.size()) {
      poll.after(most);
      const auto symbols = static_cast<std::uint32_t>(view.symbols[k]);
      std::memcpy(table + layout.row_offset(), view.row(k), symbols * sizeof(std::uint16_t));
      if (!layout.fill(table, symbols)) return std::nullopt;
    }
    return tables;
  }

  [[nodiscard]] DecodeLut model() const { return {layout_, bytes_.data()}; }

  // From the locator of one table to that of the next.
  [[nodiscard]] std::uint32_t step() const { return step(layout_); }

 private:
  DecodeTables(LutLayout layout, std::int64_t count)
      : layout_(layout), bytes_(static_cast<std::size_t>(count) * layout.size()) {}

  [[nodiscard]] static std::uint32_t step(const LutLayout& layout) {
    return static_cast<std::uint32_t>(layout.size() / LutLayout::kOffsetUnit);
  }

  LutLayout layout_;
  std::vector<std::byte> bytes_;
};

TORCHAC_END_TARGET
