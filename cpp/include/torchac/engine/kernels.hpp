// Kernels: the functions that are compiled for each instruction set, and the choice among them.
#pragma once

#include <span>

#include "torchac/engine/job.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// The functions of core.hpp, after it has checked rows. There is at least one job.
struct Kernels {
  Report (*check)(Jobs jobs, Poll& poll);
  Report (*encode)(std::span<const EncodeJob> jobs, ThreadTeam& team);
  Report (*decode)(std::span<const DecodeJob> jobs, ThreadTeam& team);
  Report (*measure)(const MeasureJob& job, Poll& poll);
  Report (*quantize)(const QuantizeJob& job, Poll& poll);
  Report (*tabulate)(const TabulateJob& job, Poll& poll);
  const SimdLoops* simd;  // null for the baseline
};

// The kernels for this processor.
const Kernels& kernels();

}  // namespace torchac
