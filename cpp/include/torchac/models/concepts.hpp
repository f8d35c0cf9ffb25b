// What models are: where the interval of a symbol comes from, and the symbol of a target.
//
// A *locator* says which of a model's distributions a symbol has: the address of a stored row, the
// number of a table, parameters. A reader reads locators from arrays, block by block.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"

namespace torchac {

// A copy of a model is what the coding loops work with, so it is small.
template <class M>
concept HasLocators =
    std::default_initializable<M> && std::copyable<M> &&
    std::default_initializable<typename M::Locator> && std::copyable<typename M::Locator> &&
    requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      // Why the interval of a symbol is not codable.
      { model.why_not_codable(at, symbol) } -> std::same_as<Fault>;
    };

template <class M>
concept EncodeModel =
    HasLocators<M> && requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      // The size of the alphabet: symbols are 0 ... symbols - 1.
      { model.symbols(at) } -> std::same_as<std::uint32_t>;
      // The interval of one of them, which may be one that is not codable.
      { model.interval(at, symbol) } -> std::same_as<Interval>;
    };

template <class M>
concept DecodeModel =
    HasLocators<M> && requires(const M model, const typename M::Locator at,
                               const DecoderState<std::uint64_t> state, const Target target) {
      // What `find` needs of the decoder's state.
      { model.target(state) } -> std::same_as<Target>;
      // The symbol of a target, and its interval. The decoder checks that the target is in it.
      { model.find(at, target) } -> std::same_as<Found>;
    };

template <class M>
concept Model = EncodeModel<M> && DecodeModel<M>;

// A model whose intervals are far away in memory, so that it helps to ask for them early.
template <class M>
concept PrefetchingModel =
    EncodeModel<M> && requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      model.prefetch(at, symbol);
    };

// A model that has its intervals packed: fast enough for SIMD across streams.
template <class M>
concept PackedModel =
    EncodeModel<M> && requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      { model.packed_interval(at, symbol) } -> std::same_as<std::uint32_t>;
    };

// A model whose distributions can be wrong in more than what coding touches.
template <class M>
concept CheckedModel = EncodeModel<M> && requires(const M model, const typename M::Locator at) {
  { model.check(at) } -> std::same_as<Fault>;
};

// Reads the model's locators. How many come before one that cannot be read, and why.
template <class R, class M>
concept LocatorReader = requires(R reader, std::size_t count, typename M::Locator* to) {
  { reader.read(count, to) } -> std::same_as<ReadableBlock>;
};

// Distributions that are computed, a block at a time, have no locators. Of those of a block, a view
// from one of them on finds the symbol of a quantile.
template <class B>
concept SearchBlock =
    std::default_initializable<typename B::View> &&
    requires(B block, const typename B::View view, std::size_t i, std::uint32_t quantile) {
      // Reads and prepares at most i.
      { block.read(i) } -> std::same_as<ReadableBlock>;
      { std::as_const(block).view(i) } -> std::same_as<typename B::View>;
      { view.find(i, quantile) } -> std::same_as<Found>;
    };

// Distributions of categories, whose numbers are read where locators say: packs the intervals of
// values, as many for each as it has steps, up to a distribution that is none.
template <class P>
concept CategoryPacker = std::default_initializable<typename P::Locator> &&
                         requires(P model, const typename P::Locator* at,
                                  const std::int32_t* values, std::size_t i, std::uint32_t* to) {
                           { model.pack(at, values, i, to) } -> std::same_as<ReadableBlock>;
                           { model.steps() } -> std::same_as<std::size_t>;
                           // The most values at a time.
                           { model.max_packed() } -> std::same_as<std::size_t>;
                         };

// A type of value that a CDF may have: see cdf_value.hpp.
template <class V>
concept CdfValue = std::copyable<V> && std::constructible_from<V, std::uint32_t, bool> &&
                   requires(const V value, typename V::Stored stored, std::uint32_t j,
                            typename V::Index index, typename V::Fast fast) {
                     { value.quantize(stored, j) } -> std::same_as<std::uint32_t>;
                     { value.quantize_fast(stored, index) } -> std::same_as<typename V::Fast>;
                     { V::out_of_range(fast) } -> std::same_as<bool>;
                     { V::kIsFloat } -> std::convertible_to<bool>;
                   };

// Searches monotone rows of some lengths by SIMD. What `sample` returns is taken before the target
// is known, so that it is off the critical path.
template <class S>
concept SimdSearch = requires(const S search, const std::byte* row, const Target target,
                              const typename S::Samples samples, std::uint32_t symbols) {
  typename S::Value;
  { S::fits(symbols) } -> std::same_as<bool>;
  { search.sample(row) } -> std::same_as<typename S::Samples>;
  { search.is_monotone(row) } -> std::same_as<bool>;
  { search.find(row, samples, target) } -> std::same_as<Found>;
};

}  // namespace torchac
