// What each harness is: a check of the case that an input describes. It ends the program if it
// fails.
#pragma once

#include "input.hpp"

namespace torchac::fuzz {

void run(Input input);

}  // namespace torchac::fuzz
