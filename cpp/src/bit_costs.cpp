#include "torchac/coder/bit_costs.hpp"

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "torchac/coder/interval.hpp"

namespace torchac {

std::span<const double> bit_costs() {
  static const std::vector<double> bits = [] {
    std::vector<double> result(kTotalFrequency + 1);
    for (std::uint32_t width = 1; width <= kTotalFrequency; ++width)
      result[width] = kPrecision - std::log2(static_cast<double>(width));
    return result;
  }();
  return bits;
}

}  // namespace torchac
