// Many streams at once: on each thread several lanes in turn, and threads that share the streams.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "torchac/abreast.hpp"
#include "torchac/report.hpp"

namespace torchac {

// As many lanes as keep a processor busy; a power of two.
inline constexpr std::size_t kLanesInTurn = 4;

// The most lanes that a thread is at work on.
template <class AnyLane>
inline constexpr std::size_t kMostLanes = AnyLane::kGoesAbreast ? kMostAbreast : kLanesInTurn;

template <class AnyLane>
std::size_t most_lanes() {
  return AnyLane::kGoesAbreast && can_go_abreast() ? kMostAbreast : kLanesInTurn;
}

// The streams 0 ... count - 1, and who codes which. Of several problems the one in the first
// stream is reported, whatever the threads did when.
class Queue {
 public:
  explicit Queue(std::size_t count) : count_(count) {}

  [[nodiscard]] std::optional<std::size_t> next() {
    const std::size_t item = next_.fetch_add(1, std::memory_order_relaxed);
    return item < count_ ? std::optional(item) : std::nullopt;
  }

  // No more streams are begun; those that were are coded to their end.
  void stop() { next_.store(count_, std::memory_order_relaxed); }

  void refuse(std::size_t item, Report report) {
    stop();
    const std::scoped_lock lock(mutex_);
    report.item = static_cast<std::int64_t>(item);
    if (report_.ok() || report.item < report_.item) report_ = report;
  }

  [[nodiscard]] const Report& report() const { return report_; }

 private:
  std::size_t count_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  Report report_;
};

// Lanes that one thread codes in turn. `make(i)` makes the lane of stream i.
template <class AnyLane, class Make>
class Turns {
 public:
  Turns(Queue& queue, const Make& make, std::size_t lanes)
      : queue_(queue), make_(make), lanes_(lanes) {}

  void run() {
    for (std::size_t active = gather(); active > 0; active = gather())
      code<kMostLanes<AnyLane>>(active_.data(), active);
  }

 private:
  struct Slot {
    std::optional<AnyLane> lane;
    std::size_t item = 0;
  };

  // Finds the lanes that have something to code, and tells how many.
  std::size_t gather() {
    std::size_t active = 0;
    for (std::size_t k = 0; k < lanes_; ++k) {
      if (ready(slots_[k])) active_[active++] = &*slots_[k].lane;
    }
    return active;
  }

  // Brings a slot to a stream with a block to code; false if there is none left.
  bool ready(Slot& slot) {
    for (;;) {
      if (slot.lane && !slot.lane->done()) {
        if (slot.lane->left_in_block() > 0) return true;
        slot.lane->fill();
        continue;
      }
      if (slot.lane && !slot.lane->report().ok()) queue_.refuse(slot.item, slot.lane->report());
      slot.lane.reset();
      const auto item = queue_.next();
      if (!item) return false;
      slot.item = *item;
      slot.lane.emplace(make_(*item));
    }
  }

  // How many symbols each of the lanes has left in its block.
  template <std::size_t kLanes>
  static std::size_t symbols_of_all(const std::array<AnyLane*, kLanes>& lanes) {
    std::size_t symbols = lanes[0]->left_in_block();
    for (const AnyLane* lane : lanes) symbols = std::min(symbols, lane->left_in_block());
    return symbols;
  }

  // Takes as many lanes at a time as there are: whole groups abreast, or powers of two.
  template <std::size_t kLanes>
  static void code(AnyLane** lanes, std::size_t count) {
    if (count >= kLanes) {
      std::array<AnyLane*, kLanes> now;
      std::copy_n(lanes, kLanes, now.begin());
      code(now);
      lanes += kLanes;
      count -= kLanes;
    }
    if constexpr (kLanes > kGroup) {
      code<kLanes - kGroup>(lanes, count);
    } else if constexpr (kLanes > 1) {
      code<kLanes / 2>(lanes, count);
    }
  }

  template <std::size_t kLanes>
  static void code(const std::array<AnyLane*, kLanes>& lanes) {
    const std::size_t symbols = symbols_of_all(lanes);
    if constexpr (AnyLane::kGoesAbreast && kLanes % kGroup == 0) {
      if (can_go_abreast()) return AnyLane::code(abreast<kLanes>(), lanes, symbols);
    }
    if constexpr (kLanes <= kLanesInTurn) AnyLane::code(lanes, symbols);
  }

  Queue& queue_;
  const Make& make_;
  std::size_t lanes_;
  std::array<Slot, kMostLanes<AnyLane>> slots_;
  std::array<AnyLane*, kMostLanes<AnyLane>> active_{};
};

// Waits awake for others that are about to be done: a thread that sleeps is woken up late.
inline void await(const std::atomic<std::size_t>& busy) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::microseconds(200);
  while (busy.load(std::memory_order_relaxed) > 0 && Clock::now() < end) std::this_thread::yield();
}

// Codes the streams 0 ... count - 1 on this thread and `threads - 1` more, which end with the call.
template <class AnyLane, class Make>
Report code_all(std::size_t count, std::size_t threads, const Make& make) {
  Queue queue(count);
  threads = std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(count, 1));
  // No thread takes more streams at a time than its share.
  const std::size_t lanes = std::min(most_lanes<AnyLane>(), (count + threads - 1) / threads);
  std::vector<std::exception_ptr> failures(threads);
  std::atomic<std::size_t> busy{0};  // of the other threads
  const auto work = [&](std::size_t thread) {
    try {
      Turns<AnyLane, Make>(queue, make, lanes).run();
    } catch (...) {
      failures[thread] = std::current_exception();
      queue.stop();
    }
  };

  std::vector<std::thread> others;
  for (std::size_t i = 1; i < threads; ++i) {
    ++busy;
    try {
      others.emplace_back([&, i] {
        work(i);
        --busy;
      });
    } catch (...) {  // the system has no more threads: fewer do the work
      --busy;
      break;
    }
  }
  work(0);
  await(busy);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return queue.report();
}

}  // namespace torchac
