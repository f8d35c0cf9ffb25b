// The cost of a symbol in bits.
#pragma once

#include <span>

namespace torchac {

// The costs by the width of the interval: 0, which no interval has, ... kTotalFrequency.
std::span<const double> bit_costs();

}  // namespace torchac
