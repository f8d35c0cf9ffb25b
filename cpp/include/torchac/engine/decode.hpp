// Decodes jobs, with a source for each type of model, and with lookup tables and rows of shared
// elements if they repay their cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <variant>

#include "torchac/arrays/rows.hpp"
#include "torchac/engine/category_source.hpp"
#include "torchac/engine/coder_type.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/engine/shared_values.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/engine/window_source.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/simd_cdf_row.hpp"
#include "torchac/models/simd_short_row.hpp"
#include "torchac/models/simd_two_level.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

using DecodeJobs = std::span<const DecodeJob>;

// Decodes with sources that `source(job, i)` makes.
template <class MakeSource>
Report decode_by(DecodeJobs jobs, ThreadTeam& team, const MakeSource& source) {
  using Task = DecodeTask<decltype(source(jobs[0], 0))>;
  return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
    const DecodeJob& job = jobs[i];
    return new (memory) Task(job.values, job.count, job.streams, [&] { return source(job, i); });
  });
}

// Lookup tables of the CDF rows that jobs share, if there are enough symbols to repay their cost.
inline std::optional<DecodeTables> decode_tables(DecodeJobs jobs, Poll& poll) {
  const auto shared = shared_rows(Jobs(jobs));
  if (!shared || shared->symbols / DecodeTables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return with_cdf(shared->layout,
                  [&](const auto& cdf) { return DecodeTables::prepare(cdf, shared->view, poll); });
}

// Decodes with a model of each job's rows.
template <DecodeModel M>
Report decode_rows(DecodeJobs jobs, ThreadTeam& team) {
  return decode_by(jobs, team, [](const DecodeJob& job, std::size_t) {
    const auto& cdf = std::get<CdfRows>(job.model);
    return DecodeSource(M(cdf.layout), RowReader(cdf.rows));
  });
}

#ifdef TORCHAC_HAS_SIMD
// Decodes with a SIMD search, if it supports all rows.
template <template <class> class Search, class Value>
bool decode_by_simd(DecodeJobs jobs, ThreadTeam& team, Report& report) {
  using M = SimdCdfRow<Search<Value>>;
  const auto fits = [](const DecodeJob& job) {
    return M::fits(std::get<CdfRows>(job.model).layout);
  };
  if (!std::ranges::all_of(jobs, fits)) return false;
  record(FastPath::kSimdSearch);
  report = decode_rows<M>(jobs, team);
  return true;
}
#endif

inline Report decode_cdfs(DecodeJobs jobs, ThreadTeam& team) {
  if (const auto tables = decode_tables(jobs, team.poll())) {
    record(FastPath::kDecodeLut);
    return decode_by(jobs, team, [&](const DecodeJob& job, std::size_t) {
      const auto& cdf = std::get<CdfRows>(job.model);
      return DecodeSource(tables->model(), TableReader(cdf.rows, tables->step(), tables->first()));
    });
  }
  const CdfLayout& layout = std::get<CdfRows>(jobs.front().model).layout;
  return with_cdf(layout, [&]<class Value>(const CdfRow<Value>&) {
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

// Decodes with sources that are made from the jobs' models.
template <class Source, class Model>
Report decode_models(DecodeJobs jobs, ThreadTeam& team) {
  return decode_by(jobs, team, [](const DecodeJob& job, std::size_t) {
    return Source(std::get<Model>(job.model));
  });
}

inline Report decode_categories(DecodeJobs jobs, ThreadTeam& team) {
  if (const auto trees = shared_trees(jobs, team.size(), team.poll())) {
    return decode_by(jobs, team, [&](const DecodeJob& job, std::size_t i) {
      const auto& categories = std::get<Categories>(job.model);
      return StoredTreeDecodeSource(categories.layout,
                                    TreeReader(trees->of_job(i), categories.rows));
    });
  }
  const auto decode = [&]<class Model>(const Model*) {
    return decode_by(jobs, team, [](const DecodeJob& job, std::size_t) {
      const auto& categories = std::get<Categories>(job.model);
      return CategoryDecodeSource<Model>(categories.layout, RowReader(categories.rows));
    });
  };
  return with_category_model<CategoryRowSearches>(std::get<Categories>(jobs.front().model).layout,
                                                  decode);
}

inline Report decode_alike(DecodeJobs jobs, ThreadTeam& team) {
  const AnyModel& model = jobs.front().model;
  if (std::holds_alternative<CdfRows>(model)) return decode_cdfs(jobs, team);
  if (std::holds_alternative<Categories>(model)) return decode_categories(jobs, team);
  if (const auto* parameters = std::get_if<Parameters>(&model)) {
    return parameters->mixture() ? decode_models<MixtureDecodeSource, Parameters>(jobs, team)
                                 : decode_models<DistributionDecodeSource, Parameters>(jobs, team);
  }
  return std::get<TableRows>(model).luts.tables == nullptr
             ? decode_models<TableDecodeSource, TableRows>(jobs, team)
             : decode_models<TableLutSource, TableRows>(jobs, team);
}

inline Report decode_jobs(DecodeJobs jobs, ThreadTeam& team) {
  const SharedJobs<DecodeJob> shared(jobs, true, team.size(), team.poll());
  return run_by_coder_type(shared.jobs(), team, decode_alike);
}

TORCHAC_END_TARGET
