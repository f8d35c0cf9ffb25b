// A lock for an object that one thread uses at a time. Unlike a mutex it can tell when waiting
// would never end: in a signal handler that interrupted the thread that has it, and after a fork,
// in the process that has no such thread.
#pragma once

#include <atomic>
#include <cstdint>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace torchac {

// Forks that led to this process.
inline std::atomic<std::uint32_t> forks{0};
#if !defined(_WIN32)
inline const int forks_are_counted = pthread_atfork(nullptr, nullptr, [] { ++forks; });
#endif

class ObjectLock {
 public:
  enum class Result : std::uint8_t {
    kTaken,
    kBusy,       // another thread has it
    kReentered,  // this thread has it
    kForked      // a thread has it that was left behind by a fork
  };

  [[nodiscard]] Result try_lock() {
    std::uint64_t owner = kFree;
    const std::uint64_t me = this_thread();
    if (owner_.compare_exchange_strong(owner, me, std::memory_order_acquire)) return Result::kTaken;
    if (owner == me) return Result::kReentered;
    return owner >> 32 == me >> 32 ? Result::kBusy : Result::kForked;
  }

  void unlock() { owner_.store(kFree, std::memory_order_release); }

 private:
  static constexpr std::uint64_t kFree = 0;

  // In this process: the forks, and the number of the thread, from 1 on.
  static std::uint64_t this_thread() {
    static std::atomic<std::uint32_t> threads{0};
    thread_local const std::uint32_t number = ++threads;
    return std::uint64_t{forks} << 32 | number;
  }

  std::atomic<std::uint64_t> owner_{kFree};
};

}  // namespace torchac
