// Encodes jobs, with a source for each type of model, and with lookup tables and rows of shared
// elements if they repay their cost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <optional>
#include <span>
#include <variant>

#include "torchac/arrays/rows.hpp"
#include "torchac/engine/category_source.hpp"
#include "torchac/engine/coder_type.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/encode_source.hpp"
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
#include "torchac/models/category_tree.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/encode_lut.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/transposed_categories.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

// Lookup tables of the CDF rows that jobs share, if there are more symbols than intervals in them.
inline std::optional<EncodeTables> encode_tables(const Jobs& jobs, Poll& poll) {
  const auto shared = shared_rows(jobs);
  if (!shared || shared->symbols / shared->layout.symbols < shared->view.count) return std::nullopt;
  return with_cdf(shared->layout,
                  [&](const auto& cdf) { return EncodeTables::prepare(cdf, shared->view, poll); });
}

// Calls `use(source)` for jobs whose models have one coder type. `source(job, i)` makes the source
// of job i.
template <class AnyJob, class Use>
Report with_encode_source(std::span<const AnyJob> jobs, std::size_t threads, Poll& poll,
                          const Use& use) {
  const AnyModel& model = jobs.front().model;
  if (const auto* rows = std::get_if<CdfRows>(&model)) {
    if (const auto tables = encode_tables(Jobs(jobs), poll)) {
      record(FastPath::kEncodeLut);
      return use([&](const AnyJob& job, std::size_t) {
        const auto& cdf = std::get<CdfRows>(job.model);
        return EncodeSource(tables->model(), TableReader(cdf.rows, tables->step()), job.values,
                            cdf.clamp);
      });
    }
    return with_cdf(rows->layout, [&]<class Cdf>(const Cdf&) {
      return use([](const AnyJob& job, std::size_t) {
        const auto& cdf = std::get<CdfRows>(job.model);
        // Tables were checked as a whole.
        const bool check = cdf.check == Check::kAll && !cdf.rows.tables();
        return EncodeSource(Cdf(cdf.layout), RowReader(cdf.rows), job.values, cdf.clamp, check);
      });
    });
  }
  if (std::holds_alternative<Parameters>(model)) {
    return use([](const AnyJob& job, std::size_t) {
      return WindowEncodeSource<ParameterBlock>(std::get<Parameters>(job.model), job.values);
    });
  }
  if (std::holds_alternative<TableRows>(model)) {
    return use([](const AnyJob& job, std::size_t) {
      return WindowEncodeSource<TableRowBlock>(std::get<TableRows>(job.model), job.values);
    });
  }
  if (const auto trees = shared_trees(jobs, threads, poll)) {
    return use([&](const AnyJob& job, std::size_t i) {
      const auto& categories = std::get<Categories>(job.model);
      return StoredTreeEncodeSource(categories.layout,
                                    TreeReader(trees->of_job(i), categories.rows), job.values);
    });
  }
  const auto use_model = [&]<class Model>(const Model*) {
    return use([](const AnyJob& job, std::size_t) {
      const auto& categories = std::get<Categories>(job.model);
      return CategoryEncodeSource<Model>(categories.layout, RowReader(categories.rows), job.values);
    });
  };
  return with_category_model<CategoryRow>(std::get<Categories>(model).layout, use_model);
}

inline Report encode_jobs(std::span<const EncodeJob> all, ThreadTeam& team) {
  const SharedJobs<EncodeJob> shared(all, false, team.size(), team.poll());
  return run_by_coder_type(shared.jobs(), team, [](auto jobs, ThreadTeam& threads) {
    return with_encode_source(jobs, threads.size(), threads.poll(), [&](const auto& source) {
      using Task = EncodeTask<decltype(source(jobs[0], 0))>;
      return run_tasks_of<Task>(jobs.size(), threads, [&](void* memory, std::size_t i) {
        const EncodeJob& job = jobs[i];
        return new (memory) Task(job.count, job.streams, [&] { return source(job, i); });
      });
    });
  });
}

TORCHAC_END_TARGET
