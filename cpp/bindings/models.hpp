// Models as Python passes them: CDFs, parameters, rows with windows, numbers of categories.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/standard_cdf.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"

namespace torchac::python {

inline py::ssize_t item_size(DType type) {
  switch (type) {
    case DType::kFloat32:
      return 4;
    case DType::kFloat64:
      return 8;
    default:
      return 2;
  }
}

// A CDF as Python passes it: an array of rows, how to read them, and an index if they are shared.
class Cdf {
 public:
  Cdf(const py::array& rows, DType type, bool normalize, const std::optional<py::array>& index)
      : rows_(rows), index_(index), type_(type), normalize_(normalize) {
    require(rows.ndim() >= 1 && symbols() >= kMinSymbols && symbols() <= kMaxSymbols,
            "Lp out of range");
    require(rows.itemsize() == item_size(type), "wrong row type");
    require(!index || rows.ndim() == 2, "shared rows must have two dimensions");
  }

  [[nodiscard]] std::int64_t symbols() const { return array().shape(array().ndim() - 1) - 1; }

  // The shape of the symbols.
  [[nodiscard]] std::vector<Dimension> shape() const {
    return index_ ? index_->dimensions() : rows_.dimensions(1);
  }

  [[nodiscard]] CdfLayout layout() const {
    return {type_, normalize_, static_cast<std::uint32_t>(symbols()),
            array().strides(array().ndim() - 1)};
  }

  [[nodiscard]] Rows rows() const {
    if (!index_) return Rows(StridedWalk(rows_.first(), shape()));
    return {{rows_.first(), array().strides(0), array().shape(0)}, integers(*index_)};
  }

  // Those of the items, if it is that of a batch.
  [[nodiscard]] std::vector<Cdf> items() const {
    require(!shape().empty(), "a batch expected");
    std::vector<Cdf> result;
    for (const ArraySlice& slice : python::items(index_ ? index_->array() : array())) {
      result.push_back(*this);
      (index_ ? *result.back().index_ : result.back().rows_) = slice;
    }
    return result;
  }

 private:
  [[nodiscard]] const py::array& array() const { return rows_.array(); }

  ArraySlice rows_;
  std::optional<ArraySlice> index_;
  DType type_;
  bool normalize_;
};

// A model of values as Python passes it: parameters, rows with windows, or numbers of categories.
class ValueModel {
 public:
  static ValueModel of_parameters(const std::vector<Family>& kinds,
                                  const std::vector<NumberArray>& locs,
                                  const std::vector<NumberArray>& scales,
                                  const std::vector<NumberArray>& weights, std::int32_t low,
                                  std::int32_t high, const std::optional<py::array>& index) {
    const std::size_t count = kinds.size();
    require(count >= 1 && locs.size() == count && scales.size() == count &&
                (weights.empty() ? count == 1 : weights.size() == count),
            "as many of each parameter as kinds expected");
    require(low <= high, "low <= high expected");
    ValueModel model;
    model.bounds_ = {low, high};
    model.kinds_ = kinds;
    for (const auto* arrays : {&locs, &scales, &weights})
      model.arrays_.insert(model.arrays_.end(), arrays->begin(), arrays->end());
    for (const NumberArray& array : model.arrays_)
      require(same_shape(array.shape(), locs[0].shape()), "shapes do not match");
    if (index) model.index_ = ArraySlice(*index);
    require(!index || locs[0].shape().size() == 1, "shared parameters must have one dimension");
    std::vector<std::vector<Dimension>> arrays;
    for (const NumberArray& array : model.arrays_) arrays.push_back(array.shape());
    model.share(arrays, [&](const auto& elements) -> Elements {
      return model.parameters([&](std::size_t k) {
        return Numbers{model.arrays_[k].type(), StridedWalk(model.arrays_[k].first(), elements[k])};
      });
    });
    return model;
  }

  static ValueModel of_rows(const Symbols& rows, const Int32s& first, const Int32s& symbols,
                            const Uint8s& shifts, std::int32_t low, std::int32_t high,
                            const std::optional<py::array>& index,
                            const std::vector<py::ssize_t>& shape,
                            const std::optional<Uint32s>& places) {
    require(rows.ndim() == 2 && rows.shape(1) >= 2 && rows.shape(1) <= kMaxSymbols + 1,
            "rows in two dimensions expected");
    const py::ssize_t count = places ? places->size() : rows.shape(0);
    require(!places || std::ranges::all_of(
                           std::span(places->data(), static_cast<std::size_t>(count)),
                           [&](std::uint32_t row) { return std::cmp_less(row, rows.shape(0)); }),
            "numbers of rows expected");
    require(first.size() == count && symbols.size() == count && shifts.size() == count &&
                count <= UINT32_MAX,
            "one window for each row expected");
    require(low <= high, "low <= high expected");
    ValueModel model;
    model.bounds_ = {low, high};
    model.rows_ = Stored{rows, first, symbols, shifts, places};
    if (index) model.index_ = ArraySlice(*index);
    model.count_ = count;
    for (const py::ssize_t size : shape) model.shape_.push_back({size, 0});
    require(index || size(model.shape_) == count, "shapes do not match");
    return model;
  }

  // Numbers along the last dimension, or one for each value of Bernoulli distributions.
  static ValueModel of_categories(CategoryNumbers kind, const NumberArray& numbers,
                                  const std::optional<py::array>& index) {
    ValueModel model;
    model.numbers_ = CategoryArray{kind, numbers};
    if (index) model.index_ = ArraySlice(*index);
    const CategoryLayout layout = model.layout();
    require(layout.type >= DType::kFloat16, "floats expected");
    require(layout.count >= 1 && layout.count <= kMaxCategories, "1 to 2^20 categories expected");
    require(!index || model.numbers_->dimensions().size() == 1,
            "shared rows must have two dimensions");
    model.share({model.numbers_->dimensions()}, [&](const auto& elements) -> Elements {
      return Categories{layout, Rows(StridedWalk(model.numbers_->array.first(), elements[0]))};
    });
    return model;
  }

  // The shape of the values.
  [[nodiscard]] std::vector<Dimension> shape() const {
    if (index_) return index_->dimensions();
    if (numbers_) return numbers_->dimensions();
    return rows_ ? shape_ : arrays_.front().shape();
  }

  [[nodiscard]] AnyModel model() const {
    if (numbers_) return Categories{layout(), category_rows()};
    if (!rows_) {
      Parameters result = parameters([&](std::size_t k) { return arrays_[k].numbers(); });
      if (index_) result.index = integers(*index_);
      return result;
    }
    const auto* first_row = reinterpret_cast<const std::byte*>(rows_->rows.data());
    TableRowsView view{first_row,
                       rows_->rows.strides(0),
                       rows_->first.size(),
                       rows_->rows.shape(1) - 1,
                       rows_->first.data(),
                       rows_->symbols.data(),
                       rows_->shifts.data(),
                       bounds_,
                       rows_->places ? rows_->places->data() : nullptr};
    view.skip(first_);
    view.count = count_;
    TableRows result{view, std::nullopt};
    if (index_) result.index = integers(*index_);
    return result;
  }

  // What the values share, but for stored rows, whose index says it.
  [[nodiscard]] std::optional<SharedElements> shared() const {
    std::optional<SharedElements> result = shared_;
    if (result && index_) result->index = integers(*index_);
    return result;
  }

  // Those of the items, if it is that of a batch.
  [[nodiscard]] std::vector<ValueModel> items() const {
    require(!shape().empty(), "a batch expected");
    const std::int64_t count = shape().front().size;
    std::vector<ValueModel> result(static_cast<std::size_t>(count), *this);
    for (py::ssize_t i = 0; i < count; ++i) {
      ValueModel& item = result[static_cast<std::size_t>(i)];
      if (!index_) {
        for (NumberArray& array : item.arrays_) array = NumberArray(array, i);
      }
      if (numbers_ && !index_) item.numbers_->array = NumberArray(numbers_->array, i);
      if (shared_ && !index_) {
        item.shared_->first += i * shared_->steps.front().stride;
        item.shared_->steps.erase(item.shared_->steps.begin());
      }
      if (index_) {
        item.index_ = ArraySlice(index_->array(), i);
      } else if (rows_) {
        item.shape_.erase(item.shape_.begin());
        item.count_ = size(item.shape_);
        item.first_ = i * item.count_;
      }
    }
    return result;
  }

 private:
  // The numbers of categories, along the last dimension unless they are of Bernoulli distributions.
  struct CategoryArray {
    CategoryNumbers kind;
    NumberArray array;

    [[nodiscard]] bool bernoulli() const {
      return kind >= CategoryNumbers::kBernoulliProbabilities;
    }
    [[nodiscard]] std::vector<Dimension> dimensions() const {
      auto result = array.shape();
      if (!bernoulli()) {
        require(!result.empty(), "a dimension of categories expected");
        result.pop_back();
      }
      return result;
    }
  };

  // Parameters of which `numbers(k)` are those of array k.
  template <class NumbersOf>
  [[nodiscard]] Parameters parameters(const NumbersOf& numbers) const {
    Parameters result{{}, bounds_};
    const std::size_t count = kinds_.size();
    for (std::size_t k = 0; k < count; ++k) {
      Component component{kinds_[k], numbers(k), numbers(count + k), {}};
      if (arrays_.size() > 2 * count) component.weight = numbers(2 * count + k);
      result.components.push_back(std::move(component));
    }
    return result;
  }

  // Notes what values share if there is an index, or else if arrays of these dimensions are all
  // expanded along one. `elements_of(dimensions)` are the elements, with the dimensions of each
  // array as they were before.
  template <class ElementsOf>
  void share(std::vector<std::vector<Dimension>> arrays, const ElementsOf& elements_of) {
    const std::vector<Dimension> whole = arrays.front();
    std::vector<Dimension> steps = whole;
    std::int64_t count = 1;
    for (std::size_t d = whole.size(); d-- > 0;) {
      const bool expanded = !index_ && whole[d].size > 1 &&
                            std::ranges::all_of(arrays, [&](const std::vector<Dimension>& array) {
                              return array[d].stride == 0;
                            });
      steps[d].stride = expanded ? 0 : count;
      if (expanded) {
        for (std::vector<Dimension>& array : arrays) array[d].size = 1;
      } else {
        count *= whole[d].size;
      }
    }
    const bool expanded = count < size(whole);
    if ((index_ || expanded) && count > 0 && count < UINT32_MAX)
      shared_ = SharedElements{std::make_shared<const Elements>(elements_of(arrays)), count,
                               std::nullopt, std::move(steps)};
  }

  [[nodiscard]] CategoryLayout layout() const {
    const Numbers numbers = numbers_->array.numbers();
    if (numbers_->bernoulli()) return {numbers_->kind, numbers.type, 1, 0};
    const auto shape = numbers_->array.shape();
    require(!shape.empty(), "a dimension of categories expected");
    require(shape.back().size <= kMaxCategories, "1 to 2^20 categories expected");
    return {numbers_->kind, numbers.type, static_cast<std::uint32_t>(shape.back().size),
            shape.back().stride};
  }

  [[nodiscard]] Rows category_rows() const {
    const auto* first = numbers_->array.first();
    const auto dimensions = numbers_->dimensions();
    if (!index_) return Rows(StridedWalk(first, dimensions));
    return {{first, dimensions[0].stride, dimensions[0].size}, integers(*index_)};
  }

  struct Stored {
    Symbols rows;
    Int32s first;
    Int32s symbols;
    Uint8s shifts;
    std::optional<Uint32s> places;
  };

  Bounds bounds_;
  std::vector<Family> kinds_;
  std::vector<NumberArray> arrays_;  // locs, scales, and weights of a mixture
  std::optional<CategoryArray> numbers_;
  std::optional<Stored> rows_;
  std::optional<ArraySlice> index_;
  std::optional<SharedElements> shared_;
  py::ssize_t first_ = 0;  // of the rows, and how many
  py::ssize_t count_ = 0;
  std::vector<Dimension> shape_;
};

}  // namespace torchac::python
