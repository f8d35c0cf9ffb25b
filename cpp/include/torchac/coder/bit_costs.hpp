// What a symbol costs, in bits.
#pragma once

#include <span>

namespace torchac {

// By the width of its interval: 0, which no interval has, ... kTotalFrequency.
std::span<const double> bit_costs();

}  // namespace torchac
