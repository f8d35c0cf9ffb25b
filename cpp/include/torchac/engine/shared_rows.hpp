// The tables that all jobs of a call share, if they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "torchac/arrays/rows.hpp"
#include "torchac/engine/job.hpp"

namespace torchac {

// And how many symbols are coded with them.
struct SharedRows {
  TableView view;
  std::int64_t symbols;
};

[[nodiscard]] inline std::optional<SharedRows> shared_rows(const CdfJobs& jobs) {
  const std::optional<TableView>& view = jobs[0].rows.tables();
  std::int64_t symbols = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const CdfJob& job = jobs[i];
    if (!view || job.rows.tables() != view || job.cdf != jobs[0].cdf) return std::nullopt;
    symbols += job.count;
  }
  return SharedRows{*view, symbols};
}

}  // namespace torchac
