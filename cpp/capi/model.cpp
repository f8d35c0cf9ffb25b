#include "model.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "array.hpp"
#include "call.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_dimensions.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/load.hpp"

namespace torchac::c {
namespace {

constexpr std::int64_t kMaxTables = UINT32_MAX;
constexpr std::int64_t kMaxTableShift = 24;

// The arrays that a kind needs, and no others.
void require_arrays(const torchac_spec& spec, unsigned allowed) {
  const std::array<std::pair<const torchac_array*, const char*>, 7> all{{{&spec.loc, "loc"},
                                                                         {&spec.scale, "scale"},
                                                                         {&spec.weights, "weights"},
                                                                         {&spec.numbers, "numbers"},
                                                                         {&spec.first, "first"},
                                                                         {&spec.lengths, "lengths"},
                                                                         {&spec.shift, "shift"}}};
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!((allowed >> i & 1) != 0 || all[i].first->dtype == 0))
      refuse(std::string(all[i].second) + " is given, which this kind of model does not have");
}
constexpr unsigned kLocScale = 3;
constexpr unsigned kWeights = 4;
constexpr unsigned kNumbers = 8;
constexpr unsigned kWindows = 0x70;

void require_flags(const torchac_spec& spec, std::uint32_t allowed) {
  if (!((spec.flags & ~allowed) == 0))
    refuse("flags is " + std::to_string(spec.flags) + ": expected at most " +
           std::to_string(allowed) + " for this kind of model");
}

Bounds bounds_of(const torchac_spec& spec) {
  Bounds bounds;
  if ((spec.flags & TORCHAC_LOW) != 0) bounds.low = spec.low;
  if ((spec.flags & TORCHAC_HIGH) != 0) bounds.high = spec.high;
  if (!(bounds.low <= bounds.high))
    refuse("low is " + std::to_string(bounds.low) + " and high is " + std::to_string(bounds.high) +
           ": expected low <= high");
  return bounds;
}

const Family* family_of(std::int32_t kind) {
  constexpr std::array<const char*, 3> kNames{"normal", "laplace", "logistic"};
  if (!(kind >= TORCHAC_NORMAL && kind <= TORCHAC_LOGISTIC))
    refuse("the kind of a component is " + std::to_string(kind) +
           ": expected TORCHAC_NORMAL, TORCHAC_LAPLACE or TORCHAC_LOGISTIC");
  return find_family(kNames[static_cast<std::size_t>(kind - TORCHAC_NORMAL)]);
}

// Component k of an array whose last dimension has the components, or one for all.
Array component(const Array& array, std::int64_t k, std::int64_t count, const char* name) {
  if (!(!array.dimensions.empty() &&
        (array.dimensions.back().size == count || array.dimensions.back().size == 1)))
    refuse(std::string(name) + " has shape " + to_string(array.shape()) + ": expected (…, " +
           std::to_string(count) + "), as many as weights");
  return array.at_last(array.dimensions.back().size == 1 ? 0 : k);
}

ParameterArrays parametric(const torchac_spec& spec) {
  const bool mixture = spec.weights.dtype != 0;
  require_arrays(spec, kLocScale | kWeights);
  require_flags(spec, TORCHAC_LOW | TORCHAC_HIGH);
  ParameterArrays made{{}, bounds_of(spec)};
  const Array loc = Array::of(spec.loc, "loc");
  const Array scale = Array::of(spec.scale, "scale");
  if (!mixture) {
    require(spec.families == nullptr && spec.num_families == 0,
            "families are given without weights: expected both, for a mixture");
    made.components.push_back({family_of(spec.kind), {loc, scale, std::nullopt}});
    return made;
  }
  const Array weights = Array::of(spec.weights, "weights");
  const std::int64_t count = weights.dimensions.empty() ? 0 : weights.dimensions.back().size;
  if (!(count >= 1))
    refuse("weights have shape " + to_string(weights.shape()) + ": expected (…, K), K at least 1");
  if (!(spec.families == nullptr ? spec.num_families == 0 : spec.num_families == count))
    refuse("num_families is " + std::to_string(spec.num_families) + ": expected " +
           std::to_string(count) + ", one a weight, or no families");
  for (std::int64_t k = 0; k < count; ++k)
    made.components.push_back(
        {family_of(spec.families == nullptr ? spec.kind : spec.families[k]),
         {component(loc, k, count, "loc"), component(scale, k, count, "scale"),
          component(weights, k, count, "weights")}});
  return made;
}

CategoryArrays categories(const torchac_spec& spec) {
  require_arrays(spec, kNumbers);
  require_flags(spec, 0);
  constexpr std::array kKinds{CategoryNumbers::kProbabilities, CategoryNumbers::kLogits,
                              CategoryNumbers::kBernoulliProbabilities,
                              CategoryNumbers::kBernoulliLogits};
  const CategoryArrays made{kKinds[static_cast<std::size_t>(spec.kind - TORCHAC_PROBS)],
                            Array::of(spec.numbers, "numbers")};
  const Array& numbers = made.numbers;
  if (!(is_float(numbers.type)))
    refuse(std::string("numbers has dtype ") + name_of(numbers.type) + ": expected floats");
  const bool fits =
      made.bernoulli() || (!numbers.dimensions.empty() && numbers.dimensions.back().size >= 1 &&
                           numbers.dimensions.back().size <= kMaxCategories);
  if (!(fits))
    refuse("numbers has shape " + to_string(numbers.shape()) +
           ": expected (…, V) with 1 <= V <= 1048576");
  return made;
}

// Rows of a CDF, and of tables.
Array rows_of(const torchac_spec& spec) {
  const Array rows = Array::of(spec.numbers, "numbers");
  const std::int64_t values = rows.dimensions.empty() ? 0 : rows.dimensions.back().size;
  if (!(values >= kMinSymbols + 1 && values <= kMaxSymbols + 1))
    refuse("numbers has shape " + to_string(rows.shape()) +
           ": expected (…, Lp) with 2 <= Lp <= 32769 values in each row");
  return rows;
}
bool is_int16(DType type) { return type == DType::kInt16 || type == DType::kUint16; }

CdfArrays cdf(const torchac_spec& spec) {
  require_arrays(spec, kNumbers);
  require_flags(spec, TORCHAC_RAW | TORCHAC_CHECK | TORCHAC_CLAMP);
  CdfArrays made{rows_of(spec), (spec.flags & TORCHAC_RAW) == 0,
                 (spec.flags & TORCHAC_CHECK) != 0 ? Check::kAll : Check::kCheap,
                 (spec.flags & TORCHAC_CLAMP) != 0};
  if (!(is_float(made.rows.type) || is_int16(made.rows.type)))
    refuse(std::string("numbers has dtype ") + name_of(made.rows.type) +
           ": expected floats or 16-bit integers");
  return made;
}

// Copies an integer for each row, all from `low` to `high`.
template <class T>
std::vector<T> per_row(const torchac_array& array, std::int64_t default_value, std::int64_t low,
                       std::int64_t high, const Shape& shape, const char* name) {
  std::vector<T> result(static_cast<std::size_t>(count_of(shape)), static_cast<T>(default_value));
  if (array.dtype == 0) return result;
  const Array given = Array::of(array, name);
  if (!(!is_float(given.type)))
    refuse(std::string(name) + " has dtype " + name_of(given.type) + ": expected integers");
  const Array numbers = given.broadcast(shape, name);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const Shape position = position_in(shape, static_cast<std::int64_t>(i));
    const Array::Number number = numbers.at(position);
    const auto value = static_cast<std::int64_t>(number.integer);
    if ((!number.negative && value < 0) || value < low || value > high)
      refuse(std::string(name) + " is " + to_string(number) + " at index " + to_string(position) +
             ": expected integers from " + std::to_string(low) + " to " + std::to_string(high));
    result[i] = static_cast<T>(value);
  }
  return result;
}

// Refuses rows that decrease before their ends.
void require_increasing(const Array& rows, std::int64_t stride, const Shape& shape,
                        const std::vector<std::int32_t>& lengths) {
  const auto count = stride == 0 ? std::min<std::size_t>(lengths.size(), 1) : lengths.size();
  const std::int32_t longest =
      lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  for (std::size_t k = 0; k < count; ++k) {
    const std::byte* const row = rows.first + static_cast<std::int64_t>(k) * stride;
    const std::int32_t length = stride == 0 ? longest : lengths[k];
    std::uint16_t before = load<std::uint16_t>(row);
    for (std::int32_t j = 1; j < length; ++j) {
      const auto here = load<std::uint16_t>(row + j * std::int64_t{2});
      if (here < before) {
        Shape place = position_in(shape, static_cast<std::int64_t>(k));
        place.push_back(j);
        refuse("numbers decreases from " + std::to_string(before) + " to " + std::to_string(here) +
               " of 65536 at index " + to_string(place) +
               ": expected rows from 0 to 1 that do not decrease");
      }
      before = here;
    }
  }
}

TableArrays tables(const torchac_spec& spec) {
  require_arrays(spec, kNumbers | kWindows);
  require_flags(spec, TORCHAC_LOW | TORCHAC_HIGH);
  const Array rows = rows_of(spec);
  if (!(is_int16(rows.type)))
    refuse(std::string("numbers has dtype ") + name_of(rows.type) + ": expected 16-bit integers");
  require(rows.dimensions.back().stride == 2,
          "the values of a row of tables must follow one another");
  const Shape shape = rows.shape(1);
  const std::int64_t count = count_of(shape);
  if (!(count <= kMaxTables))
    refuse("numbers has " + std::to_string(count) + " rows: expected fewer");
  std::vector<Dimension> outer(rows.dimensions.begin(), rows.dimensions.end() - 1);
  const StridedWalk walk(rows.first, outer);
  require(count == 0 || walk.run() == count, "the rows of tables must be evenly spaced");
  const std::int64_t stride = count > 1 ? walk.stride() : 0;
  const std::int64_t most = rows.dimensions.back().size - 1;
  auto windows = std::make_shared<TableArrays::Windows>(TableArrays::Windows{
      per_row<std::int32_t>(spec.first, 0, INT32_MIN, INT32_MAX, shape, "first"),
      per_row<std::int32_t>(spec.lengths, most, 1, most, shape, "lengths"),
      per_row<std::uint8_t>(spec.shift, 0, 0, kMaxTableShift, shape, "shift"),
      std::vector<std::uint32_t>(static_cast<std::size_t>(count))});
  std::iota(windows->numbers.begin(), windows->numbers.end(), 0u);
  require_increasing(rows, stride, shape, windows->lengths);
  const Bounds bounds = bounds_of(spec);
  for (std::size_t k = 0; k < windows->first.size(); ++k) {
    const std::uint8_t shift = windows->shift[k];
    const std::int64_t low = windows->first[k];
    const std::int64_t high = low + windows->lengths[k] - 1;
    if (low < bounds.low >> shift || high > bounds.high >> shift)
      refuse("the row at index " + to_string(position_in(shape, static_cast<std::int64_t>(k))) +
             " is for " + std::to_string(low) + " to " + std::to_string(high) + ": expected " +
             std::to_string(bounds.low >> shift) + " to " + std::to_string(bounds.high >> shift) +
             ", the bounds");
  }
  auto* const numbers = reinterpret_cast<std::byte*>(windows->numbers.data());
  Array which{numbers, DType::kUint32, {}};
  auto step = std::int64_t{sizeof(std::uint32_t)};
  for (const std::int64_t size : shape) which.dimensions.push_back({size, 0});
  for (std::size_t d = shape.size(); d-- > 0; step *= shape[d]) which.dimensions[d].stride = step;
  return {rows, stride, std::move(windows), bounds, which};
}

std::vector<std::vector<Dimension>> dimensions_of(ParameterArrays arrays) {
  std::vector<std::vector<Dimension>> result;
  arrays.each([&](const Array& array, std::size_t) { result.push_back(array.dimensions); });
  return result;
}

}  // namespace

CdfLayout CdfArrays::layout() const {
  const DType type = rows.type == DType::kUint16 ? DType::kInt16 : rows.type;
  const Dimension& last = rows.dimensions.back();
  return {type, normalize, static_cast<std::uint32_t>(last.size - 1),
          static_cast<std::ptrdiff_t>(last.stride)};
}

AnyModel CdfArrays::core(const std::optional<Numbers>& index) const {
  const std::vector<Dimension> outer(rows.dimensions.begin(), rows.dimensions.end() - 1);
  return CdfRows{layout(),
                 index ? Rows(TableView{rows.first, outer[0].stride, outer[0].size}, *index)
                       : Rows(StridedWalk(rows.first, outer)),
                 check, clamp};
}

Parameters ParameterArrays::parameters(
    const std::vector<std::vector<Dimension>>& dimensions) const {
  Parameters result{{}, bounds};
  auto next = dimensions.begin();
  for (const Part& part : components) {
    Component& made = result.components.emplace_back(Component{part.family, {}});
    for (std::size_t k = 0; k < part.arrays.size(); ++k) {
      if (const auto& array = part.arrays[k])
        made.arrays[k] = Numbers{array->type, StridedWalk(array->first, *next++)};
    }
  }
  return result;
}

AnyModel ParameterArrays::core(const std::optional<Numbers>& index) const {
  Parameters result = parameters(dimensions_of(*this));
  result.index = index;
  return result;
}

CategoryLayout CategoryArrays::layout() const {
  if (bernoulli()) return {kind, numbers.type, 1, 0};
  const Dimension& last = numbers.dimensions.back();
  return {kind, numbers.type, static_cast<std::uint32_t>(last.size), last.stride};
}

AnyModel CategoryArrays::core(const std::optional<Numbers>& index) const {
  const std::vector<Dimension> outer(numbers.dimensions.begin(),
                                     numbers.dimensions.end() - static_cast<std::ptrdiff_t>(own()));
  return Categories{layout(),
                    index ? Rows(TableView{numbers.first, outer[0].stride, outer[0].size}, *index)
                          : Rows(StridedWalk(numbers.first, outer))};
}

AnyModel TableArrays::core(const std::optional<Numbers>& index) const {
  const TableRowsView view{rows.first,
                           stride,
                           static_cast<std::int64_t>(windows->first.size()),
                           rows.dimensions.back().size - 1,
                           windows->first.data(),
                           windows->lengths.data(),
                           windows->shift.data(),
                           bounds};
  return TableRows{view, index ? *index : which.numbers()};
}

Model Model::of(const torchac_spec& spec) {
  if (spec.kind >= TORCHAC_NORMAL && spec.kind <= TORCHAC_LOGISTIC) {
    ParameterArrays made = parametric(spec);
    Shape shape;
    made.each([&](const Array& array, std::size_t) {
      shape = joint_shape(shape, array.shape(), "the parameters");
    });
    made.each([&](Array& array, std::size_t) { array = array.broadcast(shape, "a parameter"); });
    return {std::move(made), std::move(shape)};
  }
  require(spec.families == nullptr && spec.num_families == 0,
          "families are given, which this kind of model does not have");
  if (spec.kind >= TORCHAC_PROBS && spec.kind <= TORCHAC_BERNOULLI_LOGITS) {
    CategoryArrays made = categories(spec);
    Shape shape = made.numbers.shape(made.own());
    return {std::move(made), std::move(shape)};
  }
  if (spec.kind == TORCHAC_CDF) {
    CdfArrays made = cdf(spec);
    Shape shape = made.rows.shape(1);
    return {std::move(made), std::move(shape)};
  }
  if (!(spec.kind == TORCHAC_TABLES))
    refuse("kind is " + std::to_string(spec.kind) + ": expected TORCHAC_NORMAL to TORCHAC_TABLES");
  TableArrays made = tables(spec);
  Shape shape = made.which.shape();
  return {std::move(made), std::move(shape)};
}

Bounds Model::bounds() const {
  if (const auto* cdf = std::get_if<CdfArrays>(&arrays_))
    return {0, static_cast<std::int32_t>(cdf->layout().symbols) - 1};
  if (const auto* categories = std::get_if<CategoryArrays>(&arrays_))
    return {0, static_cast<std::int32_t>(categories->layout().categories()) - 1};
  if (const auto* parameters = std::get_if<ParameterArrays>(&arrays_)) return parameters->bounds;
  return std::get<TableArrays>(arrays_).bounds;
}

Model Model::broadcast(const Shape& to) const {
  if (to == shape_) return *this;
  Model result(arrays_, to);
  const auto widen = [&](Array& array, std::size_t own) {
    array = array.broadcast(to, "the model", own);
  };
  std::visit([&](auto& arrays) { arrays.each(widen); }, result.arrays_);
  return result;
}

Model Model::take(const std::vector<std::uint32_t>& numbers,
                  std::deque<std::vector<std::byte>>& kept) const {
  Model result = *this;
  const auto some = [&](Array& array, std::size_t) { array = c::take(array, numbers, kept); };
  std::visit([&](auto& arrays) { arrays.each(some); }, result.arrays_);
  result.shape_.front() = static_cast<std::int64_t>(numbers.size());
  return result;
}

Job Model::job(const Index& index) const {
  std::optional<Numbers> numbers;
  if (index) numbers = index->numbers();
  Job result{std::visit([&](const auto& arrays) { return arrays.core(numbers); }, arrays_),
             index ? index->count() : count_of(shape_)};
  const auto share = [&](std::vector<std::vector<Dimension>> dimensions, const auto& elements_of) {
    auto found = shared_dimensions(std::move(dimensions), index.has_value());
    if (found)
      result.shared = SharedElements{std::make_shared<const Elements>(elements_of(found->arrays)),
                                     found->count, numbers, std::move(found->steps)};
  };
  if (const auto* parameters = std::get_if<ParameterArrays>(&arrays_)) {
    share(dimensions_of(*parameters),
          [&](const auto& dimensions) -> Elements { return parameters->parameters(dimensions); });
  } else if (const auto* categories = std::get_if<CategoryArrays>(&arrays_)) {
    const auto& all = categories->numbers.dimensions;
    share({{all.begin(), all.end() - static_cast<std::ptrdiff_t>(categories->own())}},
          [&](const auto& dimensions) -> Elements {
            return Categories{categories->layout(),
                              Rows(StridedWalk(categories->numbers.first, dimensions[0]))};
          });
  }
  return result;
}

Array take(const Array& from, const std::vector<std::uint32_t>& numbers,
           std::deque<std::vector<std::byte>>& kept) {
  Array result = from;
  Dimension& outer = result.dimensions.front();
  outer.size = static_cast<std::int64_t>(numbers.size());
  if (numbers.empty() || outer.stride == 0) return result;
  const std::int64_t step = numbers.size() > 1 ? std::int64_t{numbers[1]} - numbers[0] : 1;
  bool even = true;
  for (std::size_t i = 1; i < numbers.size(); ++i)
    even = even && std::int64_t{numbers[i]} - numbers[i - 1] == step;
  if (even) {
    result.first += numbers[0] * outer.stride;
    outer.stride *= step;
    return result;
  }
  const std::size_t size = size_of(from.type);
  const std::vector<Dimension> inner(from.dimensions.begin() + 1, from.dimensions.end());
  const std::int64_t count = result.count() / outer.size;
  std::vector<std::byte>& copy = kept.emplace_back(static_cast<std::size_t>(result.count()) * size);
  std::byte* to = copy.data();
  for (const std::uint32_t number : numbers) {
    StridedWalk walk(from.first + number * from.dimensions.front().stride, inner);
    for (std::int64_t i = 0; i < count; ++i, to += size) {
      std::memcpy(to, walk.at(), size);
      walk.advance(1);
    }
  }
  result.first = copy.data();
  auto stride = static_cast<std::int64_t>(size);
  for (std::size_t d = result.dimensions.size(); d-- > 0;) {
    result.dimensions[d].stride = stride;
    stride *= result.dimensions[d].size;
  }
  return result;
}

Item Item::of(const Model& model, const torchac_array* index, const Array& values) {
  const Shape shape = values.shape();
  if (index == nullptr) return {model.broadcast(shape), std::nullopt, values};
  const Array numbers = Array::of(*index, "index");
  if (!(!is_float(numbers.type)))
    refuse(std::string("index has dtype ") + name_of(numbers.type) + ": expected integers");
  if (!(model.shape().size() == 1))
    refuse("the model has shape " + to_string(model.shape()) +
           ": expected (K,), K elements, with index");
  if (!(model.shape()[0] <= kMaxTables))
    refuse("the model has " + std::to_string(model.shape()[0]) +
           " elements: expected fewer than 2^32");
  return {model, numbers.broadcast(shape, "index"), values};
}

EncodeJob Item::encode_job() const {
  if (!(!model.is_cdf() || !is_float(values.type)))
    refuse(std::string("values has dtype ") + name_of(values.type) +
           ": expected integers, with a CDF");
  return {model.job(index), values.numbers(), nullptr};
}

DecodeJob Item::decode_job() const {
  Job job = model.job(index);
  if (values.type == DType::kInt16)
    return {std::move(job), SymbolSink(reinterpret_cast<std::int16_t*>(values.first)), nullptr};
  return {std::move(job), SymbolSink(reinterpret_cast<std::int32_t*>(values.first)), nullptr};
}

Array room(const torchac_array* values, bool int16_too) {
  const Array room = Array::of(given(values, "values"), "values");
  if (!(room.type == DType::kInt32 || (int16_too && room.type == DType::kInt16)))
    refuse(std::string("values has dtype ") + name_of(room.type) + ": expected int32" +
           (int16_too ? " or int16" : "") + ", to decode to");
  require(room.contiguous(), "values has gaps: expected values that follow one another");
  require(reinterpret_cast<std::uintptr_t>(room.first) % size_of(room.type) == 0,
          "values.data is not aligned for its dtype");
  return room;
}

}  // namespace torchac::c
