// Encodes, decodes and measures jobs on values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <new>
#include <span>
#include <variant>
#include <vector>

#include "torchac/engine/category_decode_source.hpp"
#include "torchac/engine/category_encode_source.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/measure_jobs.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/engine/shared_values.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/engine/value_decode_source.hpp"
#include "torchac/engine/value_encode_source.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/row_search.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

// Calls `use` for the source of what a model's values are encoded by.
template <class Use>
Report with_encode_source(const AnyModel& model, const Use& use) {
  if (std::holds_alternative<Parameters>(model))
    return use.template operator()<ValueEncodeSource<ParameterBlock>, Parameters>();
  if (std::holds_alternative<WindowRows>(model))
    return use.template operator()<ValueEncodeSource<WindowRowBlock>, WindowRows>();
  const CategoryLayout& layout = std::get<Categories>(model).layout;
  if (layout.count > kOneRow) {
    return with_weight<kGroupBits>(layout, [&]<class Weight>(const Weight*) {
      return use.template operator()<TreeEncodeSource<Weight>, Categories>();
    });
  }
  return with_weight<kRowBits>(layout, [&]<class Weight>(const Weight*) {
    if (layout.categories() <= kFew)
      return use.template operator()<FewEncodeSource<Weight>, Categories>();
    return use.template operator()<CategoryEncodeSource<Weight>, Categories>();
  });
}

// The trees of elements that the values of jobs share, where they pay. The jobs have one kind of
// model.
template <class Job>
std::optional<TreesOfJobs> shared_trees(std::span<const Job> jobs, std::size_t threads,
                                        Poll& poll) {
  const auto* categories = std::get_if<Categories>(&jobs.front().model);
  if (categories == nullptr || categories->layout.count <= kOneRow) return std::nullopt;
  auto trees = with_weight<kGroupBits>(categories->layout, [&]<class Weight>(const Weight*) {
    return TreesOfJobs::prepare<Weight>(jobs, std::min(threads, jobs.size()), poll);
  });
  if (trees) count(Path::kTrees);
  return trees;
}

inline Report encode_kind(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
  if (const auto trees = shared_trees(jobs, team.size(), team.poll())) {
    using Task = EncodeTask<StoredTreeEncodeSource>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const EncodeValuesJob& job = jobs[i];
      return new (memory) Task(job.count, job.streams, trees->of_job(i),
                               std::get<Categories>(job.model), job.values);
    });
  }
  return with_encode_source(jobs.front().model, [&]<class Source, class Model> {
    using Task = EncodeTask<Source>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const EncodeValuesJob& job = jobs[i];
      return new (memory) Task(job.count, job.streams, std::get<Model>(job.model), job.values);
    });
  });
}

template <class Source, class Model>
Report decode_values_of(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  using Task = DecodeTask<Source>;
  return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
    const DecodeValuesJob& job = jobs[i];
    return new (memory) Task(job.values, job.count, job.streams, std::get<Model>(job.model));
  });
}

inline Report decode_categories(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  if (const auto trees = shared_trees(jobs, team.size(), team.poll())) {
    using Task = DecodeTask<StoredTreeDecodeSource>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const DecodeValuesJob& job = jobs[i];
      return new (memory) Task(job.values, job.count, job.streams, trees->of_job(i),
                               std::get<Categories>(job.model));
    });
  }
  const CategoryLayout& layout = std::get<Categories>(jobs.front().model).layout;
  if (layout.count > kOneRow) {
    return with_weight<kGroupBits>(layout, [&]<class Weight>(const Weight*) {
      return decode_values_of<TreeDecodeSource<Weight>, Categories>(jobs, team);
    });
  }
  return with_weight<kRowBits>(layout, [&]<class Weight>(const Weight*) {
    if (layout.categories() <= kFew)
      return decode_values_of<FewDecodeSource<Weight>, Categories>(jobs, team);
    return decode_values_of<CategoryDecodeSource<Weight>, Categories>(jobs, team);
  });
}

inline Report decode_kind(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  const AnyModel& model = jobs.front().model;
  if (std::holds_alternative<Categories>(model)) return decode_categories(jobs, team);
  if (const auto* parameters = std::get_if<Parameters>(&model)) {
    if (parameters->mixture())
      return decode_values_of<ValueDecodeSource<ParameterBlock, MixtureSearch>, Parameters>(jobs,
                                                                                            team);
    return decode_values_of<ValueDecodeSource<ParameterBlock, SingleSearch>, Parameters>(jobs,
                                                                                         team);
  }
  if (std::get<WindowRows>(model).luts.tables != nullptr)
    return decode_values_of<ValueLutSource, WindowRows>(jobs, team);
  return decode_values_of<ValueDecodeSource<WindowRowBlock, WindowRowSearch>, WindowRows>(jobs,
                                                                                          team);
}

// Runs jobs, those of a kind together, by `run(jobs, team)`. Reports on the first job with a
// problem.
template <class Job, class Run>
Report run_by_kind(std::span<const Job> jobs, ThreadTeam& team, const Run& run) {
  const auto kind = [](const Job& job) { return kind_of(job.model); };
  const auto alike = [&](const Job& job) { return kind(job) == kind(jobs.front()); };
  if (std::ranges::all_of(jobs, alike)) return run(jobs, team);
  std::map<std::uint32_t, std::vector<std::size_t>> of_kinds;
  for (std::size_t i = 0; i < jobs.size(); ++i) of_kinds[kind(jobs[i])].push_back(i);
  Report first;
  for (const auto& [_, numbers] : of_kinds) {
    std::vector<Job> those;
    for (const std::size_t i : numbers) those.push_back(jobs[i]);
    Report report = run(those, team);
    if (report.ok()) continue;
    report.item = static_cast<std::int64_t>(numbers[static_cast<std::size_t>(report.item)]);
    if (first.ok() || report.item < first.item) first = report;
  }
  return first;
}

inline Report encode_values(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
  const SharedJobs<EncodeValuesJob> shared(jobs, false, team.size(), team.poll());
  return run_by_kind(shared.jobs(), team, encode_kind);
}

inline Report decode_values(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  const SharedJobs<DecodeValuesJob> shared(jobs, true, team.size(), team.poll());
  return run_by_kind(shared.jobs(), team, decode_kind);
}

inline Report measure_values(const MeasureValuesJob& job, Poll& poll) {
  const SharedJobs<MeasureValuesJob> shared({&job, 1}, false, 1, poll);
  const MeasureValuesJob& its = shared.jobs().front();
  if (const auto trees = shared_trees(std::span(&its, 1), 1, poll)) {
    return measure_all(
        StoredTreeEncodeSource(trees->of_job(0), std::get<Categories>(its.model), its.values),
        its.count, its.bits, poll);
  }
  return with_encode_source(its.model, [&]<class Source, class Model> {
    return measure_all(Source(std::get<Model>(its.model), its.values), its.count, its.bits, poll);
  });
}

TORCHAC_END_TARGET
