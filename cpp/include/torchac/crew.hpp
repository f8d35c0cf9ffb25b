// Threads that share work.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace torchac {

// This thread and others, which end with the crew. A thread takes a while to end after its work is
// done: whoever lets go of the crew late need not wait for that.
class Crew {
 public:
  // Of `size` threads, one at least.
  explicit Crew(std::size_t size) : size_(std::max<std::size_t>(size, 1)) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() { join(); }

  [[nodiscard]] std::size_t size() const { return size_; }

  // Has `work` done by `threads` of them, this one among them: fewer, if the system has no more.
  // Throws what one of them threw.
  template <class Work>
  void run(std::size_t threads, const Work& work) {
    std::vector<std::exception_ptr> failures(threads);
    const auto guarded = [&](std::size_t thread) {
      try {
        work();
      } catch (...) {
        failures[thread] = std::current_exception();
      }
    };
    std::size_t started = 1;
    while (started < threads && start(guarded, started)) ++started;
    guarded(0);
    await();
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
      return true;
    } catch (...) {
      --busy_;
      return false;
    }
  }

  // Waits awake for others that are about to be done: a thread that sleeps is woken up late.
  void await() {
    if (busy_ == 0) return;
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::microseconds(200);
    while (busy_ > 0) {
      if (Clock::now() > end) return join();
      std::this_thread::yield();
    }
  }

  void join() {
    for (std::thread& other : others_) other.join();
    others_.clear();
  }

  std::size_t size_;
  std::atomic<std::size_t> busy_{0};  // of the others
  std::vector<std::thread> others_;
};

}  // namespace torchac
