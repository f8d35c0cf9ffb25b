// Decodes jobs: checks, lookup tables where they pay, and the search that fits the rows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>

#include "torchac/arrays/rows.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_rows.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/simd_cdf_row.hpp"
#include "torchac/models/simd_short_row.hpp"
#include "torchac/models/simd_two_level.hpp"
#include "torchac/support/paths.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

// Lookup tables of the shared rows, if there are enough symbols for them to pay.
inline std::optional<DecodeTables> decode_tables(const CdfJobs& jobs, Poll& poll) {
  const auto shared = shared_rows(jobs);
  if (!shared || shared->symbols / DecodeTables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return with_cdf(jobs[0].cdf,
                  [&](const auto& cdf) { return DecodeTables::prepare(cdf, shared->view, poll); });
}

// Decodes with a model of each job's rows.
template <DecodeModel M>
Report decode_rows(std::span<const DecodeJob> jobs, ThreadTeam& team) {
  using Task = DecodeTask<DecodeSource<M, RowReader>>;
  return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
    const DecodeJob& job = jobs[i];
    return new (memory) Task(job.symbols, job.count, job.streams, M(job.cdf), RowReader(job.rows));
  });
}

#ifdef TORCHAC_HAS_SIMD
// The same with a SIMD search, if that fits all rows.
template <template <class> class Search, class Value>
bool decode_by_simd(std::span<const DecodeJob> jobs, ThreadTeam& team, Report& report) {
  using M = SimdCdfRow<Search<Value>>;
  if (!std::ranges::all_of(jobs, [](const DecodeJob& job) { return M::fits(job.cdf); }))
    return false;
  count(Path::kSimdSearch);
  report = decode_rows<M>(jobs, team);
  return true;
}
#endif

inline Report decode_jobs(std::span<const DecodeJob> jobs, ThreadTeam& team) {
  if (const auto tables = decode_tables(CdfJobs(jobs), team.poll())) {
    count(Path::kDecodeLut);
    using Task = DecodeTask<DecodeSource<DecodeLut, TableReader>>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const DecodeJob& job = jobs[i];
      return new (memory) Task(job.symbols, job.count, job.streams, tables->model(),
                               TableReader(job.rows, tables->step(), tables->first()));
    });
  }
  return with_cdf(jobs.front().cdf, [&]<class Value>(const CdfRow<Value>&) {
#ifdef TORCHAC_HAS_SIMD
    if constexpr (kHasSimdSearch &&
                  (std::is_same_v<Value, Integer16> || std::is_same_v<Value, Float32>)) {
      Report report;
      if (decode_by_simd<SimdShortRow, Value>(jobs, team, report) ||
          decode_by_simd<SimdTwoLevel, Value>(jobs, team, report))
        return report;
    }
#endif
    return decode_rows<CdfRow<Value>>(jobs, team);
  });
}

TORCHAC_END_TARGET
