// A tree of categories whose rows are stored, for values that share it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The shape of a tree for a number of categories. The categories in a group are its places. If
// there are more groups than places in one, the groups are grouped too, and these groups are the
// roots.
class TreeShape {
 public:
  static constexpr std::size_t kMaxSteps = 3;

  TreeShape() = default;
  explicit TreeShape(std::uint32_t categories) : categories_(categories) {}

  [[nodiscard]] std::uint32_t categories() const { return categories_; }
  [[nodiscard]] std::uint32_t groups() const { return groups_of(categories_); }
  [[nodiscard]] std::uint32_t roots() const { return groups_of(groups()); }

  // The number of groups of `members` members.
  [[nodiscard]] static std::uint32_t groups_of(std::uint32_t members) {
    return (members + kCategoriesPerGroup - 1) / kCategoriesPerGroup;
  }

  // Whether there are roots above the groups.
  [[nodiscard]] bool deep() const { return groups() > kCategoriesPerGroup; }
  [[nodiscard]] std::size_t steps() const { return deep() ? 3 : 2; }

  // The number of members in group g, of `count` members in all.
  [[nodiscard]] static std::uint32_t size_of(std::uint32_t g, std::uint32_t count) {
    return std::min(kCategoriesPerGroup, count - g * kCategoriesPerGroup);
  }

 private:
  std::uint32_t categories_ = 0;
};

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Trees for the decoding loop, which decodes the symbol of the first step; the other steps are like
// a tail.
template <class Tree>
struct TreeView {
  const Tree* trees = nullptr;

  [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, std::uint32_t quantile) const {
    return trees[i].find_first(quantile);
  }
  [[nodiscard]] static bool has_tail(std::size_t, std::uint32_t) { return true; }
  [[nodiscard]] static std::uint32_t value(std::size_t, std::uint32_t symbol) { return symbol; }
  [[nodiscard]] TailResult read_tail(std::size_t i, std::uint32_t symbol,
                                     const Decoder& decoder) const {
    TailResult result{decoder, 0, Problem::kNone};
    const auto step = [&](const auto& find) {
      const auto quantile = static_cast<std::uint32_t>(result.decoder.state.quantile());
      const Found found = find(quantile);
      if (result.problem == Problem::kNone && !result.decoder.consume(found.interval))
        result.problem = result.decoder.truncated() ? Problem::kTruncated : Problem::kInvalidCode;
      return found.symbol;
    };
    result.value = static_cast<std::int32_t>(trees[i].read_rest(symbol, step));
    return result;
  }
};

// Rows of 16-bit bounds: one for the first step, those of the second step, if there are three, and
// those of the last step. A row has the lower bounds of its symbols, padded with zeros to a
// multiple of kCategoriesPerGroup. Each row begins with a zero, and one follows the last row, so
// the value after a lower bound is the upper bound, modulo 2^16, even at the end of a row.
class StoredTree {
 public:
  StoredTree() = default;
  StoredTree(TreeShape shape, const std::uint16_t* rows) : shape_(shape), rows_(rows) {}

  // The number of values of a tree, with the zero after them.
  [[nodiscard]] static std::size_t size(TreeShape shape) {
    return row_of_group(shape, shape.groups()) + 1;
  }
  // The number of values of a row of `symbols` symbols.
  [[nodiscard]] static std::uint32_t filled(std::uint32_t symbols) {
    return TreeShape::groups_of(symbols) * kCategoriesPerGroup;
  }

  // The position of the row of the groups in `root`, or of the places in a group.
  [[nodiscard]] static std::size_t row_of_root(TreeShape shape, std::uint32_t root) {
    return filled(first_symbols(shape)) + std::size_t{root} * kCategoriesPerGroup;
  }
  [[nodiscard]] static std::size_t row_of_group(TreeShape shape, std::uint32_t group) {
    return row_of_root(shape, (shape.deep() ? shape.roots() : 0) + group);
  }

  // These do the same as in CategoryTree.
  template <class Push>
  TORCHAC_INLINE void write(std::uint32_t symbol, const Push& push) const {
    const std::uint32_t group = symbol / kCategoriesPerGroup;
    if (shape_.deep()) {
      push(interval(0, group / kCategoriesPerGroup));
      push(interval(row_of_root(shape_, group / kCategoriesPerGroup), group % kCategoriesPerGroup));
    } else {
      push(interval(0, group));
    }
    push(interval(row_of_group(shape_, group), symbol % kCategoriesPerGroup));
  }

  [[nodiscard]] TORCHAC_INLINE Found find_first(std::uint32_t quantile) const {
    const std::uint32_t symbols = first_symbols(shape_);
    return find(0, symbols, filled(symbols), quantile);
  }
  template <class Step>
  [[nodiscard]] TORCHAC_INLINE std::uint32_t read_rest(std::uint32_t found,
                                                       const Step& step) const {
    std::uint32_t group = found;
    if (shape_.deep()) {
      group = found * kCategoriesPerGroup + step([&](std::uint32_t quantile) {
                return find(row_of_root(shape_, found), TreeShape::size_of(found, shape_.groups()),
                            kCategoriesPerGroup, quantile);
              });
    }
    return group * kCategoriesPerGroup + step([&](std::uint32_t quantile) {
             return find(row_of_group(shape_, group),
                         TreeShape::size_of(group, shape_.categories()), kCategoriesPerGroup,
                         quantile);
           });
  }

 private:
  // The number of symbols in the first step.
  [[nodiscard]] static std::uint32_t first_symbols(TreeShape shape) {
    return shape.deep() ? shape.roots() : shape.groups();
  }

  [[nodiscard]] TORCHAC_INLINE Interval interval(std::size_t row, std::uint32_t symbol) const {
    const std::uint16_t* const bound = rows_ + row + symbol;
    return {bound[0], static_cast<std::uint16_t>(bound[1] - 1) + 1u};
  }

  // All quantiles reach the zeros after a row's symbols.
  [[nodiscard]] TORCHAC_INLINE Found find(std::size_t row, std::uint32_t symbols,
                                          std::uint32_t filled, std::uint32_t quantile) const {
    const std::uint16_t* const bounds = rows_ + row;
    const auto wanted = static_cast<std::uint16_t>(quantile);
    std::uint16_t reached = 0;
    for (std::size_t j = 0; j < filled; ++j)
      reached = static_cast<std::uint16_t>(reached + (bounds[j] <= wanted ? 1 : 0));
    const std::uint32_t symbol = reached + symbols - filled - 1;
    return {symbol, interval(row, symbol)};
  }

  TreeShape shape_;
  const std::uint16_t* rows_ = nullptr;
};

// The trees of many values. The address of a tree is its locator.
class StoredTrees {
 public:
  using Locator = StoredTree;
  using View = TreeView<StoredTree>;
  static constexpr std::size_t kMinSteps = 2;
  static constexpr std::size_t kMaxPrepared = kBlock;

  explicit StoredTrees(const CategoryLayout& layout) : steps_(TreeShape(layout.count).steps()) {}

  [[nodiscard]] std::size_t steps() const { return steps_; }
  [[nodiscard]] std::size_t max_packed() const { return kBlock / steps_; }
  [[nodiscard]] static std::size_t max_prepared() { return kMaxPrepared; }

  // As CategoryPacker.
  [[nodiscard]] static ReadableBlock pack(const StoredTree* trees, const std::int32_t* values,
                                          std::size_t count, std::uint32_t* to) {
    for (std::size_t i = 0; i < count; ++i)
      trees[i].write(static_cast<std::uint32_t>(values[i]),
                     [&](Interval interval) { *to++ = pack_interval(interval); });
    return {count};
  }

  [[nodiscard]] static ReadableBlock prepare(const StoredTree*, std::size_t count) {
    return {count};
  }
  [[nodiscard]] TORCHAC_INLINE static View view(const StoredTree* trees, std::size_t first) {
    return {trees + first};
  }

 private:
  std::size_t steps_;
};

TORCHAC_END_TARGET
