// Packed streams for Python.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"

namespace torchac::python {

using Int64s = py::array_t<std::int64_t, py::array::c_style>;

// Streams concatenated in one array, and their lengths in bytes.
class Packed {
 public:
  Packed(Uint8s data, Int64s lengths) : data_(std::move(data)), lengths_(std::move(lengths)) {}

  // Packs streams as if they ended now. The streams themselves do not change.
  explicit Packed(std::span<EncodedStream> streams)
      : lengths_(static_cast<py::ssize_t>(streams.size())) {
    std::int64_t* length = lengths_.mutable_data();
    std::size_t size = 0;
    for (const EncodedStream& stream : streams) {
      *length++ = static_cast<std::int64_t>(stream.size());
      size += stream.size();
    }
    data_ = Uint8s(static_cast<py::ssize_t>(size));
    std::uint8_t* to = data_.mutable_data();
    for (EncodedStream& stream : streams) {
      const std::size_t its_size = stream.size();
      stream.finish({to, its_size});
      to += its_size;
    }
  }

  [[nodiscard]] const Uint8s& data() const { return data_; }
  [[nodiscard]] const Int64s& lengths() const { return lengths_; }

  // Checks each length as it is read, because Python also has the array.
  [[nodiscard]] std::vector<Decoder> decoders() const {
    constexpr auto kExpected = "lengths that add up to the bytes expected";
    std::vector<Decoder> result;
    std::span<const std::uint8_t> left(data_.data(), static_cast<std::size_t>(data_.size()));
    const std::int64_t* lengths = lengths_.data();
    for (py::ssize_t i = 0; i < lengths_.size(); ++i) {
      const std::int64_t length = lengths[i];
      require(length >= 0 && std::cmp_less_equal(length, left.size()), kExpected);
      result.emplace_back(left.first(static_cast<std::size_t>(length)));
      left = left.subspan(static_cast<std::size_t>(length));
    }
    require(left.empty(), kExpected);
    return result;
  }

 private:
  Uint8s data_;
  Int64s lengths_;
};

}  // namespace torchac::python
