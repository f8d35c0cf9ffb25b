// Kernels: the functions that are compiled for each instruction set, and the choice among them.
#pragma once

#include <span>

#include "torchac/engine/job.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// As those of core.hpp.
struct Kernels {
  Report (*encode)(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team);
  Report (*decode)(std::span<const DecodeJob> jobs, Check check, ThreadTeam& team);
  Report (*measure)(const MeasureJob& job, Check check, Poll& poll);
  Report (*quantize)(const QuantizeJob& job, Poll& poll);
  const SimdLoops* simd;  // none for the baseline
};

// Those for this processor.
const Kernels& kernels();

}  // namespace torchac
