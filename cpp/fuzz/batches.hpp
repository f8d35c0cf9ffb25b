// Many streams at once are coded as each one alone, and the first of several problems is reported.
#pragma once

#include <cstddef>

#include "input.hpp"

namespace torchac::fuzz {

// Ends the program if this does not hold for a batch of the input, on `threads` threads.
void check_batch(Input input, std::size_t threads);

}  // namespace torchac::fuzz
