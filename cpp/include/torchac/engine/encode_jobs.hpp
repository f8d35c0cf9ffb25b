// Encodes jobs: checks, lookup tables where they pay, and the model of the rows.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "torchac/arrays/rows.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_rows.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/encode_lut.hpp"
#include "torchac/support/paths.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

// Lookup tables of the shared rows, if there are more symbols than intervals to make them of.
inline std::optional<EncodeTables> encode_tables(const CdfJobs& jobs, Poll& poll) {
  const auto shared = shared_rows(jobs);
  if (!shared || shared->symbols / jobs[0].cdf.symbols < shared->view.count) return std::nullopt;
  return with_cdf(jobs[0].cdf,
                  [&](const auto& cdf) { return EncodeTables::prepare(cdf, shared->view, poll); });
}

inline Report encode_jobs(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team) {
  if (const auto tables = encode_tables(CdfJobs(jobs), team.poll())) {
    count(Path::kEncodeLut);
    using Task = EncodeTask<EncodeSource<EncodeLut, TableReader>>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const EncodeJob& job = jobs[i];
      return new (memory) Task(job.count, job.streams, tables->model(),
                               TableReader(job.rows, tables->step()), job.symbols);
    });
  }
  return with_cdf(jobs.front().cdf, [&]<class Cdf>(const Cdf&) {
    using Task = EncodeTask<EncodeSource<Cdf, RowReader>>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const EncodeJob& job = jobs[i];
      // Tables were checked as a whole.
      const bool check_rows = check == Check::kAll && !job.rows.tables();
      return new (memory)
          Task(job.count, job.streams, Cdf(job.cdf), RowReader(job.rows), job.symbols, check_rows);
    });
  });
}

TORCHAC_END_TARGET
