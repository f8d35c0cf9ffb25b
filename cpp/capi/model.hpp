// Models of the caller's arrays, and the jobs of values with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "array.hpp"
#include "torchac.h"
#include "torchac/arrays/numbers.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window.hpp"

namespace torchac::c {

using Index = std::optional<Array>;

// Each kind of model: its arrays, with the dimensions that they have after those of values, and the
// core's model of as many values as the arrays have elements, or as an index selects.

struct CdfArrays {
  static constexpr std::size_t kOwn = 1;

  Array rows;
  bool normalize;
  Check check;
  bool clamp;

  template <class Use>
  void each(const Use& use) {
    use(rows, kOwn);
  }
  [[nodiscard]] CdfLayout layout() const;
  [[nodiscard]] AnyModel core(const std::optional<Numbers>& index) const;
};

struct ParameterArrays {
  struct Part {
    const Family* family;
    std::array<std::optional<Array>, kParameterNames.size()> arrays;
  };

  std::vector<Part> components;
  Bounds bounds;

  template <class Use>
  void each(const Use& use) {
    for (Part& part : components) {
      for (std::optional<Array>& array : part.arrays)
        if (array) use(*array, 0);
    }
  }
  [[nodiscard]] bool mixture() const { return components.front().arrays.back().has_value(); }
  // The core's model of arrays with these dimensions.
  [[nodiscard]] Parameters parameters(const std::vector<std::vector<Dimension>>& dimensions) const;
  [[nodiscard]] AnyModel core(const std::optional<Numbers>& index) const;
};

struct CategoryArrays {
  CategoryNumbers kind;
  Array numbers;

  template <class Use>
  void each(const Use& use) {
    use(numbers, own());
  }
  [[nodiscard]] bool bernoulli() const { return kind >= CategoryNumbers::kBernoulliProbabilities; }
  [[nodiscard]] bool logits() const {
    return kind == CategoryNumbers::kLogits || kind == CategoryNumbers::kBernoulliLogits;
  }
  [[nodiscard]] std::size_t own() const { return bernoulli() ? 0 : 1; }
  [[nodiscard]] CategoryLayout layout() const;
  [[nodiscard]] AnyModel core(const std::optional<Numbers>& index) const;
};

// Tables. Their windows are copies, which were checked; `which` has the number of each value's row.
struct TableArrays {
  struct Windows {
    std::vector<std::int32_t> first;
    std::vector<std::int32_t> lengths;
    std::vector<std::uint8_t> shift;
    std::vector<std::uint32_t> numbers;  // 0, 1, …
  };

  Array rows;
  std::int64_t stride;  // bytes from one row to the next
  std::shared_ptr<Windows> windows;
  Bounds bounds;
  Array which;

  template <class Use>
  void each(const Use& use) {
    use(which, 0);
  }
  [[nodiscard]] AnyModel core(const std::optional<Numbers>& index) const;
};

// A model, for values of its shape.
class Model {
 public:
  static Model of(const torchac_spec& spec);

  using Arrays = std::variant<CdfArrays, ParameterArrays, CategoryArrays, TableArrays>;

  [[nodiscard]] const Arrays& arrays() const { return arrays_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] Bounds bounds() const;
  [[nodiscard]] bool is_cdf() const { return std::holds_alternative<CdfArrays>(arrays_); }

  // The model for values of that shape, if it broadcasts to it.
  [[nodiscard]] Model broadcast(const Shape& shape) const;

  // Some elements of the first dimension, by their numbers, which increase. Copies are kept.
  [[nodiscard]] Model take(const std::vector<std::uint32_t>& numbers,
                           std::deque<std::vector<std::byte>>& kept) const;

  // The job of values: as many as the index has, or as the model has elements.
  [[nodiscard]] Job job(const Index& index) const;

 private:
  Model(Arrays arrays, Shape shape) : arrays_(std::move(arrays)), shape_(std::move(shape)) {}

  Arrays arrays_;
  Shape shape_;
};

// Some places of the first dimension of an array. Copies are made unless they are evenly spaced.
[[nodiscard]] Array take(const Array& from, const std::vector<std::uint32_t>& numbers,
                         std::deque<std::vector<std::byte>>& kept);

// Values with a model of their shape, and the number of each value's element.
struct Item {
  Model model;
  Index index;
  Array values;

  static Item of(const Model& model, const torchac_array* index, const Array& values);

  [[nodiscard]] EncodeJob encode_job() const;
  // Room for values, whose description was checked by `room`.
  [[nodiscard]] DecodeJob decode_job() const;
};

// The caller's room for decoded values: int32, or int16 with a CDF.
[[nodiscard]] Array room(const torchac_array* values, bool int16_too);

// What a report about an item says: the value, its position, and what was expected.
[[noreturn]] void explain(const Report& report, const Item& item, const std::string& prefix = "");

}  // namespace torchac::c

// The handle of the C interface.
struct torchac_model {
  torchac::c::Model model;
};
