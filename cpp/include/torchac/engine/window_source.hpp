// Sources of values whose rows have windows: rows of parameters, and stored rows.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/error.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/lane_rows.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/row_search.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/zones.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The interval of each value's symbol, followed by those of its tail. `AnyRows` reads rows, and
// packs the intervals of symbols in them.
template <class AnyRows>
class WindowEncodeSource {
 public:
  template <class Model>
  WindowEncodeSource(Model model, Numbers values)
      : rows_(std::move(model)), values_(std::move(values)) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<std::int32_t, kBlock + kRoom> values;
    ReadableBlock readable = read_rows(count);
    // Reads values for all rows that were read.
    const ReadableBlock read = read_values(values_, readable.count, values.data());
    readable.truncate(read.count, read.fault);
    std::fill_n(&values[readable.count], kRoom, 0);
    const bool tails = pack(values.data(), readable);
    size_ = readable.count;
    has_tails_ = tails;
    if (tails) add_tails(values.data(), readable.count);
    return readable;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  // The value that interval i belongs to.
  [[nodiscard]] std::size_t symbol(std::size_t i) const { return has_tails_ ? values_of_[i] : i; }
  [[nodiscard]] PackedView view(std::size_t first) const { return {packed(first)}; }
  [[nodiscard]] const std::uint32_t* packed(std::size_t first) const {
    return (has_tails_ ? all_intervals_.data() : symbol_intervals_.data()) + first;
  }

 private:
  static constexpr std::size_t kRoom = 7;  // so that vectors of eight end in the arrays

  // Whether rows may be computed along with their intervals, eight at a time.
  static constexpr bool kInLanes =
      requires(AnyRows rows) { rows.pack_values(nullptr, 0, nullptr, nullptr); };

  ReadableBlock read_rows(std::size_t count) {
    if constexpr (kInLanes) return rows_.read_parameters(count);
    return rows_.read(count);
  }

  // Packs the interval of each value's symbol, up to the first value outside the bounds. Returns
  // whether any has a tail.
  bool pack(const std::int32_t* values, ReadableBlock& readable) {
    if constexpr (kInLanes) {
      if (rows_.usual()) {
        const ValueFlags flags =
            rows_.pack_values(values, readable.count, symbols_.data(), symbol_intervals_.data());
        if (!flags.zones) [[likely]] {
          if (flags.outside) [[unlikely]]
            find_outside(values, readable);
          return flags.tails;
        }
      }
      rows_.prepare(readable.count);
    }
    const ValueFlags flags = find_symbols(values, readable.count);
    if (flags.outside) [[unlikely]]
      find_outside(values, readable);
    rows_.pack(symbols_.data(), readable.count, symbol_intervals_.data());
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (symbol_intervals_[i] == kInvalidPacked) [[unlikely]]
        readable.truncate(i, {Problem::kInterval, symbols_[i]});
    }
    return flags.tails;
  }

  // Finds the symbol of each value.
  ValueFlags find_symbols(const std::int32_t* values, std::size_t count) {
    // Locals, and numbers of one size, so that the compiler vectorizes the loop.
    const Window* const windows = &rows_.window(0);
    std::uint32_t* const symbols = symbols_.data();
    const Bounds bounds = rows_.bounds();
    std::uint32_t tails = 0;
    std::uint32_t outside = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Window window = windows[i];
      symbols[i] = window.nearest_symbol(values[i]);
      tails |= window.tail_bits(symbols[i]);
      outside |= bounds.excess(values[i]);
    }
    return {tails != 0, outside != 0};
  }

  TORCHAC_COLD void find_outside(const std::int32_t* values, ReadableBlock& readable) const {
    std::size_t i = 0;
    while (rows_.bounds().excess(values[i]) == 0) ++i;
    readable.truncate(i, {Problem::kValue});
  }

  TORCHAC_NOINLINE void add_tails(const std::int32_t* values, std::size_t count) {
    all_intervals_.resize(kBlock * kMaxSteps);
    values_of_.resize(kBlock * kMaxSteps);
    size_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = size_;
      all_intervals_[size_++] = symbol_intervals_[i];
      if (rows_.window(i).has_tail(symbols_[i])) {
        const auto push = [&](Interval interval) {
          all_intervals_[size_++] = pack_interval(interval);
        };
        write_tail(i, values[i], push);
      }
      std::fill_n(&values_of_[first], size_ - first, static_cast<std::uint16_t>(i));
    }
  }

  template <class Push>
  void write_tail(std::size_t i, std::int32_t value, const Push& push) {
    if constexpr (std::same_as<AnyRows, ParameterBlock>) {
      if (rows_.window(i).has_zones()) {
        zones_.prepare(rows_, i);
        return zones_.write(value, push);
      }
    }
    TailWriter(push).write(rows_.window(i), value);
  }

  AnyRows rows_;
  Numbers values_;
  Zones zones_;
  std::array<std::uint32_t, kBlock> symbols_;
  std::array<std::uint32_t, kBlock> symbol_intervals_;
  bool has_tails_ = false;
  std::size_t size_ = 0;
  // If there are tails: the intervals of symbols and tails, and the values that they belong to.
  std::vector<std::uint32_t> all_intervals_;
  std::vector<std::uint16_t> values_of_;
};

static_assert(PackedSource<WindowEncodeSource<ParameterBlock>>);

// The part of rows with windows that the decoding loop needs, besides finding symbols.
struct WindowsView {
  const Window* windows = nullptr;
  Bounds bounds{};

  [[nodiscard]] TORCHAC_INLINE bool has_tail(std::size_t i, std::uint32_t symbol) const {
    return windows[i].has_tail(symbol);
  }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t value(std::size_t i, std::uint32_t symbol) const {
    return windows[i].value(symbol);
  }
  [[nodiscard]] TORCHAC_INLINE TailResult read_tail(std::size_t i, std::uint32_t symbol,
                                                    const Decoder& decoder) const {
    return TailReader::read(decoder, windows[i], bounds, symbol);
  }
};

// Rows and a search in them. `InLanes` are rows of several streams: see lane_loop.hpp.
template <class AnyRows, class Search, class InLanes = void>
class SearchedRows {
 public:
  using Lanes = InLanes;
  template <class Model>
  explicit SearchedRows(Model model) : rows_(std::move(model)) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) {
    if constexpr (std::is_void_v<InLanes>) {
      const ReadableBlock readable = rows_.read(count);
      search_.prepare(rows_, readable.count);
      return readable;
    } else {
      const ReadableBlock readable = rows_.read_parameters(count);
      unprepared_ = readable.count;
      return readable;
    }
  }

  // Prepares the block for `view`, which lanes do not need.
  void prepare() {
    if (unprepared_ == 0) return;
    rows_.prepare(unprepared_);
    search_.prepare(rows_, unprepared_);
    unprepared_ = 0;
  }

  [[nodiscard]] const AnyRows& rows() const { return rows_; }

  struct View : WindowsView {
    typename Search::View search{};

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      return search.find(i, quantile);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{&rows_.window(first), rows_.bounds()}, search_.view(first)};
  }

 private:
  AnyRows rows_;
  Search search_;
  std::size_t unprepared_ = 0;  // rows
};

#ifdef TORCHAC_TARGET_AVX2
template <bool kMixture>
using ParameterLanes = LaneRows<kMixture>;
#else
template <bool>
using ParameterLanes = void;
#endif

// Rows of mixtures, or their zones.
class MixtureRows : public SearchedRows<ParameterBlock, MixtureSearch, ParameterLanes<true>> {
  using Base = SearchedRows<ParameterBlock, MixtureSearch, ParameterLanes<true>>;

 public:
  using Base::Base;

  struct View : Base::View {
    const ParameterBlock* rows = nullptr;
    std::size_t first = 0;
    Zones* zones = nullptr;

    // NOLINTNEXTLINE(bugprone-derived-method-shadowing-base-method): adds zones to it
    [[nodiscard]] TORCHAC_INLINE TailResult read_tail(std::size_t i, std::uint32_t symbol,
                                                      const Decoder& decoder) const {
      if (!this->windows[i].has_zones()) return Base::View::read_tail(i, symbol, decoder);
      zones->prepare(*rows, first + i);
      return zones->read(decoder);
    }
  };

  // NOLINTNEXTLINE(bugprone-derived-method-shadowing-base-method): adds zones to it
  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {Base::view(first), &rows(), first, &zones_};
  }

 private:
  mutable Zones zones_;  // of the value that is read
};

// Stored rows and their lookup tables.
class LutRows {
 public:
  explicit LutRows(TableRows rows)
      : lut_(rows.luts.tables), of_rows_(rows.luts.locators), rows_(std::move(rows)) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) {
    const ReadableBlock readable = rows_.read(count);
    for (std::size_t i = 0; i < readable.count; ++i) locators_[i] = of_rows_[rows_.row(i)];
    return readable;
  }

  struct View : WindowsView {
    DecodeLut model;
    const std::uint32_t* locators = nullptr;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
      return model.find_quantile(locators[i], quantile);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{&rows_.window(first), rows_.bounds()}, lut_, &locators_[first]};
  }

 private:
  DecodeLut lut_;
  const std::uint32_t* of_rows_;
  TableRowBlock rows_;
  std::array<std::uint32_t, kBlock> locators_;
};

using DistributionDecodeSource =
    BlockDecodeSource<SearchedRows<ParameterBlock, SingleSearch, ParameterLanes<false>>>;
using MixtureDecodeSource = BlockDecodeSource<MixtureRows>;
using TableDecodeSource = BlockDecodeSource<SearchedRows<TableRowBlock, TableRowSearch>>;
using TableLutSource = BlockDecodeSource<LutRows>;

static_assert(TailSource<MixtureDecodeSource> && TailSource<TableLutSource>);
static_assert(LutSource<TableLutSource> && !LutSource<TableDecodeSource>);

TORCHAC_END_TARGET
