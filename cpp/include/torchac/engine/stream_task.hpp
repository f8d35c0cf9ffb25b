// The state of coding a stream in blocks of symbols.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/error.hpp"

namespace torchac {

// The progress of a stream, or of several that are coded in turn. A block has one step for each
// symbol, or several if a source codes a symbol in several intervals.
class StreamTask {
 public:
  StreamTask(const StreamTask&) = delete;
  StreamTask& operator=(const StreamTask&) = delete;
  virtual ~StreamTask() = default;

  // Reads the next block.
  virtual void fill() = 0;

  [[nodiscard]] bool done() const {
    return !report_.ok() || (unread_ == 0 && steps_left() == 0 && fault_.problem == Problem::kNone);
  }
  [[nodiscard]] std::size_t steps_left() const { return end_ - next_; }
  [[nodiscard]] const Report& report() const { return report_; }

 protected:
  explicit StreamTask(std::int64_t symbols) : unread_(symbols) {}

  [[nodiscard]] std::size_t symbols_to_read() const {
    return static_cast<std::size_t>(std::min<std::int64_t>(unread_, kBlock));
  }

  // Begins a block of `steps` steps, which code its `readable` symbols.
  void begin_block(const ReadableBlock& readable, std::size_t steps) {
    if (readable.count < symbols_to_read()) fault_ = readable.fault;
    first_ += static_cast<std::int64_t>(in_block_);
    in_block_ = readable.count;
    unread_ -= static_cast<std::int64_t>(in_block_);
    next_ = 0;
    end_ = steps;
    advance(0);
  }

  // The next step in the block.
  [[nodiscard]] std::size_t next() const { return next_; }

  // Codes steps by calls of `code(stream, steps)`, one for each stream that they belong to.
  // `symbol(i)` maps step i to its symbol in the block. Each stream has `each` consecutive symbols.
  template <class Symbol, class Code>
  void take_turns(std::size_t steps, std::int64_t each, const Symbol& symbol, const Code& code) {
    const std::size_t end = next_ + steps;
    while (next_ < end && report_.ok()) {
      const std::int64_t stream = (first_ + static_cast<std::int64_t>(symbol(next_))) / each;
      const std::int64_t behind = (stream + 1) * each - first_;
      std::size_t to = next_ + 1;
      while (to < end && std::cmp_less(symbol(to), behind)) ++to;
      code(stream, to - next_);
    }
  }

  void advance(std::size_t steps) {
    next_ += steps;
    if (next_ == end_ && fault_.problem != Problem::kNone) stop(in_block_, fault_);
  }

  // Ends the task at a symbol of the block.
  void stop(std::size_t symbol, Fault fault) {
    report_ = {fault.problem, 0, first_ + static_cast<std::int64_t>(symbol), fault.column};
  }

 private:
  std::int64_t unread_;       // symbols
  std::int64_t first_ = 0;    // the first symbol of the block
  std::size_t in_block_ = 0;  // symbols
  std::size_t next_ = 0;      // the next step
  std::size_t end_ = 0;       // the number of steps
  Fault fault_;               // of the symbol after the block, if it cannot be read
  Report report_;
};

// The interface of a type of tasks for the scheduler.
class TaskKind {
 public:
  TaskKind() = default;
  TaskKind(const TaskKind&) = delete;
  TaskKind& operator=(const TaskKind&) = delete;
  virtual ~TaskKind() = default;

  // The size of a task in bytes.
  [[nodiscard]] virtual std::size_t size() const = 0;

  // The most tasks that `code` takes, and those that it takes if `count` are ready.
  [[nodiscard]] virtual std::size_t max_streams() const = 0;
  [[nodiscard]] virtual std::size_t at_once(std::size_t count) const = 0;

  // Makes the task of stream i in that memory, aligned as by new.
  virtual StreamTask* begin(void* memory, std::size_t i) const = 0;

  // Codes `steps` steps of each task, or until one stops. All tasks must have that many steps in
  // their blocks. `streams` comes from `at_once`.
  virtual void code(StreamTask* const* tasks, std::size_t streams, std::size_t steps) const = 0;
};

}  // namespace torchac
