// The function of each harness: it checks the case that an input describes, and ends the program if
// the check fails.
#pragma once

#include "input.hpp"

namespace torchac::fuzz {

void run(Input input);

}  // namespace torchac::fuzz
