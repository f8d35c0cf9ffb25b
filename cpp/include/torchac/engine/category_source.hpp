// Sources of categories: rows, or trees of rows, with which a value is coded in several steps.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/category_row.hpp"
#include "torchac/models/category_tree.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/models/transposed_categories.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The intervals of values, one for each step of a value. `Reader` reads the addresses of rows, or
// the trees.
template <CategoryPacker Model, LocatorReader<Model> Reader = RowReader>
class CategoryEncodeSource {
 public:
  CategoryEncodeSource(const CategoryLayout& layout, Reader rows, Numbers values)
      : rows_(std::move(rows)),
        values_(std::move(values)),
        categories_(layout.categories()),
        model_(layout) {}

  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t count) {
    std::array<typename Model::Locator, kBlock / Model::kMinSteps> rows{};
    std::array<std::int32_t, kBlock / Model::kMinSteps> values;
    ReadableBlock readable{std::min(count, model_.max_packed())};
    const ReadableBlock found = rows_.read(readable.count, rows.data());
    readable.truncate(found.count, found.fault);
    const ReadableBlock read = read_values(values_, readable.count, values.data());
    readable.truncate(read.count, read.fault);
    for (std::size_t i = 0; i < readable.count; ++i) {
      const auto value = static_cast<std::uint32_t>(values[i]);  // negative ones are large
      if (value >= categories_) [[unlikely]]
        readable.truncate(i, {Problem::kValue});
    }
    const ReadableBlock packed =
        model_.pack(rows.data(), values.data(), readable.count, packed_.data());
    readable.truncate(packed.count, packed.fault);
    size_ = readable.count * model_.steps();
    return readable;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t symbol(std::size_t i) const { return i / model_.steps(); }
  [[nodiscard]] PackedView view(std::size_t first) const { return {packed(first)}; }
  [[nodiscard]] const std::uint32_t* packed(std::size_t first) const { return &packed_[first]; }

 private:
  Reader rows_;
  Numbers values_;
  std::uint32_t categories_;
  Model model_;
  std::size_t size_ = 0;
  std::array<std::uint32_t, kBlock> packed_;
};

using StoredTreeEncodeSource = CategoryEncodeSource<StoredTrees, TreeReader>;

static_assert(PackedSource<CategoryEncodeSource<CategoryRow>>);
static_assert(PackedSource<StoredTreeEncodeSource>);

// Distributions that are prepared for searches, as many at a time as `Model` has room for.
template <class Model, LocatorReader<Model> Reader = RowReader>
class CategoryBlock {
 public:
  CategoryBlock(const CategoryLayout& layout, Reader rows)
      : rows_(std::move(rows)), model_(layout) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) {
    ReadableBlock readable{std::min(count, model_.max_prepared())};
    const ReadableBlock found = rows_.read(readable.count, at_.data());
    readable.truncate(found.count, found.fault);
    const ReadableBlock prepared = model_.prepare(at_.data(), readable.count);
    readable.truncate(prepared.count, prepared.fault);
    return readable;
  }

  using View = typename Model::View;

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return model_.view(at_.data(), first);
  }

 private:
  Reader rows_;
  Model model_;
  std::array<typename Model::Locator, Model::kMaxPrepared> at_{};
};

// Calls `use` with a null pointer to the model for a layout of categories. `Row` is the model of
// one row.
template <class Row, class Use>
Report with_category_model(const CategoryLayout& layout, const Use& use) {
  if (layout.count > kMaxRowCategories) return use(static_cast<const CategoryTree*>(nullptr));
  return layout.categories() <= kMaxTransposedCategories
             ? use(static_cast<const TransposedCategories*>(nullptr))
             : use(static_cast<const Row*>(nullptr));
}

template <class Model>
using CategoryDecodeSource = BlockDecodeSource<CategoryBlock<Model>>;
using StoredTreeDecodeSource = BlockDecodeSource<CategoryBlock<StoredTrees, TreeReader>>;

static_assert(TailSource<CategoryDecodeSource<CategoryTree>>);
static_assert(TailSource<StoredTreeDecodeSource>);

TORCHAC_END_TARGET
