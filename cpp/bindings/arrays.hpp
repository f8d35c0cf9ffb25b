// Converts arrays of Python for the core. Checks only what memory safety needs.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <tuple>
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

// An array, or one item of a batch along its first dimension. Python's own slices take longer than
// coding a few symbols.
class ArraySlice {
 public:
  // NOLINTNEXTLINE(misc-explicit-constructor): an array is a slice of itself
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

  // All dimensions, except the last `except` ones.
  [[nodiscard]] std::vector<Dimension> dimensions(py::ssize_t except = 0) const {
    std::vector<Dimension> result;
    for (py::ssize_t i = skipped_; i < array_.ndim() - except; ++i)
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

// NumPy has no bfloat16: Python passes such numbers with the dtype V2. Nothing for other types, and
// for another byte order than the machine's.
inline std::optional<DType> find_dtype(const py::dtype& dtype) {
  using Known = std::tuple<char, py::ssize_t, DType>;  // kind, size
  static constexpr std::array kKnown{
      Known('f', 4, DType::kFloat32), Known('f', 8, DType::kFloat64),
      Known('f', 2, DType::kFloat16), Known('V', 2, DType::kBFloat16),
      Known('i', 2, DType::kInt16),   Known('i', 4, DType::kInt32),
      Known('i', 8, DType::kInt64),   Known('i', 1, DType::kInt8),
      Known('u', 1, DType::kUint8),   Known('u', 2, DType::kUint16),
      Known('u', 4, DType::kUint32),  Known('u', 8, DType::kUint64)};
  if (dtype.byteorder() != '=' && dtype.byteorder() != '|') return std::nullopt;
  for (const auto& [kind, size, type] : kKnown)
    if (dtype.kind() == kind && dtype.itemsize() == size) return type;
  return std::nullopt;
}

inline DType dtype_of(const py::dtype& dtype) {
  const auto found = find_dtype(dtype);
  require(found.has_value(),
          "integers, or floats of 16, 32 or 64 bits, in the machine's byte order expected");
  return *found;
}

inline Numbers numbers(const ArraySlice& slice) {
  return {dtype_of(slice.array().dtype()), StridedWalk(slice.first(), slice.dimensions())};
}

inline Numbers integers(const ArraySlice& slice) {
  Numbers result = numbers(slice);
  require(!is_float(result.type), "integers expected");
  return result;
}

using Symbols = py::array_t<std::int16_t, py::array::c_style>;
using Int32s = py::array_t<std::int32_t, py::array::c_style>;
using Uint32s = py::array_t<std::uint32_t, py::array::c_style>;
using Uint8s = py::array_t<std::uint8_t, py::array::c_style>;

}  // namespace torchac::python
