// What calls need beside the core: signals, locks, bytes.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/error.hpp"
#include "torchac/support/object_lock.hpp"

namespace torchac::python {

// NOLINTBEGIN(misc-include-cleaner): pybind11 includes Python.h, and wants to be the one
// The stream as it would end now, which leaves it as it is.
inline py::bytes to_bytes(EncodedStream& stream) {
  auto bytes = py::reinterpret_steal<py::bytes>(
      PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(stream.size())));
  if (!bytes) throw py::error_already_set();
  stream.finish({reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(bytes.ptr())), stream.size()});
  return bytes;
}

// Runs the handlers of signals that came. What they raise ends the call.
inline void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// The same from code that has no GIL.
inline void poll_signals() {
  const py::gil_scoped_acquire acquire;
  run_signal_handlers();
}

// NOLINTEND(misc-include-cleaner)

// Holds an object's lock while it lives. Waits without the GIL, which whoever has the lock may
// need.
class Exclusive {
 public:
  explicit Exclusive(ObjectLock& lock) : lock_(lock) {
    while (!taken()) {
      {
        const py::gil_scoped_release release;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
      run_signal_handlers();
    }
  }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;
  ~Exclusive() { lock_.unlock(); }

 private:
  bool taken() {
    switch (lock_.try_lock()) {
      case ObjectLock::Result::kTaken:
        return true;
      case ObjectLock::Result::kBusy:
        return false;
      case ObjectLock::Result::kReentered:
        throw std::runtime_error(
            "this object is at work in the call that the signal handler interrupted: "
            "use it when that is over");
      case ObjectLock::Result::kForked:
        break;
    }
    throw std::runtime_error(
        "this object was at work in another thread when the process forked: use a new one");
  }

  ObjectLock& lock_;
};

inline std::span<const std::uint8_t> to_span(const py::buffer_info& buffer) {
  require(buffer.itemsize == 1 && buffer.ndim == 1 && (buffer.size < 2 || buffer.strides[0] == 1),
          "bytes expected");
  return {static_cast<const std::uint8_t*>(buffer.ptr), static_cast<std::size_t>(buffer.size)};
}

using Int64s = py::array_t<std::int64_t, py::array::c_style>;

// Streams one after the other in one array, and how many bytes each has.
class Packed {
 public:
  Packed(Uint8s data, Int64s lengths) : data_(std::move(data)), lengths_(std::move(lengths)) {
    std::int64_t left = data_.size();
    for (const std::int64_t length : all_lengths()) {
      require(length >= 0 && length <= left, "lengths that add up to the bytes expected");
      left -= length;
    }
    require(left == 0, "lengths that add up to the bytes expected");
  }

  // Those of the streams as they would end now, which leaves them as they are.
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

  [[nodiscard]] std::vector<Decoder> decoders() const {
    std::vector<Decoder> result;
    const std::uint8_t* from = data_.data();
    for (const std::int64_t length : all_lengths()) {
      result.emplace_back(std::span(from, static_cast<std::size_t>(length)));
      from += length;
    }
    return result;
  }

 private:
  [[nodiscard]] std::span<const std::int64_t> all_lengths() const {
    return {lengths_.data(), static_cast<std::size_t>(lengths_.size())};
  }

  Uint8s data_;
  Int64s lengths_;
};

inline std::optional<Report> unless_ok(const Report& report) {
  return report.ok() ? std::nullopt : std::optional(report);
}

}  // namespace torchac::python
