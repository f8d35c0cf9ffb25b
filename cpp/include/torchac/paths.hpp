// Counts the ways that calls took, so that tests can see that the fast ones are taken.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace torchac {

enum class Path : std::uint8_t {
  kThread,          // one was started
  kIntervalTables,  // tables were prepared for encoding,
  kLookupTables,    // for decoding
  kSearch,          // rows were searched by vector code
  kAbreast,         // a block of several streams was coded by vector code
  kCount
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(Path::kCount)> kPathNames{
    "thread", "interval tables", "lookup tables", "search", "abreast"};

inline std::array<std::atomic<std::uint64_t>, kPathNames.size()> path_counts{};

inline void count(Path path) {
  path_counts[static_cast<std::size_t>(path)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace torchac
