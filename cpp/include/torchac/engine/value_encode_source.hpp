// Encode source of values: the interval of a symbol for each, and those of its tail behind it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/error.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Packs the interval of each symbol in the rows of parameters.
inline void pack(const ParameterBlock& block, const std::uint32_t* symbols, std::size_t count,
                 std::uint32_t* packed) {
  std::array<std::uint32_t, kRows> low;
  std::array<std::uint32_t, kRows> high;
  block.sum(symbols, count, low.data(), high.data());
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t last = block.window(i).last();
    packed[i] = bound(low[i], symbols[i], last) | (bound(high[i], symbols[i] + 1, last) - 1)
                                                      << kPrecision;
  }
}

inline void pack(const WindowRowBlock& block, const std::uint32_t* symbols, std::size_t count,
                 std::uint32_t* packed) {
  block.pack(symbols, count, packed);
}

template <class Block>
class ValueEncodeSource {
 public:
  template <class Model>
  ValueEncodeSource(Model model, Numbers values)
      : block_(std::move(model)), values_(std::move(values)) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<std::int32_t, kBlock> values;
    ReadableBlock readable = block_.read(count);
    // As many as the model has read, or would have, but for what is wrong.
    const ReadableBlock read = read_values(values_, readable.count, values.data());
    readable.truncate(read.count, read.fault);
    const bool tails = find_symbols(values.data(), readable);
    pack(block_, symbols_.data(), readable.count, symbol_intervals_.data());
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (symbol_intervals_[i] == kInvalidPacked) [[unlikely]]
        readable.truncate(i, {Problem::kInterval, symbols_[i]});
    }
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
  // The symbol of each value up to the first that is outside of the bounds. Whether one has a tail.
  bool find_symbols(const std::int32_t* values, ReadableBlock& readable) {
    // Locals and numbers of one size, so that the compiler makes vector code.
    const Window* const windows = &block_.window(0);
    std::uint32_t* const symbols = symbols_.data();
    const Bounds bounds = block_.bounds();
    std::uint32_t tails = 0;
    std::uint32_t outside = 0;
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Window window = windows[i];
      symbols[i] = window.nearest_symbol(values[i]);
      tails |= window.tail_bits(symbols[i]);
      outside |= bounds.excess(values[i]);
    }
    if (outside != 0) {
      std::size_t i = 0;
      while (bounds.excess(values[i]) == 0) ++i;
      readable.truncate(i, {Problem::kValue});
    }
    return tails != 0;
  }

  TORCHAC_NOINLINE void add_tails(const std::int32_t* values, std::size_t count) {
    all_intervals_.resize(kBlock * kMaxSteps);
    values_of_.resize(kBlock * kMaxSteps);
    size_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = size_;
      all_intervals_[size_++] = symbol_intervals_[i];
      if (block_.window(i).has_tail(symbols_[i])) {
        const auto push = [&](Interval interval) {
          all_intervals_[size_++] = pack_interval(interval);
        };
        TailWriter(push).write(block_.window(i), values[i]);
      }
      std::fill_n(&values_of_[first], size_ - first, static_cast<std::uint16_t>(i));
    }
  }

  Block block_;
  Numbers values_;
  std::array<std::uint32_t, kBlock> symbols_;
  std::array<std::uint32_t, kBlock> symbol_intervals_;
  bool has_tails_ = false;
  std::size_t size_ = 0;
  // Where there are tails: the intervals of symbols and tails, and the values that they belong to.
  std::vector<std::uint32_t> all_intervals_;
  std::vector<std::uint16_t> values_of_;
};

static_assert(PackedSource<ValueEncodeSource<ParameterBlock>>);

TORCHAC_END_TARGET
