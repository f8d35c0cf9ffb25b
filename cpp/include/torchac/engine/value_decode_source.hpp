// Decode source of values: rows with windows, block by block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/error.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// What the decoding loop asks of rows with windows, beside how to find a symbol.
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

template <class Block, class Search>
class ValueDecodeSource {
 public:
  using Model = Search;

  template <class From>
  explicit ValueDecodeSource(From model) : block_(std::move(model)) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    const ReadableBlock readable = block_.read(count);
    search_.prepare(block_, readable.count);
    return readable;
  }

  struct View : WindowsView {
    typename Search::View search{};

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
      return Target::of<kHasFma>(state);
    }
    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return search.find(i, target.quantile());
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{&block_.window(first), block_.bounds()}, search_.view(first)};
  }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  Block block_;
  Search search_;
};

// The same by lookup tables of stored rows.
class ValueLutSource {
 public:
  using Model = DecodeLut;

  explicit ValueLutSource(WindowRows rows)
      : lut_(rows.luts.tables), of_rows_(rows.luts.locators), block_(std::move(rows)) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    const ReadableBlock readable = block_.read(count);
    for (std::size_t i = 0; i < readable.count; ++i) locators_[i] = of_rows_[block_.row(i)];
    return readable;
  }

  struct View : WindowsView {
    DecodeLut model;
    const std::uint32_t* locators = nullptr;

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
      return model.target(state);
    }
    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return model.find(locators[i], target);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{&block_.window(first), block_.bounds()}, lut_, &locators_[first]};
  }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  DecodeLut lut_;
  const std::uint32_t* of_rows_;
  WindowRowBlock block_;
  std::array<std::uint32_t, kBlock> locators_;
};

// A source whose symbols stand for values, and may have tails.
template <class Source>
concept TailSource = requires(const typename Source::View view, std::size_t i, std::uint32_t symbol,
                              const Decoder& decoder) {
  { view.has_tail(i, symbol) } -> std::same_as<bool>;
  { view.value(i, symbol) } -> std::same_as<std::uint32_t>;
  { view.read_tail(i, symbol, decoder) } -> std::same_as<TailResult>;
};

TORCHAC_END_TARGET
