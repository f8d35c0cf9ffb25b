#include "array.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "call.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/support/load.hpp"

namespace torchac::c {
namespace {

constexpr std::int64_t kLimit = std::int64_t{1} << 62;
constexpr int kMaxDimensions = 32;

struct TypeInfo {
  const char* name;
  std::size_t size;
};
constexpr std::array<TypeInfo, 12> kTypes{{{"int8", 1},
                                           {"int16", 2},
                                           {"int32", 4},
                                           {"int64", 8},
                                           {"uint8", 1},
                                           {"uint16", 2},
                                           {"uint32", 4},
                                           {"uint64", 8},
                                           {"float16", 2},
                                           {"bfloat16", 2},
                                           {"float32", 4},
                                           {"float64", 8}}};

}  // namespace

std::size_t size_of(DType type) { return kTypes[static_cast<std::size_t>(type)].size; }
const char* name_of(DType type) { return kTypes[static_cast<std::size_t>(type)].name; }

std::int64_t count_of(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "(" + text + (shape.size() == 1 ? ",)" : ")");
}

Shape position_in(const Shape& shape, std::int64_t number) {
  Shape position(shape.size());
  for (std::size_t d = shape.size(); d-- > 0;) {
    const std::int64_t size = std::max<std::int64_t>(shape[d], 1);
    position[d] = number % size;
    number /= size;
  }
  return position;
}

Array Array::of(const torchac_array& from, const char* name) {
  const std::string of = name;
  if (!(from.dtype >= TORCHAC_INT8 && from.dtype <= TORCHAC_FLOAT64))
    refuse(of + " has dtype " + std::to_string(from.dtype) + ": expected one of TORCHAC_INT8, …");
  if (!(from.ndim >= 0 && from.ndim <= kMaxDimensions))
    refuse(of + " has " + std::to_string(from.ndim) + " dimensions: expected 0 to 32");
  if (!(from.ndim == 0 || from.shape != nullptr)) refuse(of + ".shape is NULL");
  Array array{static_cast<std::byte*>(from.data), static_cast<DType>(from.dtype - 1), {}};
  std::int64_t extent = 1;
  bool empty = false;
  for (int d = 0; d < from.ndim; ++d) {
    const std::int64_t size = from.shape[d];
    if (!(size >= 0))
      refuse(of + " has a size of " + std::to_string(size) + ": expected 0 or more");
    if (!(size == 0 || extent <= (kLimit - 1) / size))
      refuse(of + " has a shape of 2^62 values or more: expected fewer");
    extent *= std::max<std::int64_t>(size, 1);
    empty = empty || size == 0;
    array.dimensions.push_back({size, 0});
  }
  auto stride = static_cast<std::int64_t>(size_of(array.type));
  if (!(extent <= kLimit / stride))
    refuse(of + " has a shape of 2^62 bytes or more: expected fewer");
  for (std::size_t d = array.dimensions.size(); d-- > 0;) {
    Dimension& dimension = array.dimensions[d];
    dimension.stride = from.strides == nullptr ? stride : from.strides[d];
    stride *= std::max<std::int64_t>(dimension.size, 1);
    const std::int64_t most = kLimit / 64 / std::max<std::int64_t>(dimension.size, 1);
    if (!(dimension.stride >= -most && dimension.stride <= most))
      refuse(of + " has a stride of " + std::to_string(dimension.stride) +
             " bytes, beyond any memory");
  }
  if (!(empty || from.data != nullptr)) refuse(of + ".data is NULL");
  return array;
}

Array Array::at_last(std::int64_t i) const {
  Array part = *this;
  part.first += i * dimensions.back().stride;
  part.dimensions.pop_back();
  return part;
}

Array Array::broadcast(const Shape& to, const char* name, std::size_t own) const {
  const Shape mine = shape(own);
  bool fits = mine.size() <= to.size();
  const std::size_t before = fits ? to.size() - mine.size() : 0;
  for (std::size_t d = 0; fits && d < mine.size(); ++d)
    fits = mine[d] == 1 || mine[d] == to[before + d];
  if (!fits)
    refuse(std::string(name) + " has shape " + to_string(mine) +
           ": expected one that broadcasts to " + to_string(to));
  Array result{first, type, {}};
  for (std::size_t d = 0; d < to.size(); ++d) {
    const bool repeats = d < before || (dimensions[d - before].size == 1 && to[d] != 1);
    result.dimensions.push_back({to[d], repeats ? 0 : dimensions[d - before].stride});
  }
  result.dimensions.insert(result.dimensions.end(),
                           dimensions.end() - static_cast<std::ptrdiff_t>(own), dimensions.end());
  return result;
}

Shape Array::shape(std::size_t own) const {
  Shape result;
  for (std::size_t d = 0; d + own < dimensions.size(); ++d) result.push_back(dimensions[d].size);
  return result;
}

bool Array::contiguous() const {
  auto stride = static_cast<std::int64_t>(size_of(type));
  if (count() == 0) return true;
  for (std::size_t d = dimensions.size(); d-- > 0;) {
    if (dimensions[d].size != 1 && dimensions[d].stride != stride) return false;
    stride *= dimensions[d].size;
  }
  return true;
}

Array::Number Array::at(const Shape& position) const {
  const std::byte* from = first;
  for (std::size_t d = 0; d < position.size(); ++d) from += position[d] * dimensions[d].stride;
  return with_dtype(NumberTypes(), type, [&]<class T>(const T*) -> Number {
    const T number = load<T>(from);
    if constexpr (std::is_integral_v<T>) {
      return {false, number < 0, static_cast<std::uint64_t>(number), static_cast<double>(number)};
    } else {
      return {true, false, 0, static_cast<double>(number)};
    }
  });
}

std::string to_string(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  const double size = std::abs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  std::array<char, 400> text{};
  const auto [end, status] =
      std::to_chars(text.data(), text.data() + text.size(), number,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string result(text.data(), end);
  if (plain && result.find('.') == std::string::npos) result += ".0";
  return result;
}

std::string to_string(const Array::Number& number) {
  if (number.is_float) return to_string(number.real);
  return number.negative ? std::to_string(static_cast<std::int64_t>(number.integer))
                         : std::to_string(number.integer);
}

Shape joint_shape(const Shape& a, const Shape& b, const std::string& names) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape joint = longer;
  const std::size_t before = longer.size() - shorter.size();
  for (std::size_t d = 0; d < shorter.size(); ++d) {
    std::int64_t& size = joint[before + d];
    if (size == shorter[d] || shorter[d] == 1) continue;
    if (!(size == 1))
      refuse("shapes do not broadcast: " + names + " have " + to_string(a) + " and " +
             to_string(b));
    size = shorter[d];
  }
  return joint;
}

}  // namespace torchac::c
