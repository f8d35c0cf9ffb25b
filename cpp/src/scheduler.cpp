#include "torchac/engine/scheduler.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "torchac/arrays/block.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/stream_task.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {
namespace {

// The queue of streams that have not begun, and the first problem.
class StreamQueue {
 public:
  explicit StreamQueue(std::size_t count) : count_(count) {}

  [[nodiscard]] std::optional<std::size_t> next() {
    const std::size_t stream = next_.fetch_add(1, std::memory_order_relaxed);
    return stream < count_ ? std::optional(stream) : std::nullopt;
  }

  // Stops all coding.
  void cancel() {
    stop();
    cancelled_.store(true, std::memory_order_relaxed);
  }

  [[nodiscard]] bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  void refuse(std::size_t stream, Report report) {
    stop();
    const std::scoped_lock lock(mutex_);
    report.item = static_cast<std::int64_t>(stream);
    if (report_.ok() || report.item < report_.item) report_ = report;
  }

  [[nodiscard]] const Report& report() const { return report_; }

 private:
  // Begins no more streams; those that have begun are coded to their ends.
  void stop() { next_.store(count_, std::memory_order_relaxed); }

  std::size_t count_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  Report report_;
};

// A task, or none, in memory that the tasks of many streams use one after the other.
class TaskSlot {
 public:
  TaskSlot() = default;
  TaskSlot(const TaskSlot&) = delete;
  TaskSlot& operator=(const TaskSlot&) = delete;
  ~TaskSlot() { clear(); }

  void begin(const TaskKind& kind, std::size_t stream) {
    clear();
    if (memory_ == nullptr) {
      owned_.reset(new std::byte[kind.size()]);
      memory_ = owned_.get();
    }
    task_ = kind.begin(memory_, stream);
    stream_ = stream;
  }

  // Lends memory for tasks.
  void lend(std::byte* memory) { memory_ = memory; }

  void clear() {
    if (task_ != nullptr) std::destroy_at(task_);
    task_ = nullptr;
  }

  [[nodiscard]] StreamTask* task() const { return task_; }
  [[nodiscard]] std::size_t stream() const { return stream_; }

 private:
  // NOLINTNEXTLINE(modernize-avoid-c-arrays): not cleared, which takes longer than a few symbols
  std::unique_ptr<std::byte[]> owned_;
  std::byte* memory_ = nullptr;
  StreamTask* task_ = nullptr;
  std::size_t stream_ = 0;
};

// The work of one thread, which interleaves as many streams as it has slots.
class Interleaver {
 public:
  Interleaver(StreamQueue& queue, Poll& poll, const TaskKind& kind, std::size_t slots)
      : queue_(queue), poll_(poll), kind_(kind), num_slots_(slots) {
    if (kind.size() <= first_.size()) slots_[0].lend(first_.data());
  }

  void run() {
    for (std::size_t active = gather(); active > 0 && !queue_.cancelled(); active = gather()) {
      code(active);
      poll_.after(active * kBlock);
    }
  }

 private:
  // Finds the tasks that have steps to code, and returns their number.
  std::size_t gather() {
    std::size_t active = 0;
    for (std::size_t k = 0; k < num_slots_; ++k) {
      if (ready(slots_[k])) active_[active++] = slots_[k].task();
    }
    return active;
  }

  // Gives a slot a stream with a block to code; false if none is left.
  bool ready(TaskSlot& slot) {
    for (;;) {
      StreamTask* const task = slot.task();
      if (task != nullptr && !task->done()) {
        if (task->steps_left() > 0) return true;
        task->fill();
        continue;
      }
      if (task != nullptr && !task->report().ok()) queue_.refuse(slot.stream(), task->report());
      slot.clear();
      const auto stream = queue_.next();
      if (!stream) return false;
      slot.begin(kind_, *stream);
    }
  }

  void code(std::size_t count) const {
    for (StreamTask* const* tasks = active_.data(); count > 0;) {
      const std::size_t now = kind_.at_once(count);
      std::size_t steps = kBlock;
      for (std::size_t k = 0; k < now; ++k) steps = std::min(steps, tasks[k]->steps_left());
      kind_.code(tasks, now, steps);
      tasks += now;
      count -= now;
    }
  }

  StreamQueue& queue_;
  Poll& poll_;
  const TaskKind& kind_;
  std::size_t num_slots_;
  // Memory of the first slot, not cleared. Allocating it would take as long as coding a few
  // symbols, and many calls code no more. It holds a block of addresses and one of 32-bit symbols.
  struct alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) Memory : std::array<std::byte, 16 * kBlock> {};
  Memory first_;
  std::array<TaskSlot, kMaxLaneStreams> slots_;
  std::array<StreamTask*, kMaxLaneStreams> active_{};
};

}  // namespace

Report run_tasks(std::size_t count, ThreadTeam& team, const TaskKind& kind) {
  StreamQueue queue(count);
  const std::size_t threads = std::clamp<std::size_t>(count, 1, team.size());
  // No thread interleaves more streams than its share.
  const std::size_t slots = std::min(kind.max_streams(), (count + threads - 1) / threads);
  const std::size_t started = team.run(
      threads, [&](Poll& poll) { Interleaver(queue, poll, kind, slots).run(); },
      [&] { queue.cancel(); });
  record(FastPath::kThread, started);
  return queue.report();
}

}  // namespace torchac
