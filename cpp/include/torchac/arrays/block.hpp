// Blocks: arrays are read into plain ones, so many symbols at a time.
#pragma once

#include <cstddef>

#include "torchac/error.hpp"

namespace torchac {

// Symbols in a block: enough to make the work between blocks negligible, few enough for several
// blocks to stay in the L1 cache.
inline constexpr std::size_t kBlock = 512;

// How many of the symbols of a block can be coded, and why no more.
struct ReadableBlock {
  std::size_t count;
  Fault fault{};

  // No more than `shorter`, because of `why`.
  void truncate(std::size_t shorter, Fault why) {
    if (shorter < count) *this = {shorter, why};
  }
};

}  // namespace torchac
