// Computes rows and makes lookup tables of elements that values share, if that costs less than it
// saves.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/engine/element_rows.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/way.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Jobs with their models replaced by rows and lookup tables of shared elements, if these repay
// their cost.
template <class AnyJob>
class SharedJobs {
 public:
  SharedJobs(std::span<const AnyJob> jobs, bool decode, std::size_t threads, Poll& poll)
      : jobs_(jobs) {
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (is_shared(jobs[i])) group(i);
    }
    for (Group& group : groups_) {
      const auto values = static_cast<double>(group.values);
      const auto shares = static_cast<double>(std::min(threads, group.jobs.size()));
      const Way way = WayFinder(decode, values / shares, poll).find(jobs[group.jobs.front()]);
      if (way != Way::kPlain && prepare(group, way, poll)) use(group);
    }
  }

  [[nodiscard]] std::span<const AnyJob> jobs() const { return changed_.empty() ? jobs_ : changed_; }

 private:
  // Jobs that share elements, and the rows and lookup tables made of these.
  struct Group {
    std::vector<std::size_t> jobs;
    std::int64_t values = 0;
    std::optional<ElementRows> rows;
    std::vector<std::uint32_t> numbers;
    std::optional<TableRowLuts> luts;
  };

  static bool is_shared(const AnyJob& job) {
    const auto* stored = std::get_if<TableRows>(&job.model);
    return stored == nullptr ? job.shared.has_value() : stored->index.has_value();
  }

  static bool same_elements(const AnyJob& a, const AnyJob& b) {
    const auto* rows = std::get_if<TableRows>(&a.model);
    const auto* other = std::get_if<TableRows>(&b.model);
    if (rows != nullptr || other != nullptr)
      return rows != nullptr && other != nullptr && rows->view == other->view;
    const auto& elements = a.shared->elements;
    return a.shared->count == b.shared->count &&
           (elements == b.shared->elements || *elements == *b.shared->elements);
  }

  // The address of the first element, which is the same for jobs that share elements.
  static const std::byte* address(const AnyJob& job) {
    if (const auto* stored = std::get_if<TableRows>(&job.model)) return stored->view.first_row;
    if (const auto* parameters = std::get_if<Parameters>(job.shared->elements.get()))
      return parameters->components.front()[Parameter::kLoc]->walk.at();
    return std::get<Categories>(*job.shared->elements).rows.walk().at();
  }

  void group(std::size_t i) {
    const auto [found, is_new] = groups_at_.try_emplace(address(jobs_[i]), groups_.size());
    if (!is_new && same_elements(jobs_[groups_[found->second].jobs.front()], jobs_[i])) {
      groups_[found->second].jobs.push_back(i);
    } else {
      found->second = groups_.size();
      groups_.emplace_back().jobs.push_back(i);
    }
    groups_[found->second].values += jobs_[i].count;
  }

  // Makes rows and lookup tables. False if an element has a fault.
  bool prepare(Group& group, Way way, Poll& poll) const {
    const AnyJob& job = jobs_[group.jobs.front()];
    const auto* stored = std::get_if<TableRows>(&job.model);
    if (stored == nullptr) {
      group.rows = ElementRows::of(*job.shared->elements, job.shared->count, poll);
      if (!group.rows) return false;
      record(FastPath::kSharedRows);
    }
    if (way == Way::kLuts) {
      group.luts =
          TableRowLuts::prepare(stored == nullptr ? group.rows->view() : stored->view, poll);
      if (group.luts) record(FastPath::kDecodeLut);
    }
    return group.rows || group.luts;
  }

  void use(Group& group) {
    if (changed_.empty()) changed_.assign(jobs_.begin(), jobs_.end());
    for (const std::size_t i : group.jobs) {
      AnyJob& job = changed_[i];
      if (group.rows) job.model = TableRows{group.rows->view(), job.shared->numbers(group.numbers)};
      if (group.luts) std::get<TableRows>(job.model).luts = group.luts->view();
    }
  }

  std::span<const AnyJob> jobs_;
  std::vector<Group> groups_;
  std::unordered_map<const std::byte*, std::size_t> groups_at_;  // by the address of elements
  std::vector<AnyJob> changed_;
};

TORCHAC_END_TARGET
