// Batches on one thread, which codes several streams interleaved or by SIMD.
#include "batches.hpp"
#include "harness.hpp"
#include "input.hpp"

namespace torchac::fuzz {

void run(Input input) { check_batch(input, 1); }

}  // namespace torchac::fuzz
