// Arrays as Python passes them, and as the core reads them. What is checked here is only what
// memory safety rests on.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"

namespace torchac::python {

namespace py = pybind11;

inline void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

// An array, or one item of a batch, which the array has along its first dimension. Python's own
// slices take longer than it takes to code a few symbols.
class ArraySlice {
 public:
  // NOLINTNEXTLINE(misc-explicit-constructor): an array is all of itself
  ArraySlice(py::array array) : array_(std::move(array)) {}
  ArraySlice(const py::array& batch, py::ssize_t item)
      : array_(batch), offset_(item * batch.strides(0)), skipped_(1) {}

  [[nodiscard]] const py::array& array() const { return array_; }

  [[nodiscard]] const std::byte* first() const {
    return static_cast<const std::byte*>(array_.data()) + offset_;
  }
  [[nodiscard]] std::byte* mutable_first() {
    return static_cast<std::byte*>(array_.mutable_data()) + offset_;
  }

  // All, but for so many at the end.
  [[nodiscard]] std::vector<Dimension> dimensions(py::ssize_t but = 0) const {
    std::vector<Dimension> result;
    for (py::ssize_t i = skipped_; i < array_.ndim() - but; ++i)
      result.push_back({array_.shape(i), array_.strides(i)});
    return result;
  }

 private:
  py::array array_;
  py::ssize_t offset_ = 0;
  py::ssize_t skipped_ = 0;
};

// The items of a batch.
inline std::vector<ArraySlice> items(const py::array& batch) {
  require(batch.ndim() >= 1, "a batch expected");
  std::vector<ArraySlice> result;
  for (py::ssize_t i = 0; i < batch.shape(0); ++i) result.emplace_back(batch, i);
  return result;
}

inline std::int64_t size(const std::vector<Dimension>& dimensions) {
  std::int64_t result = 1;
  for (const Dimension& d : dimensions) result *= d.size;
  return result;
}

inline bool same_shape(const std::vector<Dimension>& a, const std::vector<Dimension>& b) {
  return std::ranges::equal(a, b, {}, &Dimension::size, &Dimension::size);
}

inline DType integer_type(const py::dtype& dtype) {
  require(dtype.byteorder() == '=' || dtype.byteorder() == '|',
          "integers must have the machine's byte order");
  require(dtype.kind() == 'i' || dtype.kind() == 'u', "integers expected");
  const bool is_signed = dtype.kind() == 'i';
  switch (dtype.itemsize()) {
    case 1:
      return is_signed ? DType::kInt8 : DType::kUint8;
    case 2:
      return is_signed ? DType::kInt16 : DType::kUint16;
    case 4:
      return is_signed ? DType::kInt32 : DType::kUint32;
    default:
      return is_signed ? DType::kInt64 : DType::kUint64;
  }
}

inline Numbers integers(const ArraySlice& slice) {
  return {integer_type(slice.array().dtype()), StridedWalk(slice.first(), slice.dimensions())};
}

using Symbols = py::array_t<std::int16_t, py::array::c_style>;
using Int32s = py::array_t<std::int32_t, py::array::c_style>;
using Uint32s = py::array_t<std::uint32_t, py::array::c_style>;
using Uint8s = py::array_t<std::uint8_t, py::array::c_style>;

// Numbers as Python passes them.
class NumberArray {
 public:
  // NumPy has no bfloat16: such numbers come as the integers of the same bits.
  NumberArray(const py::array& array, bool bfloat16)
      : slice_(array), type_(bfloat16 ? DType::kBFloat16 : type_of(array.dtype())) {
    require(!bfloat16 || array.itemsize() == 2, "numbers of 16 bits expected");
  }
  NumberArray(const NumberArray& batch, py::ssize_t item)
      : slice_(batch.slice_.array(), item), type_(batch.type_) {}

  [[nodiscard]] std::vector<Dimension> shape() const { return slice_.dimensions(); }
  [[nodiscard]] py::ssize_t items() const {
    require(slice_.array().ndim() >= 1, "a batch expected");
    return slice_.array().shape(0);
  }
  [[nodiscard]] const std::byte* first() const { return slice_.first(); }
  [[nodiscard]] DType type() const { return type_; }
  [[nodiscard]] Numbers numbers() const {
    return {type_, StridedWalk(slice_.first(), slice_.dimensions())};
  }

 private:
  static DType type_of(const py::dtype& dtype) {
    require(dtype.byteorder() == '=' || dtype.byteorder() == '|',
            "numbers must have the machine's byte order");
    if (dtype.kind() != 'f') return integer_type(dtype);
    switch (dtype.itemsize()) {
      case 2:
        return DType::kFloat16;
      case 4:
        return DType::kFloat32;
      default:
        require(dtype.itemsize() == 8, "floats of 16, 32 or 64 bits expected");
        return DType::kFloat64;
    }
  }

  ArraySlice slice_;
  DType type_;
};

}  // namespace torchac::python
