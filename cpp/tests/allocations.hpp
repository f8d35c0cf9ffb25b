// Lets allocations fail.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <new>

namespace torchac::test {

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

// Allocations by `new` until one fails, in all threads together.
extern std::atomic<std::int64_t> allocations_left;

// Bytes that were allocated by `new` and not yet deleted.
extern std::atomic<std::int64_t> bytes_in_use;

// Calls `code` with a failure of the first, the second ... allocation, until it succeeds. Returns
// how many failed.
template <class Code>
int fail_each_allocation(const Code& code) {
  for (int n = 0;; ++n) {
    bool failed = false;
    allocations_left = n;
    try {
      code();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    allocations_left = kNoLimit;
    if (!failed) return n;
  }
}

}  // namespace torchac::test
