// Many streams at once: threads that share them, on each of them several lanes in turn.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>

#include "torchac/abreast.hpp"
#include "torchac/crew.hpp"
#include "torchac/paths.hpp"
#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/sources.hpp"

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

  // No more is coded.
  void cancel() {
    stop();
    cancelled_.store(true, std::memory_order_relaxed);
  }

  [[nodiscard]] bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  void refuse(std::size_t item, Report report) {
    stop();
    const std::scoped_lock lock(mutex_);
    report.item = static_cast<std::int64_t>(item);
    if (report_.ok() || report.item < report_.item) report_ = report;
  }

  [[nodiscard]] const Report& report() const { return report_; }

 private:
  // No more streams are begun; those that were are coded to their end.
  void stop() { next_.store(count_, std::memory_order_relaxed); }

  std::size_t count_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> cancelled_{false};
  std::mutex mutex_;
  Report report_;
};

// Lanes that one thread codes in turn. `begin(lane, i)` makes a lane that of stream i.
template <class AnyLane, class Begin>
class Turns {
 public:
  Turns(Queue& queue, Poll& poll, const Begin& begin, std::size_t lanes)
      : queue_(queue), poll_(poll), begin_(begin), lanes_(lanes) {}

  void run() {
    for (std::size_t active = gather(); active > 0 && !queue_.cancelled(); active = gather()) {
      code<kMostLanes<AnyLane>>(active_.data(), active);
      poll_.after(active * kBlock);
    }
  }

 private:
  struct Slot {
    // Not constexpr: where it is, compilers clear the lane's memory, which takes longer than coding
    // a few symbols.
    Slot() {}  // NOLINT(modernize-use-equals-default)

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
      begin_(slot.lane, *item);
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
      if (can_go_abreast()) {
        count(Path::kAbreast);
        return AnyLane::code(abreast<kLanes>(), lanes, symbols);
      }
    }
    if constexpr (kLanes <= kLanesInTurn) AnyLane::code(lanes, symbols);
  }

  Queue& queue_;
  Poll& poll_;
  const Begin& begin_;
  std::size_t lanes_;
  std::array<Slot, kMostLanes<AnyLane>> slots_;
  std::array<AnyLane*, kMostLanes<AnyLane>> active_{};
};

// Codes the streams 0 ... count - 1.
template <class AnyLane, class Begin>
Report code_all(std::size_t count, Crew& crew, const Begin& begin) {
  Queue queue(count);
  const std::size_t threads = std::clamp<std::size_t>(count, 1, crew.size());
  // No thread takes more streams at a time than its share.
  const std::size_t lanes = std::min(most_lanes<AnyLane>(), (count + threads - 1) / threads);
  crew.run(
      threads, [&](Poll& poll) { Turns<AnyLane, Begin>(queue, poll, begin, lanes).run(); },
      [&] { queue.cancel(); });
  return queue.report();
}

}  // namespace torchac
