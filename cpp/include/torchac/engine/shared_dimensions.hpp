// Finds the dimensions along which arrays of elements were expanded to the values that share them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/arrays/strided.hpp"

namespace torchac {

// The members of SharedElements, and the dimensions of each array before it was expanded.
struct SharedDimensions {
  std::vector<std::vector<Dimension>> arrays;
  std::int64_t count;
  std::vector<Dimension> steps;
};

// The dimensions shared by arrays of the same sizes. Nothing if no dimension of all arrays is
// expanded, unless values have an index. Elements are numbered in 32 bits.
[[nodiscard]] inline std::optional<SharedDimensions> shared_dimensions(
    std::vector<std::vector<Dimension>> arrays, bool index) {
  const std::vector<Dimension> whole = arrays.front();
  std::vector<Dimension> steps = whole;
  std::int64_t count = 1;
  bool any = index;
  for (std::size_t d = whole.size(); d-- > 0;) {
    const bool expanded = !index && whole[d].size > 1 &&
                          std::ranges::all_of(arrays, [&](const std::vector<Dimension>& array) {
                            return array[d].stride == 0;
                          });
    steps[d].stride = expanded ? 0 : count;
    any = any || expanded;
    if (expanded) {
      for (std::vector<Dimension>& array : arrays) array[d].size = 1;
    } else {
      count *= whole[d].size;
    }
  }
  if (!any || count == 0 || count >= UINT32_MAX) return std::nullopt;
  return SharedDimensions{std::move(arrays), count, std::move(steps)};
}

}  // namespace torchac
