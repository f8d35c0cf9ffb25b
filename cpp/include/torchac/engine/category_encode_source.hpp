// Encode sources of categories: the intervals of each value's steps.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/category_tree.hpp"
#include "torchac/models/few_categories.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/models/weights.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Reads where rows are, or which trees, and the values that have them: blocks of `count` values, of
// numbers that take a millisecond or less.
template <class Reader>
class CategoryReader {
 public:
  CategoryReader(Reader rows, const CategoryLayout& layout, Numbers values)
      : rows_(std::move(rows)), values_(std::move(values)), count_(layout.categories()) {}

  template <class Locator>
  [[nodiscard]] ReadableBlock read(std::size_t count, Locator* rows, std::int32_t* values) {
    ReadableBlock readable{count};
    const ReadableBlock found = rows_.read(count, rows);
    readable.truncate(found.count, found.fault);
    const ReadableBlock read = read_values(values_, readable.count, values);
    readable.truncate(read.count, read.fault);
    for (std::size_t i = 0; i < readable.count; ++i) {
      const auto value = static_cast<std::uint32_t>(values[i]);  // negative ones are large
      if (value >= count_) [[unlikely]]
        readable.truncate(i, {Problem::kValue});
    }
    return readable;
  }

 private:
  Reader rows_;
  Numbers values_;
  std::uint32_t count_;
};

// What such sources have in common: so many intervals for each value.
class CategoryIntervals {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] PackedView view(std::size_t first) const { return {packed(first)}; }
  [[nodiscard]] const std::uint32_t* packed(std::size_t first) const { return &packed_[first]; }

 protected:
  void clear() { size_ = 0; }
  void push(Interval interval) { packed_[size_++] = pack_interval(interval); }

  std::size_t size_ = 0;
  std::array<std::uint32_t, kBlock> packed_;
};

template <class Weight>
class CategoryEncodeSource : public CategoryIntervals {
 public:
  CategoryEncodeSource(const Categories& categories, Numbers values)
      : reader_(RowReader(categories.rows), categories.layout, std::move(values)),
        row_(categories.layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<const std::byte*, kBlock> rows;
    std::array<std::int32_t, kBlock> values;
    ReadableBlock readable = reader_.read(count, rows.data(), values.data());
    clear();
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Fault fault = row_.read(rows[i]);
      if (fault.problem != Problem::kNone) [[unlikely]] {
        readable.truncate(i, fault);
        break;
      }
      push(row_.interval(static_cast<std::uint32_t>(values[i])));
    }
    return readable;
  }

  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i; }

 private:
  CategoryReader<RowReader> reader_;
  CategoryRow<Weight> row_;
};

template <class Weight>
class TreeEncodeSource : public CategoryIntervals {
 public:
  TreeEncodeSource(const Categories& categories, Numbers values)
      : reader_(RowReader(categories.rows), categories.layout, std::move(values)),
        tree_(categories.layout),
        values_in_block_(std::clamp<std::size_t>(kNumbersInBlock / categories.layout.count, 1,
                                                 kBlock / CategoryTree<Weight>::kMaxSteps)) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<const std::byte*, kBlock> rows;
    std::array<std::int32_t, kBlock> values;
    ReadableBlock readable =
        reader_.read(std::min(count, values_in_block_), rows.data(), values.data());
    clear();
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Fault fault = tree_.read(rows[i]);
      if (fault.problem != Problem::kNone) [[unlikely]] {
        readable.truncate(i, fault);
        break;
      }
      tree_.write(static_cast<std::uint32_t>(values[i]),
                  [&](Interval interval) { push(interval); });
    }
    return readable;
  }

  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i / tree_.steps(); }

 private:
  // A fraction of a millisecond, so that signals are looked for.
  static constexpr std::size_t kNumbersInBlock = 1 << 18;

  CategoryReader<RowReader> reader_;
  CategoryTree<Weight> tree_;
  std::size_t values_in_block_;
};

// The same of trees that values share.
class StoredTreeEncodeSource : public CategoryIntervals {
 public:
  StoredTreeEncodeSource(const SharedTrees& trees, const Categories& categories, Numbers values)
      : reader_(TreeReader(trees, categories.rows), categories.layout, std::move(values)),
        steps_(TreeShape(categories.layout.count).steps()) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<StoredTree, kBlock / 2> trees;  // of two steps at least
    std::array<std::int32_t, kBlock / 2> values;
    const ReadableBlock readable =
        reader_.read(std::min(count, kBlock / steps_), trees.data(), values.data());
    clear();
    for (std::size_t i = 0; i < readable.count; ++i)
      trees[i].write(static_cast<std::uint32_t>(values[i]),
                     [&](Interval interval) { push(interval); });
    return readable;
  }

  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i / steps_; }

 private:
  CategoryReader<TreeReader> reader_;
  std::size_t steps_;
};

template <class Weight>
class FewEncodeSource : public CategoryIntervals {
 public:
  FewEncodeSource(const Categories& categories, Numbers values)
      : reader_(RowReader(categories.rows), categories.layout, std::move(values)),
        block_(categories.layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<const std::byte*, kBlock> rows{};
    std::array<std::int32_t, kBlock> values;
    ReadableBlock readable =
        reader_.read(std::min(count, block_.values()), rows.data(), values.data());
    const ReadableBlock numbers = block_.read(rows.data(), readable.count);
    readable.truncate(numbers.count, numbers.fault);
    size_ = readable.count;
    block_.pack(values.data(), size_, packed_.data());
    return readable;
  }

  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i; }

 private:
  CategoryReader<RowReader> reader_;
  FewCategories<Weight> block_;
};

static_assert(PackedSource<CategoryEncodeSource<LogitWeight<kRowBits>>>);
static_assert(PackedSource<TreeEncodeSource<LogitWeight<kGroupBits>>>);
static_assert(PackedSource<FewEncodeSource<LogitWeight<kRowBits>>>);

TORCHAC_END_TARGET
