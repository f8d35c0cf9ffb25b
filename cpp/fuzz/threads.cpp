// Batches on several threads. They are started for each, which is what takes the time: so other
// harnesses have none.
#include "batches.hpp"
#include "harness.hpp"
#include "input.hpp"

namespace torchac::fuzz {

void run(Input input) { check_batch(input, 2 + input.below(4)); }

}  // namespace torchac::fuzz
