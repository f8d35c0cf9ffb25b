// The coder type of a model. Models of one coder type are coded together, by one type of task.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// How the distributions of categories are coded.
enum class CategoryCoder : std::uint8_t {
  kTransposed,   // few categories, for many values at once
  kRow,          // categories that fit one row
  kTree,         // more categories, in steps
  kSharedTrees,  // in steps, with trees that values may share
};

[[nodiscard]] inline CategoryCoder category_coder(const Categories& categories) {
  const CategoryLayout& layout = categories.layout;
  if (layout.categories() <= kMaxTransposedCategories) return CategoryCoder::kTransposed;
  if (layout.categories() <= kMaxRowCategories) return CategoryCoder::kRow;
  return categories.rows.tables() ? CategoryCoder::kSharedTrees : CategoryCoder::kTree;
}

struct CoderType {
  std::size_t model;  // the index in AnyModel
  std::uint32_t way;

  auto operator<=>(const CoderType&) const = default;
};

[[nodiscard]] inline CoderType coder_type(const AnyModel& model) {
  struct Way {
    std::uint32_t operator()(const CdfRows& cdf) const {
      return static_cast<std::uint32_t>(cdf.layout.type);
    }
    std::uint32_t operator()(const Parameters& parameters) const {
      return parameters.mixture() ? 1 : 0;
    }
    std::uint32_t operator()(const TableRows& rows) const {
      return rows.luts.tables == nullptr ? 0 : 1;
    }
    std::uint32_t operator()(const Categories& categories) const {
      return static_cast<std::uint32_t>(category_coder(categories));
    }
  };
  return {model.index(), std::visit(Way(), static_cast<const AnyModel::variant&>(model))};
}

// Calls `run(jobs, team)` for the jobs of each coder type. Reports the first job with a problem.
template <class AnyJob, class Run>
Report run_by_coder_type(std::span<const AnyJob> jobs, ThreadTeam& team, const Run& run) {
  const auto type = [](const AnyJob& job) { return coder_type(job.model); };
  const auto alike = [&](const AnyJob& job) { return type(job) == type(jobs.front()); };
  if (std::ranges::all_of(jobs.subspan(1), alike)) return run(jobs, team);
  std::map<CoderType, std::vector<std::size_t>> of_types;
  for (std::size_t i = 0; i < jobs.size(); ++i) of_types[type(jobs[i])].push_back(i);
  Report first;
  for (const auto& [_, numbers] : of_types) {
    std::vector<AnyJob> those;
    for (const std::size_t i : numbers) those.push_back(jobs[i]);
    Report report = run(std::span<const AnyJob>(those), team);
    if (report.ok()) continue;
    report.item = static_cast<std::int64_t>(numbers[static_cast<std::size_t>(report.item)]);
    if (first.ok() || report.item < first.item) first = report;
  }
  return first;
}

}  // namespace torchac
