// Threads that share work.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

#include "torchac/support/float_mode.hpp"
#include "torchac/support/poll.hpp"

namespace torchac {

// The calling thread and helpers, which the destructor joins. Threads exit slowly, so destroy the
// team late, to overlap that with other work.
class ThreadTeam {
 public:
  // A team of `size` threads, at least one. The calling thread polls while it works or waits.
  explicit ThreadTeam(std::size_t size, Poll poll = {})
      : size_(std::max<std::size_t>(size, 1)), poll_(poll) {}
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ~ThreadTeam() {
    for (std::thread& helper : helpers_) helper.join();
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  // The poll of the calling thread.
  [[nodiscard]] Poll& poll() { return poll_; }

  // Runs `work`, which takes a Poll, on `threads` threads, including the calling one, or on fewer
  // if the system has no more. If one of them throws, calls `cancel`, which makes the others end,
  // and then rethrows. Returns how many threads it started.
  template <class Work, class Cancel>
  std::size_t run(std::size_t threads, const Work& work, const Cancel& cancel) {
    if (threads == 1) {
      work(poll_);
      return 0;
    }
    std::vector<std::exception_ptr> failures(threads);
    const auto guarded = [&](std::size_t thread, const auto& part) {
      try {
        part();
      } catch (...) {
        failures[thread] = std::current_exception();
        cancel();
      }
    };
    const auto help = [&](std::size_t thread) {
      guarded(thread, [&] {
        Poll never;
        work(never);
      });
    };
    helpers_.reserve(threads - 1);
    std::size_t started = 1;
    while (started < threads && start(help, started)) ++started;
    guarded(0, [&] { work(poll_); });
    while (busy_ > 0) guarded(0, [&] { await(); });
    for (const std::exception_ptr& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    return started - 1;
  }

 private:
  template <class Work>
  bool start(const Work& work, std::size_t thread) {
    ++busy_;
    try {
      helpers_.emplace_back([this, &work, thread] {
        const StandardFloats floats;
        work(thread);
        --busy_;  // after this, the thread does not touch the work
      });
      return true;
    } catch (...) {
      --busy_;
      return false;
    }
  }

  // Waits for the helpers. Spins at first, because a sleeping thread wakes up late, then sleeps.
  void await() {
    using Clock = std::chrono::steady_clock;
    const auto spin_until = Clock::now() + std::chrono::microseconds(200);
    while (busy_ > 0) {
      if (Clock::now() < spin_until) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        poll_.now();
      }
    }
  }

  std::size_t size_;
  Poll poll_;
  std::atomic<std::size_t> busy_{0};  // helpers
  std::vector<std::thread> helpers_;
};

}  // namespace torchac
