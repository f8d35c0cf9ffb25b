// Models for Python, and the jobs of values with them.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "arrays.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_dimensions.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"

namespace torchac::python {

// Each kind of model as arrays: the dimensions of its values, the core's model, with an index if
// there is one, and the model of item i of a batch.

// Rows of a CDF.
struct CdfArrays {
  ArraySlice rows;
  CdfLayout layout;
  Check check;
  bool clamp;

  [[nodiscard]] std::vector<Dimension> dimensions() const { return rows.dimensions(1); }
  [[nodiscard]] AnyModel model(const std::optional<Numbers>& index) const {
    const py::array& array = rows.array();
    return CdfRows{layout,
                   index ? Rows({rows.first(), array.strides(0), array.shape(0)}, *index)
                         : Rows(StridedWalk(rows.first(), dimensions())),
                   check, clamp};
  }
  void take(py::ssize_t i) { rows = ArraySlice(rows.array(), i); }
};

// Parameters of the components of a distribution.
struct ParameterArrays {
  struct Part {
    const Family* family;
    std::array<std::optional<ArraySlice>, kParameterNames.size()> arrays;
  };

  std::vector<Part> components;
  Bounds bounds;

  [[nodiscard]] std::vector<Dimension> dimensions() const {
    return components.front().arrays[0]->dimensions();
  }
  // The core's model, with the numbers `numbers(array)` of each array.
  template <class NumbersOf>
  [[nodiscard]] Parameters parameters(const NumbersOf& numbers) const {
    Parameters result{{}, bounds};
    for (const Part& part : components) {
      Component& component = result.components.emplace_back(Component{part.family, {}});
      for (std::size_t k = 0; k < part.arrays.size(); ++k)
        if (part.arrays[k]) component.arrays[k] = numbers(*part.arrays[k]);
    }
    return result;
  }
  [[nodiscard]] AnyModel model(const std::optional<Numbers>& index) const {
    Parameters result = parameters([](const ArraySlice& array) { return numbers(array); });
    result.index = index;
    return result;
  }
  template <class Use>
  void each(const Use& use) {
    for (Part& part : components) {
      for (std::optional<ArraySlice>& array : part.arrays)
        if (array) use(*array);
    }
  }
  void take(py::ssize_t i) {
    each([&](ArraySlice& array) { array = ArraySlice(array.array(), i); });
  }
};

// Stored rows with windows.
struct TableArrays {
  Symbols rows;
  Int32s first;
  Int32s symbols;
  Uint8s shifts;
  std::optional<Uint32s> places;
  Bounds bounds;
  std::vector<Dimension> shape;  // of the values
  py::ssize_t skipped = 0;       // in rows
  py::ssize_t count = 0;

  [[nodiscard]] const std::vector<Dimension>& dimensions() const { return shape; }
  [[nodiscard]] AnyModel model(const std::optional<Numbers>& index) const {
    TableRowsView view{reinterpret_cast<const std::byte*>(rows.data()),
                       rows.strides(0),
                       first.size(),
                       rows.shape(1) - 1,
                       first.data(),
                       symbols.data(),
                       shifts.data(),
                       bounds,
                       places ? places->data() : nullptr};
    view.skip(skipped);
    view.count = count;
    return TableRows{view, index};
  }
  void take(py::ssize_t i) {
    shape.erase(shape.begin());
    count = size(shape);
    skipped = i * count;
  }
};

// Numbers of categories, along the last dimension, except for Bernoulli distributions.
struct CategoryArrays {
  CategoryNumbers kind;
  ArraySlice array;

  [[nodiscard]] bool bernoulli() const { return kind >= CategoryNumbers::kBernoulliProbabilities; }
  [[nodiscard]] std::vector<Dimension> dimensions() const {
    return array.dimensions(bernoulli() ? 0 : 1);
  }
  [[nodiscard]] CategoryLayout layout() const {
    const DType type = dtype_of(array.array().dtype());
    if (bernoulli()) return {kind, type, 1, 0};
    const Dimension last = array.dimensions().back();
    return {kind, type, static_cast<std::uint32_t>(last.size), last.stride};
  }
  [[nodiscard]] Categories categories(const std::vector<Dimension>& dimensions) const {
    return {layout(), Rows(StridedWalk(array.first(), dimensions))};
  }
  [[nodiscard]] AnyModel model(const std::optional<Numbers>& index) const {
    const auto rows = dimensions();
    if (!index) return categories(rows);
    return Categories{layout(), Rows({array.first(), rows[0].stride, rows[0].size}, *index)};
  }
  void take(py::ssize_t i) { array = ArraySlice(array.array(), i); }
};

// A model for Python.
class Model {
 public:
  // The rows are floats or 16-bit integers.
  static Model of_cdf(const py::array& rows, bool normalize, const std::optional<py::array>& index,
                      bool check, bool clamp) {
    const py::ssize_t symbols = rows.ndim() >= 1 ? rows.shape(rows.ndim() - 1) - 1 : 0;
    require(symbols >= kMinSymbols && symbols <= kMaxSymbols, "Lp out of range");
    DType type = dtype_of(rows.dtype());
    if (type == DType::kUint16) type = DType::kInt16;
    require(is_float(type) || type == DType::kInt16, "wrong row type");
    require(!index || rows.ndim() == 2, "shared rows must have two dimensions");
    const CdfLayout layout{type, normalize, static_cast<std::uint32_t>(symbols),
                           rows.strides(rows.ndim() - 1)};
    return Model(CdfArrays{rows, layout, check ? Check::kAll : Check::kCheap, clamp}, index);
  }

  // A component is the name of a family, and arrays by the names of parameters.
  static Model of_parameters(const std::vector<std::pair<std::string_view, py::dict>>& components,
                             std::int32_t low, std::int32_t high,
                             const std::optional<py::array>& index) {
    require(!components.empty(), "components expected");
    require(low <= high, "low <= high expected");
    ParameterArrays made{{}, {low, high}};
    for (const auto& [name, arrays] : components) {
      const Family* const family = find_family(name);
      require(family != nullptr, "the name of a family expected");
      made.components.push_back({family, named_arrays(arrays, components.size() > 1)});
    }
    const auto shape = made.dimensions();
    std::vector<std::vector<Dimension>> dimensions;
    made.each([&](const ArraySlice& array) {
      dimensions.push_back(array.dimensions());
      require(same_shape(dimensions.back(), shape), "shapes do not match");
    });
    require(!index || shape.size() == 1, "shared parameters must have one dimension");
    Model model(made, index);
    model.share(dimensions, [&](const auto& elements) -> Elements {
      auto next = elements.begin();
      return made.parameters([&](const ArraySlice& array) {
        return Numbers{dtype_of(array.array().dtype()), StridedWalk(array.first(), *next++)};
      });
    });
    return model;
  }

  static Model of_tables(const Symbols& rows, const Int32s& first, const Int32s& symbols,
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
    TableArrays made{rows, first, symbols, shifts, places, {low, high}, {}, 0, count};
    for (const py::ssize_t size : shape) made.shape.push_back({size, 0});
    require(index || size(made.shape) == count, "shapes do not match");
    return Model(std::move(made), index);
  }

  // The numbers are along the last dimension; a Bernoulli distribution has one for each value.
  static Model of_categories(CategoryNumbers kind, const py::array& numbers,
                             const std::optional<py::array>& index) {
    const CategoryArrays made{kind, numbers};
    require(made.bernoulli() || (numbers.ndim() >= 1 && numbers.shape(numbers.ndim() - 1) >= 1 &&
                                 numbers.shape(numbers.ndim() - 1) <= kMaxCategories),
            "a dimension of 1 to 2^20 categories expected");
    require(is_float(made.layout().type), "floats expected");
    const auto dimensions = made.dimensions();
    require(!index || dimensions.size() == 1, "shared rows must have two dimensions");
    Model model(made, index);
    model.share({dimensions},
                [&](const auto& elements) -> Elements { return made.categories(elements[0]); });
    return model;
  }

  [[nodiscard]] bool is_cdf() const { return std::holds_alternative<CdfArrays>(arrays_); }

  // The shape of the values.
  [[nodiscard]] std::vector<Dimension> shape() const {
    if (index_) return index_->dimensions();
    return std::visit([](const auto& arrays) { return std::vector(arrays.dimensions()); }, arrays_);
  }

  // A job of values with these dimensions: the model, and the elements that they share.
  [[nodiscard]] Job job(const std::vector<Dimension>& values) const {
    const auto own = shape();
    require(same_shape(own, values), "shapes do not match");
    std::optional<Numbers> index;
    if (index_) index = integers(*index_);
    Job result{std::visit([&](const auto& arrays) { return arrays.model(index); }, arrays_),
               size(own), shared_};
    if (result.shared) result.shared->index = index;
    return result;
  }

  // The models of the items of a batch.
  [[nodiscard]] std::vector<Model> items() const {
    const auto batch = shape();
    require(!batch.empty(), "a batch expected");
    std::vector<Model> result(static_cast<std::size_t>(batch.front().size), *this);
    for (std::size_t k = 0; k < result.size(); ++k) result[k].take(static_cast<py::ssize_t>(k));
    return result;
  }

 private:
  using Arrays = std::variant<CdfArrays, ParameterArrays, TableArrays, CategoryArrays>;

  Model(Arrays arrays, const std::optional<py::array>& index) : arrays_(std::move(arrays)) {
    if (index) index_ = ArraySlice(*index);
  }

  static std::array<std::optional<ArraySlice>, kParameterNames.size()> named_arrays(
      const py::dict& arrays, bool mixture) {
    std::array<std::optional<ArraySlice>, kParameterNames.size()> result;
    for (const auto& [name, array] : arrays) {
      const auto* const found = std::ranges::find(kParameterNames, name.cast<std::string_view>());
      require(found != kParameterNames.end(), "the name of a parameter expected");
      result[static_cast<std::size_t>(found - kParameterNames.begin())] = array.cast<py::array>();
    }
    const bool all = std::all_of(result.begin(), result.end() - 1, [](auto& a) { return !!a; });
    require(all && (result.back() || !mixture), "an array for each parameter expected");
    return result;
  }

  void take(py::ssize_t i) {
    if (index_) {
      index_ = ArraySlice(index_->array(), i);
      return;
    }
    std::visit([&](auto& arrays) { arrays.take(i); }, arrays_);
    if (!shared_) return;
    shared_->first += i * shared_->steps.front().stride;
    shared_->steps.erase(shared_->steps.begin());
  }

  // Finds the elements that values share in arrays with these dimensions. `elements_of(dimensions)`
  // makes them from the dimensions of each array before it was expanded.
  template <class ElementsOf>
  void share(std::vector<std::vector<Dimension>> arrays, const ElementsOf& elements_of) {
    auto found = shared_dimensions(std::move(arrays), index_.has_value());
    if (found)
      shared_ = SharedElements{std::make_shared<const Elements>(elements_of(found->arrays)),
                               found->count, std::nullopt, std::move(found->steps)};
  }

  Arrays arrays_;
  std::optional<ArraySlice> index_;
  std::optional<SharedElements> shared_;  // not for stored rows, which have an index
};

inline EncodeJob encode_job(const Model& model, const ArraySlice& values) {
  return {model.job(values.dimensions()), model.is_cdf() ? integers(values) : numbers(values),
          nullptr};
}

// With a CDF, values are decoded as int16, else as int32.
inline DecodeJob decode_job(const Model& model, ArraySlice values) {
  const bool fits = model.is_cdf() ? py::isinstance<Symbols>(values.array())
                                   : py::isinstance<Int32s>(values.array());
  if (!fits) throw py::type_error("values of another type expected");
  Job job = model.job(values.dimensions());
  std::byte* const first = values.mutable_first();
  if (model.is_cdf())
    return {std::move(job), SymbolSink(reinterpret_cast<std::int16_t*>(first)), nullptr};
  return {std::move(job), SymbolSink(reinterpret_cast<std::int32_t*>(first)), nullptr};
}

}  // namespace torchac::python
