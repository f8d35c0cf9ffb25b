// What a symbol costs, in bits.
#pragma once

#include <span>

namespace torchac {

// By the width of its interval: 0, which none has, ... kTotalFrequency.
std::span<const double> costs();

}  // namespace torchac
