// Encode sources: the intervals of a stream's symbols, block by block.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The encoding loop works with a view of intervals, from one of a block on. It is a copy, so that
// the compiler sees that nothing else changes it.
template <class V>
concept IntervalView = std::default_initializable<V> && requires(const V view, std::size_t i) {
  { view.interval(i) } -> std::same_as<Interval>;
};

// A source of intervals: one for each symbol, or several.
template <class S>
concept IntervalSource = requires(S source, const S& block, std::size_t i) {
  // Reads a block of at most i symbols, and at least one unless it has a fault.
  { source.read(i) } -> std::same_as<ReadableBlock>;
  // The block's intervals: their number, a view from one of them on, and the symbol of one.
  { block.size() } -> std::same_as<std::size_t>;
  { block.view(i) } -> IntervalView;
  { block.symbol(i) } -> std::same_as<std::size_t>;
};

// A source whose intervals are computed as they are coded, so that the latencies overlap. It
// explains why an interval is not codable.
template <class S>
concept LazySource = IntervalSource<S> && requires(const S& block, std::size_t i) {
  { block.why_not_codable(i) } -> std::same_as<Fault>;
};

// A source whose intervals are in the block, packed and codable, as SIMD across streams needs it.
template <class S>
concept PackedSource = IntervalSource<S> && requires(const S& block, std::size_t i) {
  { block.packed(i) } -> std::same_as<const std::uint32_t*>;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Reads the symbols for these locators: clamped, if `clamp` is set, else up to the first one
// outside the alphabet.
template <EncodeModel M>
void read_symbols(const M& model, const typename M::Locator* locators, Numbers& from, bool clamp,
                  ReadableBlock& readable, std::uint32_t* to) {
  read_integers(from, readable.count, to, clamp);
  const auto symbols = [&](std::size_t i) { return model.symbols(locators[i]); };
  if (clamp) {
    for (std::size_t i = 0; i < readable.count; ++i) to[i] = std::min(to[i], symbols(i) - 1);
  } else {
    readable.truncate(count_below(to, readable.count, symbols), {Problem::kSymbol});
  }
}

// A source of a model's intervals, one for each symbol.
template <EncodeModel M, LocatorReader<M> Reader>
class EncodeSource {
 public:
  using Locator = typename M::Locator;
  static constexpr bool kRare = Rare<M>;

  // `clamp` replaces symbols outside the alphabet by the nearest ones in it; `check` checks all
  // distributions, not only the parts that coding needs.
  EncodeSource(const M& model, Reader locators, Numbers symbols, bool clamp = false,
               bool check = false)
      : model_(model),
        reader_(std::move(locators)),
        symbols_(std::move(symbols)),
        clamp_(clamp),
        check_(check) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    ReadableBlock readable = reader_.read(count, block_locators_.data());
    read_symbols(model_, block_locators_.data(), symbols_, clamp_, readable, block_symbols_.data());
    if constexpr (CheckedModel<M>) {
      if (check_) check(readable);
    }
    size_ = readable.count;
    if constexpr (PrefetchingModel<M>) {
      std::fill_n(&block_locators_[size_], kPrefetchDistance, Locator{});
      std::fill_n(&block_symbols_[size_], kPrefetchDistance, 0);
    }
    return readable;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i; }

  struct View {
    M model{};
    const Locator* locators = nullptr;
    const std::uint32_t* symbols = nullptr;
    bool prefetch = false;

    [[nodiscard]] TORCHAC_INLINE Interval interval(std::size_t i) const {
      if constexpr (PrefetchingModel<M>) {
        if (prefetch)
          model.prefetch(locators[i + kPrefetchDistance], symbols[i + kPrefetchDistance]);
      }
      return model.interval(locators[i], symbols[i]);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    View view{model_, &block_locators_[first], &block_symbols_[first]};
    if constexpr (PrefetchingModel<M>) view.prefetch = reader_.own_rows();
    return view;
  }

  [[nodiscard]] Fault why_not_codable(std::size_t i) const {
    return model_.why_not_codable(block_locators_[i], block_symbols_[i]);
  }

 private:
  // In symbols, about the number of outstanding cache misses of a core.
  static constexpr std::size_t kPrefetchDistance = 16;

  void check(ReadableBlock& readable) {
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Locator locator = block_locators_[i];
      if (locator == checked_) continue;  // the same row, of an expanded array
      checked_ = locator;
      const Fault fault = model_.check(locator);
      if (fault.problem != Problem::kNone) return readable.truncate(i, fault);
    }
  }

  M model_;
  Reader reader_;
  Numbers symbols_;
  bool clamp_;
  bool check_;
  Locator checked_{};
  std::size_t size_ = 0;
  // The kPrefetchDistance locators after the block are meaningless.
  std::array<Locator, kBlock + kPrefetchDistance> block_locators_;
  std::array<std::uint32_t, kBlock + kPrefetchDistance> block_symbols_;
};

// A view of packed intervals.
struct PackedView {
  const std::uint32_t* intervals = nullptr;

  [[nodiscard]] TORCHAC_INLINE Interval interval(std::size_t i) const {
    return {packed_low(intervals[i]), packed_high(intervals[i])};
  }
};

// A source of the packed intervals of a model.
template <PackedModel M, LocatorReader<M> Reader>
class EncodeSource<M, Reader> {
 public:
  EncodeSource(const M& model, Reader locators, Numbers symbols, bool clamp = false)
      : model_(model), reader_(std::move(locators)), symbols_(std::move(symbols)), clamp_(clamp) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<typename M::Locator, kBlock> locators;
    std::array<std::uint32_t, kBlock> symbols;
    ReadableBlock readable = reader_.read(count, locators.data());
    read_symbols(model_, locators.data(), symbols_, clamp_, readable, symbols.data());
    for (std::size_t i = 0; i < readable.count; ++i) {
      block_[i] = model_.packed_interval(locators[i], symbols[i]);
      if (block_[i] == kInvalidPacked) [[unlikely]]
        readable.truncate(i, model_.why_not_codable(locators[i], symbols[i]));
    }
    size_ = readable.count;
    return readable;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i; }
  [[nodiscard]] PackedView view(std::size_t first) const { return {packed(first)}; }
  [[nodiscard]] const std::uint32_t* packed(std::size_t first) const { return &block_[first]; }

 private:
  M model_;
  Reader reader_;
  Numbers symbols_;
  bool clamp_;
  std::size_t size_ = 0;
  std::array<std::uint32_t, kBlock> block_;
};

TORCHAC_END_TARGET
