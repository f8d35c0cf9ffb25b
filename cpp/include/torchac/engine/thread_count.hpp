// Estimates the time of jobs on one thread, and how many threads repay their start-up cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "torchac/engine/job.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"

namespace torchac {

// Nanoseconds, from benchmarks/notes.md.
inline constexpr std::int64_t kPerSharedRow = 4;
inline constexpr std::int64_t kPerOwnRow = 20;
inline constexpr std::int64_t kPerComponent = 16;
inline constexpr std::int64_t kPerCategory = 1;

inline std::int64_t nanoseconds(const Job& job) {
  const auto of_rows = [&](bool shared) {
    return job.count * (shared ? kPerSharedRow : kPerOwnRow);
  };
  if (const auto* cdf = std::get_if<CdfRows>(&job.model))
    return of_rows(cdf->rows.tables().has_value());
  if (const auto* rows = std::get_if<TableRows>(&job.model))
    return of_rows(rows->index.has_value());
  // Making the row of a shared element takes about as long as coding this many values.
  constexpr std::int64_t kMaking = 32;
  const std::int64_t computed =
      job.shared ? std::min(job.count, kMaking * job.shared->count) : job.count;
  if (const auto* parameters = std::get_if<Parameters>(&job.model))
    return computed * kPerComponent * static_cast<std::int64_t>(parameters->components.size()) +
           (job.count - computed) * kPerSharedRow;
  const auto& [layout, rows] = std::get<Categories>(job.model);
  const bool trees = rows.tables() && layout.count > kMaxRowCategories;  // one for each element
  const std::int64_t read = trees ? std::min(job.count, rows.tables()->count) : computed;
  return of_rows(!trees) + read * kPerCategory * layout.categories();
}

// The least work in nanoseconds for another thread: starting it and waiting for its end takes some
// tens of microseconds.
inline constexpr std::int64_t kWorthAThread = 64'000;

// How many threads (at most `threads`) repay their start-up cost for this much work.
inline std::size_t useful_threads(std::int64_t nanoseconds, std::size_t threads) {
  return std::min(threads, static_cast<std::size_t>(nanoseconds / kWorthAThread));
}

}  // namespace torchac
