// A lock for an object that one thread uses at a time. Unlike a mutex, it detects when waiting
// would never end: in a signal handler that interrupted the owner, and in a forked process, which
// does not have the owner.
#pragma once

#include <atomic>
#include <cstdint>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace torchac {

// The number of forks that led to this process.
inline std::atomic<std::uint32_t> forks{0};
#if !defined(_WIN32)
inline const int forks_are_counted = pthread_atfork(nullptr, nullptr, [] { ++forks; });
#endif

class ObjectLock {
 public:
  enum class Result : std::uint8_t {
    kTaken,
    kBusy,       // another thread owns it
    kReentered,  // this thread owns it
    kForked      // its owner is in an ancestor of this process
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

  // The number of forks, and the number of the thread in this process, from 1 on.
  static std::uint64_t this_thread() {
    static std::atomic<std::uint32_t> threads{0};
    thread_local const std::uint32_t number = ++threads;
    return std::uint64_t{forks} << 32 | number;
  }

  std::atomic<std::uint64_t> owner_{kFree};
};

}  // namespace torchac
