// Calls that go the quick way: methods and functions of the C API, which return what they did, or
// that they did nothing.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "calls.hpp"
#include "coders.hpp"
#include "quick_models.hpp"
#include "quick_tensor.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::python::quick {

// What goes to how many streams: all to one, or an equal part, along the first dimension, to each.
struct OneStream {
  static constexpr bool kStrict = true;  // symbols must have the shape of the rows of a CDF
  [[nodiscard]] static bool fits(const View& /*shape*/) { return true; }
};
struct EachStream {
  static constexpr bool kStrict = false;
  std::size_t streams;
  [[nodiscard]] bool fits(const View& shape) const {
    return shape.dimensions > 0 && std::cmp_equal(shape.all[0].size, streams);
  }
};

// Holds the arguments of a call while it is coded.
struct Arguments {
  Source source;
  Argument values;
  ModelOfCall call;

  template <class Streams>
  [[nodiscard]] std::optional<EncodeJob> encode_job(PyObject* model, PyObject* its_values,
                                                    bool normalize, const Streams& streams) {
    if (!source.take(model) || !values.take(its_values) || !possible() || !source.hold() ||
        !values.hold())
      return std::nullopt;
    View view;
    if (!values.look(view) || !streams.fits(view) || !source.prepare(&view, normalize, call))
      return std::nullopt;
    if (source.is_cdf() && (is_float(view.type) || (Streams::kStrict && !call.own_rows)))
      return std::nullopt;
    return EncodeJob{{std::move(call.model), view.count}, *view.numbers(view), nullptr};
  }

  template <class Streams>
  [[nodiscard]] bool prepare_decoding(PyObject* model, bool normalize, const Streams& streams) {
    return source.take(model) && possible() && source.hold() &&
           source.prepare(nullptr, normalize, call) && streams.fits(call.shape);
  }
};

// Decodes by `decode(job, keep)`, which calls `keep` before it changes anything: it makes the
// result. Null if that is for the old way.
template <class T, class Decode>
PyObject* decode_to(ModelOfCall& call, const Decode& decode) {
  Result<T> result(call.shape, call.kind);
  if (result.data() == nullptr) return nullptr;
  PyObject* made = nullptr;
  const auto keep = [&] { return (made = result.release()) != nullptr; };
  decode(DecodeJob{{std::move(call.model), call.shape.count}, SymbolSink(result.data()), nullptr},
         keep);
  return made;
}

// The object of pybind11's class that a method was called of.
template <class T>
T* self_of(PyObject* self) {
  auto* const instance = reinterpret_cast<py::detail::instance*>(self);
  return instance->get_value_and_holder().template value_ptr<T>();
}

// Runs a call, and returns its result; or `otherwise` if it is not handled, for any reason.
template <class Run>
PyObject* counted(PyObject* otherwise, const Run& run) {
  PyObject* result = nullptr;
  try {
    result = run();
  } catch (...) {  // no memory, or one of the reasons that the old way gives
  }
  if (result != nullptr) {
    ++calls;
    return result;
  }
  PyErr_Clear();
  return Py_NewRef(otherwise);
}

inline bool is_flag(PyObject* object) { return object == Py_True || object == Py_False; }

// Encoder.quick(model, values, normalize) -> whether they were encoded
inline PyObject* encode_one(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_False, [&]() -> PyObject* {
    Arguments held;
    auto* const encoder = self_of<PyEncoder>(self);
    if (encoder == nullptr || count != 3 || !is_flag(arguments[2])) return nullptr;
    auto job = held.encode_job(arguments[0], arguments[1], arguments[2] == Py_True, OneStream());
    return job && encoder->try_encode(*std::move(job)) ? Py_NewRef(Py_True) : nullptr;
  });
}

// Encoder.quick_batch(model, values) -> whether they were encoded
inline PyObject* encode_each(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_False, [&]() -> PyObject* {
    Arguments held;
    auto* const encoder = self_of<PyEncoder>(self);
    if (encoder == nullptr || count != 2) return nullptr;
    auto job = held.encode_job(arguments[0], arguments[1], true, EachStream{encoder->streams()});
    return job && encoder->try_encode(*std::move(job)) ? Py_NewRef(Py_True) : nullptr;
  });
}

// Decoder.quick(model, normalize) -> the values, or None
inline PyObject* decode_one(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_None, [&]() -> PyObject* {
    Arguments held;
    auto* const decoder = self_of<PyDecoder>(self);
    if (decoder == nullptr || count != 2 || !is_flag(arguments[1]) ||
        !held.prepare_decoding(arguments[0], arguments[1] == Py_True, OneStream()))
      return nullptr;
    const auto decode = [&](DecodeJob&& job, const auto& keep) {
      decoder->try_decode(std::move(job), keep);
    };
    return held.source.is_cdf() ? decode_to<std::int16_t>(held.call, decode)
                                : decode_to<std::int32_t>(held.call, decode);
  });
}

// Decoder.quick_batch(model) -> the values, or None
inline PyObject* decode_each(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_None, [&]() -> PyObject* {
    Arguments held;
    auto* const decoder = self_of<PyDecoder>(self);
    if (decoder == nullptr || count != 1 ||
        !held.prepare_decoding(arguments[0], true, EachStream{decoder->streams()}))
      return nullptr;
    return decode_to<std::int32_t>(held.call, [&](DecodeJob&& job, const auto& keep) {
      decoder->try_decode(std::move(job), keep);
    });
  });
}

// Whether the rows are floats, or 16-bit integers, as a function of torchac 0.9.3 takes.
inline bool has_type(const AnyModel& model, bool floats) {
  const auto* const rows = std::get_if<CdfRows>(&model);
  return rows != nullptr && is_float(rows->layout.type) == floats;
}

// quick_encode(cdf, symbols, normalize, floats) -> the stream, or None
inline PyObject* encode_cdf(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_None, [&]() -> PyObject* {
    Arguments held;
    if (count != 4 || !is_flag(arguments[2]) || !is_flag(arguments[3])) return nullptr;
    auto job = held.encode_job(arguments[0], arguments[1], arguments[2] == Py_True, OneStream());
    if (!job || !has_type(job->model, arguments[3] == Py_True)) return nullptr;
    EncodedStream stream;
    job->streams = &stream;
    ThreadTeam alone(1);
    if (!torchac::encode({&*job, 1}, alone).ok()) return nullptr;
    return to_bytes(stream).release().ptr();
  });
}

// quick_decode(cdf, stream, normalize, floats) -> the symbols, or None
inline PyObject* decode_cdf(PyObject* /*module*/, PyObject* const* arguments, Py_ssize_t count) {
  return counted(Py_None, [&]() -> PyObject* {
    Arguments held;
    if (count != 4 || !PyBytes_CheckExact(arguments[1]) || !is_flag(arguments[2]) ||
        !is_flag(arguments[3]) ||
        !held.prepare_decoding(arguments[0], arguments[2] == Py_True, OneStream()) ||
        !has_type(held.call.model, arguments[3] == Py_True))
      return nullptr;
    const auto* const bytes = reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(arguments[1]));
    Decoder decoder(std::span(bytes, static_cast<std::size_t>(PyBytes_GET_SIZE(arguments[1]))));
    return decode_to<std::int16_t>(held.call, [&](DecodeJob&& job, const auto& keep) {
      job.streams = &decoder;
      ThreadTeam alone(1);
      if (torchac::decode({&job, 1}, alone).ok()) keep();
    });
  });
}

using FastCall = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);

// A method or a function whose arguments come without a tuple.
template <FastCall kCall>
PyMethodDef* fast_call(const char* name) {
  static PyMethodDef definition{name,
                                reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(kCall)),
                                METH_FASTCALL, nullptr};
  return &definition;
}

template <FastCall kCall>
void add_method(const py::object& type, const char* name) {
  type.attr(name) = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), fast_call<kCall>(name)));
}

template <FastCall kCall>
void add_function(py::module_& m, const char* name) {
  m.attr(name) =
      py::reinterpret_steal<py::object>(PyCFunction_New(fast_call<kCall>(name), nullptr));
}

inline void add_calls(py::module_& m) {
  add_types(m);
  add_method<encode_one>(m.attr("Encoder"), "quick");
  add_method<encode_each>(m.attr("Encoder"), "quick_batch");
  add_method<decode_one>(m.attr("Decoder"), "quick");
  add_method<decode_each>(m.attr("Decoder"), "quick_batch");
  add_function<encode_cdf>(m, "quick_encode");
  add_function<decode_cdf>(m, "quick_decode");
  m.def("use_torch", &use_torch, py::arg("torch"));
  m.def("quick_calls", [] { return calls; });
}

}  // namespace torchac::python::quick
