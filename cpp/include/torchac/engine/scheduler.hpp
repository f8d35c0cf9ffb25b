// Batch scheduler: threads take streams from a shared queue, and each interleaves several to hide
// latency: the next symbol of a stream waits for the last one, so a processor that has only one
// stream to work on is mostly idle.
#pragma once

#include <cstddef>

#include "torchac/engine/stream_task.hpp"
#include "torchac/error.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// Interleaving factor without SIMD: four independent dependency chains keep the execution units
// busy.
inline constexpr std::size_t kInterleave = 4;

// Codes the streams 0 ... count - 1. Of several problems the one in the first stream is reported,
// whatever the threads did when.
Report run_tasks(std::size_t count, ThreadTeam& team, const TaskKind& kind);

}  // namespace torchac
