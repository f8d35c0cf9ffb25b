// Counts code paths, so that tests can check that the fast ones are taken.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace torchac {

enum class FastPath : std::uint8_t {
  kThread,       // a thread was started
  kEncodeLut,    // lookup tables were made for encoding
  kDecodeLut,    // lookup tables were made for decoding
  kSharedRows,   // rows of shared elements were computed
  kTrees,        // trees of shared categories were made
  kSimdSearch,   // rows were searched by SIMD
  kSimdStreams,  // a block of several streams was coded by SIMD across streams
  kLanes,        // a block of several streams was decoded in lanes
  kCount
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(FastPath::kCount)>
    kPathNames{"thread", "encode lookup table", "decode lookup table", "shared rows",
               "trees",  "SIMD search",         "SIMD across streams", "lanes"};

inline std::array<std::atomic<std::uint64_t>, kPathNames.size()> path_counts{};

inline void record(FastPath path, std::uint64_t times = 1) {
  path_counts[static_cast<std::size_t>(path)].fetch_add(times, std::memory_order_relaxed);
}

}  // namespace torchac
