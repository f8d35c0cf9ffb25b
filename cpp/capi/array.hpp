// The caller's arrays: checks of their descriptions, and views of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"

namespace torchac::c {

using Shape = std::vector<std::int64_t>;

// The number of values of a shape.
[[nodiscard]] std::int64_t count_of(const Shape& shape);

// A shape or a position, as messages have it: (2, 3).
[[nodiscard]] std::string to_string(const Shape& shape);

// A position in a shape, by the number of the value in row-major order.
[[nodiscard]] Shape position_in(const Shape& shape, std::int64_t number);

// A view of an array.
struct Array {
  std::byte* first;
  DType type;
  std::vector<Dimension> dimensions;

  // Checks a description. `name` is for messages.
  static Array of(const torchac_array& from, const char* name);

  // The view whose last dimension is left out, at place `i` of it.
  [[nodiscard]] Array at_last(std::int64_t i) const;

  // The array broadcast to a shape, except its last `own` dimensions, which stay.
  [[nodiscard]] Array broadcast(const Shape& shape, const char* name, std::size_t own = 0) const;

  // Sizes, without those of the last `own` dimensions.
  [[nodiscard]] Shape shape(std::size_t own = 0) const;
  [[nodiscard]] std::int64_t count() const { return count_of(shape()); }

  [[nodiscard]] Numbers numbers() const { return {type, StridedWalk(first, dimensions)}; }

  // Whether the elements follow one another.
  [[nodiscard]] bool contiguous() const;

  // The number at a position. Integers are exact.
  struct Number {
    bool is_float;
    bool negative;
    std::uint64_t integer;  // two's complement
    double real;
  };
  [[nodiscard]] Number at(const Shape& position) const;
};

[[nodiscard]] std::size_t size_of(DType type);
[[nodiscard]] const char* name_of(DType type);

// A number, as Python prints it.
[[nodiscard]] std::string to_string(double number);
[[nodiscard]] std::string to_string(const Array::Number& number);

// The shape that shapes broadcast to, or nothing known: refuses, naming both.
[[nodiscard]] Shape joint_shape(const Shape& a, const Shape& b, const std::string& names);

}  // namespace torchac::c
