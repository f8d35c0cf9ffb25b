// The scheduler's interface to tasks of one type.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>

#include "torchac/engine/scheduler.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/stream_task.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// `begin(memory, i)` makes the task of stream i.
template <class Task, class Begin>
class Tasks final : public TaskKind {
 public:
  explicit Tasks(const Begin& begin) : begin_(begin) {}

  [[nodiscard]] std::size_t size() const override { return sizeof(Task); }

  [[nodiscard]] std::size_t max_streams() const override { return Task::kMaxStreams; }

  // A multiple of four, then two, then one; or any number in lanes, if there are enough.
  [[nodiscard]] std::size_t at_once(std::size_t count) const override {
    const std::size_t now = std::min(count, max_streams());
    if (Task::kInLanes && now >= kFewestInLanes) return now;
    return now >= kInterleave ? now - now % kInterleave : std::min<std::size_t>(now, 2);
  }

  StreamTask* begin(void* memory, std::size_t i) const override {
    static_assert(alignof(Task) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    Task* const task = begin_(memory, i);
    return task;
  }

  void code(StreamTask* const* tasks, std::size_t streams, std::size_t steps) const override {
    if constexpr (Task::kInLanes) {
      if (streams >= kFewestInLanes) return Task::code_lanes({tasks, streams}, steps);
    }
    if (streams == 1) return Task::code(of_type<1>(tasks), steps);
    if constexpr (Task::kMaxStreams > 1) {
      if (streams == 2) return Task::code(of_type<2>(tasks), steps);
      if constexpr (Task::kSimd) {
        if (streams == 4) return Task::code_simd(of_type<4>(tasks), steps);
        if (streams == 8) return Task::code_simd(of_type<8>(tasks), steps);
        Task::code_simd(of_type<12>(tasks), steps);
      } else {
        Task::code(of_type<kInterleave>(tasks), steps);
      }
    }
  }

 private:
  // With fewer streams, empty lanes would cost more than interleaving.
  static constexpr std::size_t kFewestInLanes = 3;

  template <std::size_t kStreams>
  static std::array<Task*, kStreams> of_type(StreamTask* const* tasks) {
    std::array<Task*, kStreams> result;
    for (std::size_t k = 0; k < kStreams; ++k) result[k] = static_cast<Task*>(tasks[k]);
    return result;
  }

  const Begin& begin_;
};

// Codes the streams 0 ... count - 1 with tasks of that type.
template <class Task, class Begin>
Report run_tasks_of(std::size_t count, ThreadTeam& team, const Begin& begin) {
  return run_tasks(count, team, Tasks<Task, Begin>(begin));
}

TORCHAC_END_TARGET
