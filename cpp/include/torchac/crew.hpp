// Threads that share work.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

#include "torchac/paths.hpp"
#include "torchac/poll.hpp"

namespace torchac {

// This thread and others, which end with the crew. A thread takes a while to end after its work is
// done: whoever lets go of the crew late need not wait for that.
class Crew {
 public:
  // Of `size` threads, one at least. This one polls while it works or waits.
  explicit Crew(std::size_t size, Poll poll = {})
      : size_(std::max<std::size_t>(size, 1)), poll_(poll) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() { join(); }

  [[nodiscard]] std::size_t size() const { return size_; }

  // For this thread.
  [[nodiscard]] Poll& poll() { return poll_; }

  // Has `work`, which takes a Poll, done by `threads` of them, this one among them: fewer, if the
  // system has no more. Where one of them throws, `cancel` is called, which makes the others end,
  // and then that is thrown.
  template <class Work, class Cancel>
  void run(std::size_t threads, const Work& work, const Cancel& cancel) {
    std::vector<std::exception_ptr> failures(threads);
    const auto guarded = [&](std::size_t thread, const auto& part) {
      try {
        part();
      } catch (...) {
        failures[thread] = std::current_exception();
        cancel();
      }
    };
    const auto others_work = [&](std::size_t thread) {
      guarded(thread, [&] {
        Poll never;
        work(never);
      });
    };
    others_.reserve(threads - 1);
    std::size_t started = 1;
    while (started < threads && start(others_work, started)) ++started;
    guarded(0, [&] { work(poll_); });
    while (busy_ > 0) guarded(0, [&] { await(); });
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
  }

 private:
  template <class Work>
  bool start(const Work& work, std::size_t thread) {
    ++busy_;
    try {
      others_.emplace_back([this, &work, thread] {
        work(thread);
        --busy_;  // and then touches nothing of the work
      });
      count(Path::kThread);
      return true;
    } catch (...) {
      --busy_;
      return false;
    }
  }

  // Waits awake for others that are about to be done, as a thread that sleeps is woken up late; if
  // it takes longer, asleep.
  void await() {
    using Clock = std::chrono::steady_clock;
    const auto about = Clock::now() + std::chrono::microseconds(200);
    while (busy_ > 0) {
      if (Clock::now() < about) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        poll_.now();
      }
    }
  }

  void join() {
    for (std::thread& other : others_) other.join();
  }

  std::size_t size_;
  Poll poll_;
  std::atomic<std::size_t> busy_{0};  // of the others
  std::vector<std::thread> others_;
};

}  // namespace torchac
