// Blocks: arrays are copied into contiguous ones, a number of symbols at a time.
#pragma once

#include <cstddef>

#include "torchac/error.hpp"

namespace torchac {

// Symbols in a block: enough to make the work between blocks negligible, few enough for several
// blocks to stay in the L1 cache.
inline constexpr std::size_t kBlock = 512;

// The number of symbols of a block that can be coded, and why the next one cannot.
struct ReadableBlock {
  std::size_t count;
  Fault fault{};

  // Limits the count to `shorter`, because of `why`.
  void truncate(std::size_t shorter, Fault why) {
    if (shorter < count) *this = {shorter, why};
  }
};

}  // namespace torchac
