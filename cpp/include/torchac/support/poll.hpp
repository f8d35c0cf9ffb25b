// Polls for signals and the like now and then during a long call.
#pragma once

#include <chrono>
#include <cstddef>

namespace torchac {

class Poll {
 public:
  Poll() = default;  // never looks
  // Calls `look`, which may throw to end the call.
  explicit Poll(void (*look)()) : look_(look) {}

  // Says that so many symbols or values were worked on.
  void after(std::size_t work) {
    work_ += work;
    if (work_ < kWork || look_ == nullptr) return;
    work_ = 0;
    now();
  }

  // The same where nothing is worked on.
  void now() {
    if (look_ == nullptr) return;
    if (next_ == Clock::time_point()) next_ = Clock::now() + kInterval;
    if (Clock::now() < next_) return;
    look_();
    next_ = Clock::now() + kInterval;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Short for a person, long for a thread that has to wait for Python's lock in order to look.
  static constexpr std::chrono::milliseconds kInterval{50};
  // The clock takes 25 ns, so many symbols 10 us or more. Of the slowest symbols, with rows that
  // are read from memory value by value, they take 20 ms.
  static constexpr std::size_t kWork = 4096;

  void (*look_)() = nullptr;
  Clock::time_point next_;  // when to look; set by the first call, as few symbols need no clock
  std::size_t work_ = 0;
};

}  // namespace torchac
