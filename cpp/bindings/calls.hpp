// The parts of calls outside the core: signals, locks, bytes.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <thread>

#include "arrays.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/error.hpp"
#include "torchac/support/object_lock.hpp"

namespace torchac::python {

// NOLINTBEGIN(misc-include-cleaner): pybind11 must be the one to include Python.h
// The stream as if it ended now. The stream itself does not change.
inline py::bytes to_bytes(EncodedStream& stream) {
  auto bytes = py::reinterpret_steal<py::bytes>(
      PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(stream.size())));
  if (!bytes) throw py::error_already_set();
  stream.finish({reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(bytes.ptr())), stream.size()});
  return bytes;
}

// Runs the handlers of pending signals. An exception of a handler ends the call.
inline void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Runs them from code without the GIL.
inline void poll_signals() {
  const py::gil_scoped_acquire acquire;
  run_signal_handlers();
}

// NOLINTEND(misc-include-cleaner)

// Takes an object's lock. Waits without the GIL, which the owner of the lock may need.
inline void take(ObjectLock& lock) {
  while (true) {
    switch (lock.try_lock()) {
      case ObjectLock::Result::kTaken:
        return;
      case ObjectLock::Result::kBusy: {
        const py::gil_scoped_release release;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
        break;
      }
      case ObjectLock::Result::kReentered:
        throw std::runtime_error(
            "this object is at work in the call that the signal handler interrupted: "
            "use it when that is over");
      case ObjectLock::Result::kForked:
        throw std::runtime_error(
            "this object was at work in another thread when the process forked: use a new one");
    }
    run_signal_handlers();
  }
}

// Holds an object's lock during its lifetime.
class Exclusive {
 public:
  explicit Exclusive(ObjectLock& lock) : lock_(lock) { take(lock_); }
  Exclusive(ObjectLock& taken, std::adopt_lock_t /*it was taken*/) : lock_(taken) {}
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;
  ~Exclusive() { lock_.unlock(); }

 private:
  ObjectLock& lock_;
};

inline std::span<const std::uint8_t> to_span(const py::buffer_info& buffer) {
  require(buffer.itemsize == 1 && buffer.ndim == 1 && (buffer.size < 2 || buffer.strides[0] == 1),
          "bytes expected");
  return {static_cast<const std::uint8_t*>(buffer.ptr), static_cast<std::size_t>(buffer.size)};
}

inline std::optional<Report> unless_ok(const Report& report) {
  return report.ok() ? std::nullopt : std::optional(report);
}

}  // namespace torchac::python
