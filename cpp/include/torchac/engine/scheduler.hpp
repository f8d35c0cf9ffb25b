// The scheduler: threads take streams from a shared queue, and each interleaves several to hide
// latency. The next symbol of a stream waits for the last one, so a processor with only one stream
// is mostly idle.
#pragma once

#include <cstddef>

#include "torchac/engine/stream_task.hpp"
#include "torchac/error.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// The interleaving factor without SIMD: four independent dependency chains keep the execution units
// busy.
inline constexpr std::size_t kInterleave = 4;

// The most streams that a thread interleaves.
inline constexpr std::size_t kMaxLaneStreams = 24;

// Codes the streams 0 ... count - 1. Reports the problem of the first stream that has one, for any
// timing of the threads.
Report run_tasks(std::size_t count, ThreadTeam& team, const TaskKind& kind);

}  // namespace torchac
