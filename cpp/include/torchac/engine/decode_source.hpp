// Decode source: the distributions of a stream's symbols, block by block, to look up targets in.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

template <DecodeModel M, LocatorReader<M> Reader>
class DecodeSource {
 public:
  using Model = M;
  using Locator = typename M::Locator;

  DecodeSource(const M& model, Reader locators) : model_(model), reader_(std::move(locators)) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) { return reader_.read(count, block_.data()); }

  // As EncodeSource::View.
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

  // Why a target cannot be in the symbol that was found for it.
  [[nodiscard]] Fault why_contradicted(std::size_t i, std::uint32_t symbol) const {
    const Fault fault = model_.why_not_codable(block_[i], symbol);
    return fault.problem == Problem::kNotFinite ? fault : Fault{Problem::kContradicted};
  }

 private:
  M model_;
  Reader reader_;
  std::array<Locator, kBlock> block_;
};

TORCHAC_END_TARGET
