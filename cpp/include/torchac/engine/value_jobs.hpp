// Encodes, decodes and measures jobs on values, and computes their rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/category_decode_source.hpp"
#include "torchac/engine/category_encode_source.hpp"
#include "torchac/engine/costs.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/measure_jobs.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/engine/value_decode_source.hpp"
#include "torchac/engine/value_encode_source.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/few_categories.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/row_search.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/paths.hpp"
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

inline Report encode_values(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
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

// Lookup tables of the rows that all jobs share, if there are enough values for them to pay.
inline std::optional<WindowDecodeTables> decode_tables(std::span<const DecodeValuesJob> jobs,
                                                       Poll& poll) {
  const auto& view = std::get<WindowRows>(jobs.front().model).view;
  std::int64_t values = 0;
  for (const DecodeValuesJob& job : jobs) {
    const auto& rows = std::get<WindowRows>(job.model);
    if (!rows.index || rows.view != view) return std::nullopt;
    values += job.count;
  }
  if (values / DecodeTables::kSymbolsThatPay < view.count) return std::nullopt;
  return WindowDecodeTables::prepare(view, poll);
}

inline Report decode_values(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  const AnyModel& model = jobs.front().model;
  if (std::holds_alternative<Categories>(model)) return decode_categories(jobs, team);
  if (const auto* parameters = std::get_if<Parameters>(&model)) {
    if (parameters->mixture())
      return decode_values_of<ValueDecodeSource<ParameterBlock, MixtureSearch>, Parameters>(jobs,
                                                                                            team);
    return decode_values_of<ValueDecodeSource<ParameterBlock, SingleSearch>, Parameters>(jobs,
                                                                                         team);
  }
  if (const auto tables = decode_tables(jobs, team.poll())) {
    count(Path::kDecodeLut);
    using Task = DecodeTask<ValueLutSource>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const DecodeValuesJob& job = jobs[i];
      return new (memory)
          Task(job.values, job.count, job.streams, *tables, std::get<WindowRows>(job.model));
    });
  }
  return decode_values_of<ValueDecodeSource<WindowRowBlock, WindowRowSearch>, WindowRows>(jobs,
                                                                                          team);
}

inline Report measure_values(const MeasureValuesJob& job, Poll& poll) {
  if (const auto trees = shared_trees(std::span(&job, 1), 1, poll)) {
    return measure_all(
        StoredTreeEncodeSource(trees->of_job(0), std::get<Categories>(job.model), job.values),
        job.count, job.bits, poll);
  }
  return with_encode_source(job.model, [&]<class Source, class Model> {
    return measure_all(Source(std::get<Model>(job.model), job.values), job.count, job.bits, poll);
  });
}

// One row of parameters, with the value at the end, which 16 bits cannot hold.
inline void compute_row(const ParameterBlock& block, std::size_t i, std::uint16_t* row) {
  const std::uint32_t last = block.window(i).last();
  for (std::uint32_t j = 0; j <= last + 1; ++j)
    row[j] = static_cast<std::uint16_t>(bound(block.sum_at(i, j), j, last));
}

inline Report tabulate_parameters(const TabulateJob& job, Poll& poll) {
  ParameterBlock block(std::get<Parameters>(job.model));
  for (std::int64_t done = 0; done < job.count;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(job.count - done, kBlock));
    const ReadableBlock readable = block.read(count);
    for (std::size_t i = 0; i < readable.count; ++i, ++done) {
      const Window& window = block.window(i);
      job.first[done] = window.first();
      job.symbols[done] = static_cast<std::int32_t>(window.last() + 1);
      job.shifts[done] = static_cast<std::uint8_t>(window.shift());
      if (job.rows == nullptr) continue;
      if (std::cmp_greater_equal(window.last() + 1, job.stride))
        return {Problem::kIndex, 0, done};  // it has changed
      compute_row(block, i, job.rows + done * job.stride);
      poll.after(window.last() + 1u);
    }
    if (readable.fault.problem != Problem::kNone)
      return {readable.fault.problem, 0, done, readable.fault.column};
  }
  return {};
}

// Rows of categories, which `compute(numbers, row)` makes one by one.
template <class Compute>
Report tabulate_each(const TabulateJob& job, const Categories& categories, Poll& poll,
                     const Compute& compute) {
  const std::uint32_t symbols = categories.layout.categories();
  RowReader reader(categories.rows);
  for (std::int64_t i = 0; i < job.count; ++i) {
    job.first[i] = 0;
    job.symbols[i] = static_cast<std::int32_t>(symbols);
    job.shifts[i] = 0;
    poll.after(symbols);
    if (job.rows == nullptr) continue;
    const std::byte* numbers = nullptr;
    if (reader.read(1, &numbers).count < 1) return {Problem::kIndex, 0, i};
    const Fault fault = compute(numbers, job.rows + i * job.stride);
    if (fault.problem != Problem::kNone) return {fault.problem, 0, i, fault.column};
  }
  return {};
}

inline Report tabulate_categories(const TabulateJob& job, Poll& poll) {
  const auto& categories = std::get<Categories>(job.model);
  return with_weight<kRowBits>(categories.layout, [&]<class Weight>(const Weight*) {
    if (categories.layout.categories() <= kFew) {
      FewCategories<Weight> block(categories.layout);
      return tabulate_each(job, categories, poll, [&](const std::byte* from, std::uint16_t* to) {
        const ReadableBlock readable = block.read(&from, 1);
        if (readable.count < 1) return readable.fault;
        block.prepare(1);
        block.write(0, to);
        return Fault{};
      });
    }
    CategoryRow<Weight> row(categories.layout);
    return tabulate_each(job, categories, poll, [&](const std::byte* from, std::uint16_t* to) {
      const Fault fault = row.read(from);
      if (fault.problem == Problem::kNone) row.write(to);
      return fault;
    });
  });
}

inline Report tabulate(const TabulateJob& job, Poll& poll) {
  return std::holds_alternative<Categories>(job.model) ? tabulate_categories(job, poll)
                                                       : tabulate_parameters(job, poll);
}

TORCHAC_END_TARGET
