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
#include "torchac/coder/interval.hpp"
#include "torchac/engine/costs.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/measure_jobs.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/engine/value_decode_source.hpp"
#include "torchac/engine/value_encode_source.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/row_search.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/paths.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/thread_team.hpp"

TORCHAC_BEGIN_TARGET

template <class Block, class Model>
Report encode_values_of(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
  using Task = EncodeTask<ValueEncodeSource<Block>>;
  return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
    const EncodeValuesJob& job = jobs[i];
    return new (memory) Task(job.count, *job.stream, std::get<Model>(job.model), job.values);
  });
}

inline Report encode_values(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
  if (std::holds_alternative<Parameters>(jobs.front().model))
    return encode_values_of<ParameterBlock, Parameters>(jobs, team);
  return encode_values_of<WindowRowBlock, WindowRows>(jobs, team);
}

template <class Block, class Search, class Model>
Report decode_values_of(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  using Task = DecodeTask<ValueDecodeSource<Block, Search>>;
  return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
    const DecodeValuesJob& job = jobs[i];
    return new (memory) Task(job.values, job.count, *job.stream, std::get<Model>(job.model));
  });
}

// Lookup tables of the rows that all jobs share, if there are enough values for them to pay.
inline std::optional<DecodeTables> decode_tables(std::span<const DecodeValuesJob> jobs,
                                                 Poll& poll) {
  const auto& view = std::get<WindowRows>(jobs.front().model).view;
  std::int64_t values = 0;
  for (const DecodeValuesJob& job : jobs) {
    const auto& rows = std::get<WindowRows>(job.model);
    if (!rows.index || rows.view != view) return std::nullopt;
    values += job.count;
  }
  if (values / DecodeTables::kSymbolsThatPay < view.count) return std::nullopt;
  return DecodeTables::prepare(view, poll);
}

inline Report decode_values(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  if (const auto* parameters = std::get_if<Parameters>(&jobs.front().model)) {
    if (parameters->mixture())
      return decode_values_of<ParameterBlock, MixtureSearch, Parameters>(jobs, team);
    return decode_values_of<ParameterBlock, SingleSearch, Parameters>(jobs, team);
  }
  if (const auto tables = decode_tables(jobs, team.poll())) {
    count(Path::kDecodeLut);
    using Task = DecodeTask<ValueLutSource>;
    return run_tasks_of<Task>(jobs.size(), team, [&](void* memory, std::size_t i) {
      const DecodeValuesJob& job = jobs[i];
      return new (memory) Task(job.values, job.count, *job.stream, tables->model(), tables->step(),
                               std::get<WindowRows>(job.model));
    });
  }
  return decode_values_of<WindowRowBlock, WindowRowSearch, WindowRows>(jobs, team);
}

inline Report measure_values(const MeasureValuesJob& job, Poll& poll) {
  if (const auto* parameters = std::get_if<Parameters>(&job.model))
    return measure_all(ValueEncodeSource<ParameterBlock>(*parameters, job.values), job.count,
                       job.bits, poll);
  return measure_all(ValueEncodeSource<WindowRowBlock>(std::get<WindowRows>(job.model), job.values),
                     job.count, job.bits, poll);
}

// One row of parameters, with the value at the end, which 16 bits cannot hold.
inline void compute_row(const ParameterBlock& block, std::size_t i, std::uint16_t* row) {
  const std::uint32_t last = block.window(i).last();
  for (std::uint32_t j = 0; j <= last + 1; ++j)
    row[j] = static_cast<std::uint16_t>(bound(block.sum_at(i, j), j, last));
}

inline Report tabulate(const TabulateJob& job, Poll& poll) {
  ParameterBlock block(job.parameters);
  for (std::int64_t done = 0; done < job.count;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(job.count - done, kBlock));
    const ReadableBlock readable = block.read(count);
    for (std::size_t i = 0; i < readable.count; ++i, ++done) {
      const Window& window = block.window(i);
      job.first[done] = window.first();
      job.symbols[done] = static_cast<std::int32_t>(window.last() + 1);
      job.shifts[done] = static_cast<std::uint8_t>(window.shift());
      if (job.rows == nullptr) continue;
      compute_row(block, i, job.rows + done * job.stride);
      poll.after(window.last() + 1u);
    }
    if (readable.fault.problem != Problem::kNone)
      return {readable.fault.problem, 0, done, readable.fault.column};
  }
  return {};
}

TORCHAC_END_TARGET
