// Lets allocations fail.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace torchac::test {

inline constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

// By `new`, until one fails, in all threads together.
extern std::atomic<std::int64_t> allocations_left;

}  // namespace torchac::test
