// Many streams at once are coded as each is alone, and of several problems the first is reported.
#pragma once

#include <cstddef>

#include "input.hpp"

namespace torchac::fuzz {

// Ends the program if any batch that the input describes is not, on so many threads.
void check_batch(Input input, std::size_t threads);

}  // namespace torchac::fuzz
