// The concepts of models, which give the interval of a symbol, and find the symbol of a target.
//
// A *locator* selects one of a model's distributions: the address of a stored row, the number of a
// table, parameters. A reader reads locators from arrays, block by block.
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

// The coding loops work with a copy of a model, so models must be small.
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
      // The interval of a symbol, which need not be codable.
      { model.interval(at, symbol) } -> std::same_as<Interval>;
    };

template <class M>
concept DecodeModel =
    HasLocators<M> && requires(const M model, const typename M::Locator at,
                               const DecoderState<std::uint64_t> state, const Target target) {
      // The part of the decoder's state that `find` needs.
      { model.target(state) } -> std::same_as<Target>;
      // The symbol of a target, and its interval. The decoder checks that the target is in it.
      { model.find(at, target) } -> std::same_as<Found>;
    };

template <class M>
concept Model = EncodeModel<M> && DecodeModel<M>;

// A model whose intervals are in slow memory, so that prefetching helps.
template <class M>
concept PrefetchingModel =
    EncodeModel<M> && requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      model.prefetch(at, symbol);
    };

// A model of packed intervals, which is fast enough for SIMD across streams.
template <class M>
concept PackedModel =
    EncodeModel<M> && requires(const M model, const typename M::Locator at, std::uint32_t symbol) {
      { model.packed_interval(at, symbol) } -> std::same_as<std::uint32_t>;
    };

// A model whose distributions can have faults that coding does not find.
template <class M>
concept CheckedModel = EncodeModel<M> && requires(const M model, const typename M::Locator at) {
  { model.check(at) } -> std::same_as<Fault>;
};

// Reads the model's locators, and returns how many precede one that cannot be read, and why.
template <class R, class M>
concept LocatorReader = requires(R reader, std::size_t count, typename M::Locator* to) {
  { reader.read(count, to) } -> std::same_as<ReadableBlock>;
};

// Distributions that are computed block by block, without locators. A view of a block finds the
// symbols of quantiles, from one of its distributions on.
template <class B>
concept SearchBlock =
    std::default_initializable<typename B::View> &&
    requires(B block, const typename B::View view, std::size_t i, std::uint32_t quantile) {
      // Reads and prepares at most i distributions.
      { block.read(i) } -> std::same_as<ReadableBlock>;
      { std::as_const(block).view(i) } -> std::same_as<typename B::View>;
      { view.find(i, quantile) } -> std::same_as<Found>;
    };

// Distributions of categories, whose numbers are at the locators. Packs the intervals of values,
// one for each step of a value, up to the first invalid distribution.
template <class P>
concept CategoryPacker = std::default_initializable<typename P::Locator> &&
                         requires(P model, const typename P::Locator* at,
                                  const std::int32_t* values, std::size_t i, std::uint32_t* to) {
                           { model.pack(at, values, i, to) } -> std::same_as<ReadableBlock>;
                           { model.steps() } -> std::same_as<std::size_t>;
                           // The most values at a time.
                           { model.max_packed() } -> std::same_as<std::size_t>;
                         };

// A model, or a source of its distributions, that few programs use: its streams are coded one by
// one, as loops for several interleaved streams would make most of its code.
template <class T>
concept Rare = requires { requires T::kRare; };

// A type of CDF values: see cdf_value.hpp.
template <class V>
concept CdfValue = std::copyable<V> && std::constructible_from<V, std::uint32_t, bool> &&
                   requires(const V value, typename V::Stored stored, std::uint32_t j,
                            typename V::Index index, typename V::Fast fast) {
                     { value.quantize(stored, j) } -> std::same_as<std::uint32_t>;
                     { value.quantize_fast(stored, index) } -> std::same_as<typename V::Fast>;
                     { V::out_of_range(fast) } -> std::same_as<bool>;
                     { V::kIsFloat } -> std::convertible_to<bool>;
                     { V::kRare } -> std::convertible_to<bool>;
                   };

// Searches monotone rows of some lengths by SIMD. `sample` is called before the target is known, so
// it is off the critical path.
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
