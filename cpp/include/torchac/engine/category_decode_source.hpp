// Decode sources of categories: rows, or trees of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/engine/value_decode_source.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/category_tree.hpp"
#include "torchac/models/few_categories.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// What their views have in common.
struct CategoryView {
  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
    return Target::of<kHasFma>(state);
  }
};

template <class Weight>
class CategoryDecodeSource {
 public:
  using Model = CategoryRow<Weight>;

  explicit CategoryDecodeSource(const Categories& categories)
      : rows_(categories.rows), row_(categories.layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<const std::byte*, kMaxRows> rows;
    ReadableBlock readable{std::min({count, kMaxRows, kMaxWeights / row_.filled()})};
    const ReadableBlock found = rows_.read(readable.count, rows.data());
    readable.truncate(found.count, found.fault);
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Fault fault = row_.read(rows[i]);
      if (fault.problem != Problem::kNone) [[unlikely]] {
        readable.truncate(i, fault);
        break;
      }
      row_.prepare(searches_[i], &weights_[i * row_.filled()]);
    }
    return readable;
  }

  struct View : CategoryView {
    const typename Model::Search* searches = nullptr;
    const std::int32_t* weights = nullptr;
    std::size_t filled = 0;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return searches[i].find(weights + i * filled, target.quantile());
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{}, &searches_[first], &weights_[first * row_.filled()], row_.filled()};
  }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  // Few enough for the L1 cache.
  static constexpr std::size_t kMaxRows = 32;
  static constexpr std::size_t kMaxWeights = 4096;

  RowReader rows_;
  Model row_;
  std::array<typename Model::Search, kMaxRows> searches_;
  std::array<std::int32_t, kMaxWeights> weights_;
};

// Of trees, which have the symbols of the first step; the other steps are as a tail to the loop.
template <class Tree>
struct TreeView : CategoryView {
  const Tree* trees = nullptr;

  [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
    return trees[i].find_first(target.quantile());
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
        result.problem = result.decoder.truncated() ? Problem::kTruncated : Problem::kContradicted;
      return found.symbol;
    };
    result.value = static_cast<std::int32_t>(trees[i].read_rest(symbol, step));
    return result;
  }
};

// One value in a block: its numbers take much longer than what is done for a block.
template <class Weight>
class TreeDecodeSource {
 public:
  using Model = CategoryTree<Weight>;
  using View = TreeView<Model>;

  explicit TreeDecodeSource(const Categories& categories)
      : rows_(categories.rows), tree_(categories.layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    const std::byte* row = nullptr;
    ReadableBlock readable{std::min<std::size_t>(count, 1)};
    const ReadableBlock found = rows_.read(readable.count, &row);
    readable.truncate(found.count, found.fault);
    if (readable.count > 0) {
      const Fault fault = tree_.read(row);
      if (fault.problem != Problem::kNone) readable.truncate(0, fault);
    }
    return readable;
  }

  [[nodiscard]] View view(std::size_t) const { return {{}, &tree_}; }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  RowReader rows_;
  Model tree_;
};

// Trees that values share.
class StoredTreeDecodeSource {
 public:
  using Model = StoredTree;
  using View = TreeView<Model>;

  StoredTreeDecodeSource(const SharedTrees& trees, const Categories& categories)
      : reader_(trees, categories.rows) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    return reader_.read(count, trees_.data());
  }

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const { return {{}, &trees_[first]}; }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  TreeReader reader_;
  std::array<StoredTree, kBlock> trees_;
};

template <class Weight>
class FewDecodeSource {
 public:
  using Model = FewCategories<Weight>;

  explicit FewDecodeSource(const Categories& categories)
      : rows_(categories.rows), block_(categories.layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<const std::byte*, kBlock> rows{};
    ReadableBlock readable{std::min(count, block_.values())};
    const ReadableBlock found = rows_.read(readable.count, rows.data());
    readable.truncate(found.count, found.fault);
    const ReadableBlock numbers = block_.read(rows.data(), readable.count);
    readable.truncate(numbers.count, numbers.fault);
    block_.prepare(readable.count);
    return readable;
  }

  struct View : CategoryView {
    typename Model::Search search;

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return search.find(i, target.quantile());
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {{}, block_.search(first)};
  }

  [[nodiscard]] static Fault why_contradicted(std::size_t, std::uint32_t) {
    return {Problem::kContradicted};
  }

 private:
  RowReader rows_;
  Model block_;
};

TORCHAC_END_TARGET
