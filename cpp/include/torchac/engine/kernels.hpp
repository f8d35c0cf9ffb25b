// Kernels: the functions that are compiled for each instruction set, and the choice among them.
#pragma once

#include <span>

#include "torchac/engine/job.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// As those of core.hpp, which looks at rows first.
struct Kernels {
  Report (*check)(CdfJobs jobs, Check check, Poll& poll);
  Report (*encode)(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team);
  Report (*decode)(std::span<const DecodeJob> jobs, ThreadTeam& team);
  Report (*measure)(const MeasureJob& job, Poll& poll);
  Report (*quantize)(const QuantizeJob& job, Poll& poll);
  Report (*encode_values)(std::span<const EncodeValuesJob> jobs, ThreadTeam& team);
  Report (*decode_values)(std::span<const DecodeValuesJob> jobs, ThreadTeam& team);
  Report (*measure_values)(const MeasureValuesJob& job, Poll& poll);
  Report (*tabulate)(const TabulateJob& job, Poll& poll);
  const SimdLoops* simd;  // none for the baseline
};

// Those for this processor.
const Kernels& kernels();

}  // namespace torchac
