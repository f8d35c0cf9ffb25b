// Computes rows of parameters, or of categories that fit one row.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/transposed_categories.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Reads elements, and calls `use(block, i)` for each, which is row i of a block. It returns why not
// to go on, if there is a reason.
template <class Use>
Report for_each_element(const Parameters& parameters, std::int64_t count, Poll& poll,
                        const Use& use) {
  ParameterBlock block(parameters);
  for (std::int64_t done = 0; done < count;) {
    const auto most = static_cast<std::size_t>(std::min<std::int64_t>(count - done, kBlock));
    const ReadableBlock readable = block.read(most);
    for (std::size_t i = 0; i < readable.count; ++i, ++done) {
      const Problem problem = use(block, i);
      if (problem != Problem::kNone) return {problem, 0, done};
    }
    if (readable.fault.problem != Problem::kNone)
      return {readable.fault.problem, 0, done, readable.fault.column};
    poll.after(readable.count * block.size());
  }
  return {};
}

inline Report tabulate_parameters(const TabulateJob& job, Poll& poll) {
  std::int64_t k = 0;
  const auto write = [&](const ParameterBlock& block, std::size_t i) {
    const Window& window = block.window(i);
    if (window.has_zones()) return Problem::kZones;
    const std::uint32_t symbols = window.last() + 1;
    job.first[k] = window.first();
    job.symbols[k] = static_cast<std::int32_t>(symbols);
    job.shifts[k] = static_cast<std::uint8_t>(window.shift());
    if (job.rows != nullptr) {
      if (std::cmp_greater_equal(symbols, job.stride)) return Problem::kIndex;  // it has changed
      std::uint16_t* const row = job.rows + k * job.stride;
      block.write_row(i, row);
      row[symbols] = 0;  // 65536
      poll.after(symbols);
    }
    ++k;
    return Problem::kNone;
  };
  return for_each_element(std::get<Parameters>(job.model), job.count, poll, write);
}

// Computes rows of categories by `write(rows, count, to)`, which writes the rows of `count`
// elements up to the first that it cannot read.
template <class Write>
Report tabulate_blocks(const TabulateJob& job, Poll& poll, std::size_t most, const Write& write) {
  const auto& categories = std::get<Categories>(job.model);
  const std::uint32_t symbols = categories.layout.categories();
  std::fill_n(job.first, job.count, 0);
  std::fill_n(job.symbols, job.count, static_cast<std::int32_t>(symbols));
  std::fill_n(job.shifts, job.count, std::uint8_t{0});
  if (job.rows == nullptr) return {};
  RowReader reader(categories.rows);
  std::array<const std::byte*, kBlock> rows;
  for (std::int64_t done = 0; done < job.count;) {
    const auto left = static_cast<std::size_t>(job.count - done);
    ReadableBlock readable = reader.read(std::min(left, most), rows.data());
    const ReadableBlock written = write(rows.data(), readable.count, job.rows + done * job.stride);
    readable.truncate(written.count, written.fault);
    done += static_cast<std::int64_t>(readable.count);
    if (readable.fault.problem != Problem::kNone && readable.count < std::min(left, most))
      return {readable.fault.problem, 0, done, readable.fault.column};
    poll.after(readable.count * symbols);
  }
  return {};
}

inline Report tabulate_categories(const TabulateJob& job, Poll& poll) {
  const CategoryLayout& layout = std::get<Categories>(job.model).layout;
  if (layout.categories() <= kMaxTransposedCategories) {
    TransposedCategories block(layout);
    return tabulate_blocks(job, poll, block.max_prepared(),
                           [&](const std::byte* const* rows, std::size_t count, std::uint16_t* to) {
                             const ReadableBlock readable = block.prepare(rows, count);
                             for (std::size_t i = 0; i < readable.count; ++i, to += job.stride)
                               block.write(i, to);
                             return readable;
                           });
  }
  CategoryRow row(layout);
  return tabulate_blocks(job, poll, 1,
                         [&](const std::byte* const* rows, std::size_t, std::uint16_t* to) {
                           const Fault fault = row.read(*rows);
                           if (fault.problem != Problem::kNone) return ReadableBlock{0, fault};
                           row.write(to);
                           return ReadableBlock{1};
                         });
}

inline Report tabulate_rows(const TabulateJob& job, Poll& poll) {
  return std::holds_alternative<Categories>(job.model) ? tabulate_categories(job, poll)
                                                       : tabulate_parameters(job, poll);
}

TORCHAC_END_TARGET
