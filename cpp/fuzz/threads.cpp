// Batches on several threads. Starting these for each batch takes most of the time, so other
// harnesses use none.
#include "batches.hpp"
#include "harness.hpp"
#include "input.hpp"

namespace torchac::fuzz {

void run(Input input) { check_batch(input, 2 + input.below(4)); }

}  // namespace torchac::fuzz
