// Shared rows as a model for decoding: a lookup table (LUT) for each row.
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
#include "torchac/models/table_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

class DecodeLut {
 public:
  using Locator = std::uint32_t;  // a LutLocator's bits

  DecodeLut() = default;
  explicit DecodeLut(const std::byte* tables) : tables_(tables) {}

  [[nodiscard]] const std::byte* tables() const { return tables_; }

  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
    return Target::of<kHasFma>(state);
  }

  [[nodiscard]] TORCHAC_INLINE Found find(std::uint32_t at, const Target& target) const {
    return find_quantile(at, target.quantile());
  }

  [[nodiscard]] TORCHAC_INLINE Found find_quantile(std::uint32_t at, std::uint64_t quantile) const {
    const LutLocator<std::uint64_t> locator(at);
    LutEntry entry(load<std::uint64_t>(tables_ + locator.entry(quantile)));
    if (entry.is_miss(quantile) != 0) [[unlikely]]
      entry = LutLayout::find_slow(tables_, at, entry.bits(), quantile);
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
  const std::byte* tables_ = nullptr;
};

static_assert(DecodeModel<DecodeLut>);

// The tables of shared rows.
class DecodeTables {
 public:
  // Making a table takes about as long as decoding this number of symbols without it.
  static constexpr std::int64_t kSymbolsThatPay = 8;

  // Returns nothing if a row cannot have a table, or there are more tables than locators.
  template <class Value>
  static std::optional<DecodeTables> prepare(const CdfRow<Value>& cdf, const TableView& view,
                                             Poll& poll) {
    const LutLayout layout = LutLayout::of(cdf.symbols());
    const std::size_t size = layout.size(cdf.symbols());
    if (std::cmp_greater(view.count, LutLocator<std::uint64_t>::kMaxBytes / size))
      return std::nullopt;
    DecodeTables tables(layout.locator(0), static_cast<std::uint32_t>(size), view.count);
    std::byte* table = tables.bytes_.data();
    for (std::int64_t k = 0; k < view.count; ++k, table += size) {
      poll.after(cdf.symbols());
      if (!cdf.quantize(view.row(k), cdf.symbols(), table + layout.row_offset()) ||
          !layout.fill(table, cdf.symbols()))
        return std::nullopt;
    }
    return tables;
  }

  [[nodiscard]] DecodeLut model() const { return DecodeLut(bytes_.data()); }

  // The locator of the first table, and the difference from one to the next.
  [[nodiscard]] std::uint32_t first() const { return first_; }
  [[nodiscard]] std::uint32_t step() const { return step_; }

 private:
  DecodeTables(std::uint32_t first, std::uint32_t step, std::int64_t count)
      : first_(first), step_(step), bytes_(static_cast<std::size_t>(count) * step) {}

  std::uint32_t first_;
  std::uint32_t step_;  // bytes of a table
  std::vector<std::byte> bytes_;
};

// The tables of rows with windows, which differ in length.
class TableRowLuts {
 public:
  // As DecodeTables::prepare.
  static std::optional<TableRowLuts> prepare(const TableRowsView& view, Poll& poll) {
    TableRowLuts tables;
    std::vector<std::uint32_t> symbols;
    std::size_t size = 0;
    for (std::uint32_t k = 0; std::cmp_less(k, view.count); ++k) {
      const auto window = view.window(k);
      if (!window || size > LutLocator<std::uint64_t>::kMaxBytes) return std::nullopt;
      symbols.push_back(window->last() + 1);
      const LutLayout layout = LutLayout::of(symbols.back());
      tables.locators_.push_back(layout.locator(size));
      size += layout.size(symbols.back());
    }
    tables.bytes_.resize(size);
    std::byte* table = tables.bytes_.data();
    for (std::uint32_t k = 0; k < symbols.size(); ++k) {
      poll.after(symbols[k]);
      const LutLayout layout = LutLayout::of(symbols[k]);
      std::memcpy(table + layout.row_offset(), view.row(k), symbols[k] * sizeof(std::uint16_t));
      if (!layout.fill(table, symbols[k])) return std::nullopt;
      table += layout.size(symbols[k]);
    }
    return tables;
  }

  [[nodiscard]] LutsView view() const { return {bytes_.data(), locators_.data()}; }

 private:
  std::vector<std::uint32_t> locators_;
  std::vector<std::byte> bytes_;
};

TORCHAC_END_TARGET
