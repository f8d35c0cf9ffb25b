// Decode sources: the distributions of a stream's symbols, block by block, which find symbols.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// A source of distributions. The decoding loop works with a view of them, from one of the block on.
// It is a copy, so that the compiler sees that nothing else changes it.
template <class S>
concept SymbolSource = std::default_initializable<typename S::View> &&
                       requires(S source, const S& block, std::size_t i, std::uint32_t symbol,
                                const DecoderState<std::uint64_t> state, const Target target) {
                         // Reads a block of at most i, and at least one unless it has a fault.
                         { source.read(i) } -> std::same_as<ReadableBlock>;
                         { block.view(i) } -> std::same_as<typename S::View>;
                         // These do the same as in DecodeModel.
                         { block.view(i).target(state) } -> std::same_as<Target>;
                         { block.view(i).find(i, target) } -> std::same_as<Found>;
                         // Why the symbol found for a target cannot hold it.
                         { block.why_invalid(i, symbol) } -> std::same_as<Fault>;
                       };

// A source whose symbols are looked up in tables that all streams share, as SIMD across streams
// needs it.
template <class S>
concept LutSource = SymbolSource<S> && requires(const typename S::View view) {
  { view.model.tables() } -> std::same_as<const std::byte*>;
  { view.locators + 1 } -> std::same_as<const std::uint32_t*>;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// A source whose symbols stand for values, and may have tails.
template <class S>
concept TailSource = SymbolSource<S> && requires(const typename S::View view, std::size_t i,
                                                 std::uint32_t symbol, const Decoder& decoder) {
  { view.has_tail(i, symbol) } -> std::same_as<bool>;
  { view.value(i, symbol) } -> std::same_as<std::uint32_t>;
  { view.read_tail(i, symbol, decoder) } -> std::same_as<TailResult>;
};

// A source of a model's distributions, by their locators.
template <DecodeModel M, LocatorReader<M> Reader>
class DecodeSource {
 public:
  using Locator = typename M::Locator;
  static constexpr bool kRare = Rare<M>;

  DecodeSource(const M& model, Reader locators) : model_(model), reader_(std::move(locators)) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) { return reader_.read(count, block_.data()); }

  struct View {
    M model{};
    const Locator* locators = nullptr;

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
      return model.target(state);
    }

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return model.find(locators[i], target);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {model_, &block_[first]};
  }

  [[nodiscard]] Fault why_invalid(std::size_t i, std::uint32_t symbol) const {
    const Fault fault = model_.why_not_codable(block_[i], symbol);
    return fault.problem == Problem::kNotFinite ? fault : Fault{Problem::kInvalidCode};
  }

 private:
  M model_;
  Reader reader_;
  std::array<Locator, kBlock> block_;
};

// The distributions in lanes of a block, or void.
template <class Block>
struct LanesOf {
  using Type = void;
};
template <class Block>
  requires requires { typename Block::Lanes; }
struct LanesOf<Block> {
  using Type = typename Block::Lanes;
};

// A source whose symbols can be found in lanes. It prepares a block for its view only if `prepare`
// is called.
template <class S>
concept LaneSource = SymbolSource<S> && requires(S source, const S& block) {
  source.prepare();
  { block.rows() } -> std::same_as<const typename S::Lanes::Block&>;
};

// A source of distributions that are computed block by block.
template <SearchBlock Block>
class BlockDecodeSource {
 public:
  template <class... Arguments>
  explicit BlockDecodeSource(Arguments&&... block) : block_(std::forward<Arguments>(block)...) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    return block_.read(count);
  }

  struct View : Block::View {
    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
      return Target::of<kHasFma>(state);
    }
    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return Block::View::find(i, target.quantile());
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const { return {block_.view(first)}; }

  [[nodiscard]] static Fault why_invalid(std::size_t, std::uint32_t) {
    return {Problem::kInvalidCode};
  }

  // Implement LaneSource, if there are lanes.
  using Lanes = typename LanesOf<Block>::Type;
  void prepare()
    requires(!std::is_void_v<Lanes>)
  {
    block_.prepare();
  }
  [[nodiscard]] const auto& rows() const
    requires(!std::is_void_v<Lanes>)
  {
    return block_.rows();
  }

 private:
  Block block_;
};

TORCHAC_END_TARGET
