// Streams in lockstep, a part of the harness `values`.
#pragma once

#include "input.hpp"

namespace torchac::fuzz {

void check_lockstep(Input& input);

}  // namespace torchac::fuzz
