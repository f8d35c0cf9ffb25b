// Polls for signals and the like from time to time during a long call.
#pragma once

#include <chrono>
#include <cstddef>

namespace torchac {

class Poll {
 public:
  Poll() = default;  // never looks
  // Calls `look`, which may throw to end the call.
  explicit Poll(void (*look)()) : look_(look) {}

  // Reports `work` more symbols or values, and looks if it is time.
  void after(std::size_t work) {
    work_ += work;
    if (work_ < kWork || look_ == nullptr) return;
    work_ = 0;
    now();
  }

  // Looks if it is time, without work.
  void now() {
    if (look_ == nullptr) return;
    if (next_ == Clock::time_point()) next_ = Clock::now() + kInterval;
    if (Clock::now() < next_) return;
    look_();
    next_ = Clock::now() + kInterval;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Short for a person, but long for a thread, which must wait for Python's lock to look.
  static constexpr std::chrono::milliseconds kInterval{50};
  // Reading the clock takes 25 ns. This many symbols take 10 us or more, and at most 20 ms, if rows
  // are read from memory value by value.
  static constexpr std::size_t kWork = 4096;

  void (*look_)() = nullptr;
  Clock::time_point next_;  // when to look; set by the first call, so few symbols read no clock
  std::size_t work_ = 0;
};

}  // namespace torchac
