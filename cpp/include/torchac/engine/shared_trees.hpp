// The trees of elements that values share, made once if that repays its cost, and read by all
// threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_tree.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The trees of one array of elements.
class SharedTrees {
 public:
  explicit SharedTrees(const Categories& categories)
      : layout_(categories.layout), shape_(layout_.count), view_(*categories.rows.tables()) {}

  [[nodiscard]] bool are_of(const Categories& categories) const {
    return layout_ == categories.layout && view_ == categories.rows.tables();
  }

  // Adds the elements of `count` values.
  void add_values(const Rows& rows, std::int64_t count, Poll& poll) {
    numbers_.resize(static_cast<std::size_t>(elements()), kNone);
    TableReader reader(rows);
    std::array<std::uint32_t, kBlock> block;
    for (std::int64_t done = 0; done < count;) {
      const auto n = static_cast<std::size_t>(std::min<std::int64_t>(count - done, kBlock));
      const std::size_t good = reader.read(n, block.data()).count;
      for (std::size_t i = 0; i < good; ++i) {
        std::uint32_t& number = numbers_[place(block[i])];
        if (number != kNone) continue;
        number = static_cast<std::uint32_t>(used_.size());
        used_.push_back(place(block[i]));
      }
      if (good < n) return;  // an index is out of range, which coding finds
      done += static_cast<std::int64_t>(n);
      poll.after(n);
    }
  }

  // The number of different elements.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(used_.size()); }

  // Whether there are too many elements to mark the used ones, compared with the numbers of
  // `values` values.
  [[nodiscard]] bool too_many_for(std::int64_t values) const {
    constexpr std::int64_t kNumbersPerElement = 8;
    return elements() / std::max<std::int64_t>(values, 1) > layout_.count / kNumbersPerElement;
  }

  // Whether the trees take at most twice the memory of the numbers, or very little. Elements may
  // overlap, so trees could take much more.
  [[nodiscard]] bool fit() const {
    constexpr double kNextToNothing = 1 << 22;
    const double elements_apart =
        std::abs(static_cast<double>(view_.stride)) * static_cast<double>(view_.count);
    const double numbers_apart = std::abs(static_cast<double>(layout_.stride)) * layout_.count;
    const double bytes =
        static_cast<double>(used_.size() * StoredTree::size(shape_)) * sizeof(std::uint16_t);
    return bytes <= 2 * std::max(elements_apart, numbers_apart) + kNextToNothing;
  }

  void make(Poll& poll) {
    CategoryTree tree(layout_);
    rows_.resize(used_.size() * StoredTree::size(shape_));
    std::uint16_t* rows = rows_.data();
    for (const std::uint32_t element : used_) {
      faults_.push_back(tree.read(view_.row(element), rows));
      rows += StoredTree::size(shape_);
      poll.after(layout_.count);
    }
  }

  // The tree of an element, or its fault. The element may have no tree if another thread changed an
  // index.
  [[nodiscard]] Fault find(std::uint32_t element, StoredTree& tree) const {
    const std::uint32_t number = numbers_[place(element)];
    if (number == kNone) [[unlikely]]
      return {Problem::kIndex};
    tree = {shape_, rows_.data() + number * StoredTree::size(shape_)};
    return faults_[number];
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // The number of elements, which is one if the array is expanded.
  [[nodiscard]] std::int64_t elements() const {
    return view_.stride == 0 ? std::min<std::int64_t>(view_.count, 1) : view_.count;
  }
  [[nodiscard]] std::uint32_t place(std::uint32_t element) const {
    return view_.stride == 0 ? 0 : element;
  }

  CategoryLayout layout_;
  TreeShape shape_;
  TableView view_;
  std::vector<std::uint32_t> numbers_;  // of the trees, by element
  std::vector<std::uint32_t> used_;     // elements, by number
  std::vector<Fault> faults_;
  std::vector<std::uint16_t> rows_;
};

// The trees of all jobs of a call.
class TreesOfJobs {
 public:
  // Making a tree takes about as long as coding this number of values without it.
  static constexpr std::int64_t kValuesThatPay = 3;

  // Returns nothing if a job does not share elements, or if `threads` threads code all values
  // faster without trees.
  template <class AnyJob>
  static std::optional<TreesOfJobs> prepare(std::span<const AnyJob> jobs, std::size_t threads,
                                            Poll& poll) {
    std::int64_t values = 0;
    for (const AnyJob& job : jobs) {
      if (!std::get<Categories>(job.model).rows.tables()) return std::nullopt;
      values += job.count;
    }
    const std::int64_t most = values / (kValuesThatPay * static_cast<std::int64_t>(threads));
    if (most < 1) return std::nullopt;
    TreesOfJobs trees;
    if (!trees.look_at(jobs, poll) || trees.size() > most) return std::nullopt;
    for (SharedTrees& each : trees.trees_) each.make(poll);
    return trees;
  }

  [[nodiscard]] const SharedTrees& of_job(std::size_t i) const { return trees_[of_job_[i]]; }

 private:
  [[nodiscard]] std::int64_t size() const {
    std::int64_t all = 0;
    for (const SharedTrees& each : trees_) all += each.size();
    return all;
  }

  // False if there are too many elements.
  template <class AnyJob>
  bool look_at(std::span<const AnyJob> jobs, Poll& poll) {
    std::map<const std::byte*, std::size_t> by_address;  // the last trees of elements there
    std::vector<std::int64_t> values;
    for (const AnyJob& job : jobs) {
      const auto& categories = std::get<Categories>(job.model);
      const auto [found, added] =
          by_address.try_emplace(categories.rows.tables()->first, trees_.size());
      if (added || !trees_[found->second].are_of(categories)) {
        found->second = trees_.size();
        trees_.emplace_back(categories);
        values.push_back(0);
      }
      of_job_.push_back(found->second);
      values[found->second] += job.count;
    }
    for (std::size_t k = 0; k < trees_.size(); ++k)
      if (trees_[k].too_many_for(values[k])) return false;
    for (std::size_t i = 0; i < jobs.size(); ++i)
      trees_[of_job_[i]].add_values(std::get<Categories>(jobs[i].model).rows, jobs[i].count, poll);
    return std::ranges::all_of(trees_, &SharedTrees::fit);
  }

  std::vector<SharedTrees> trees_;
  std::vector<std::size_t> of_job_;  // the number of each job's trees
};

// The trees of elements that the values of jobs share, if they repay their cost. The jobs' models
// are categories of one coder type.
template <class AnyJob>
std::optional<TreesOfJobs> shared_trees(std::span<const AnyJob> jobs, std::size_t threads,
                                        Poll& poll) {
  const CategoryLayout& layout = std::get<Categories>(jobs.front().model).layout;
  if (layout.count <= kMaxRowCategories) return std::nullopt;
  auto trees = TreesOfJobs::prepare(jobs, std::min(threads, jobs.size()), poll);
  if (trees) record(FastPath::kTrees);
  return trees;
}

// Reads the trees of values.
class TreeReader {
 public:
  TreeReader(const SharedTrees& trees, const Rows& rows) : trees_(&trees), elements_(rows) {}

  [[nodiscard]] ReadableBlock read(std::size_t count, StoredTree* to) {
    std::array<std::uint32_t, kBlock> elements;
    ReadableBlock readable = elements_.read(count, elements.data());
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Fault fault = trees_->find(elements[i], to[i]);
      if (fault.problem != Problem::kNone) [[unlikely]]
        readable.truncate(i, fault);
    }
    return readable;
  }

 private:
  const SharedTrees* trees_;
  TableReader elements_;
};

TORCHAC_END_TARGET
