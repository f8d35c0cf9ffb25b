// The Python module: passes NumPy views to the core, with the GIL released. The Python package
// checks arguments, and explains faults in its users' words.
#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "arrays.hpp"
#include "calls.hpp"
#include "coders.hpp"
#include "models.hpp"
#include "packed.hpp"
#include "quick_calls.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/bit_costs.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/files/segment_index.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/object_lock.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::python {
namespace {

// The streams, packed or not, or a report of why there are none.
using StreamsOrReport = std::variant<std::vector<py::bytes>, Packed, Report>;

// Encodes to `count` streams by `run(streams, team)`, which takes `nanoseconds` on one thread.
template <class Run>
StreamsOrReport encode_streams(std::size_t count, std::int64_t nanoseconds, bool packed,
                               std::size_t threads, const Run& run) {
  // Made first, so that its threads can end while the bytes are made.
  ThreadTeam team(useful_threads(nanoseconds, threads), Poll(poll_signals));
  std::vector<EncodedStream> streams(count);
  Report report;
  {
    const py::gil_scoped_release release;
    report = run(streams, team);
  }
  if (!report.ok()) return report;
  if (packed) return Packed(streams);
  std::vector<py::bytes> result;
  for (EncodedStream& stream : streams) result.push_back(to_bytes(stream));
  return result;
}

template <class Values>
StreamsOrReport encode_items(const std::vector<Model>& models, const std::vector<Values>& values,
                             bool packed, std::size_t threads) {
  require(models.size() == values.size(), "one model for each item expected");
  std::vector<EncodeJob> jobs;
  std::int64_t time = 0;
  for (std::size_t i = 0; i < models.size(); ++i) {
    jobs.push_back(encode_job(models[i], values[i]));
    time += nanoseconds(jobs.back());
  }
  return encode_streams(jobs.size(), time, packed, threads,
                        [&](std::vector<EncodedStream>& streams, ThreadTeam& team) {
                          for (std::size_t i = 0; i < jobs.size(); ++i)
                            jobs[i].streams = &streams[i];
                          return torchac::encode(jobs, team);
                        });
}

// Encoded streams from Python, and their decoders, which read from the buffers `held`.
using PyStreams = std::variant<std::vector<py::buffer>, Packed>;

std::vector<Decoder> decoders_of(const PyStreams& streams, std::vector<py::buffer_info>& held) {
  if (const auto* packed = std::get_if<Packed>(&streams)) return packed->decoders();
  std::vector<Decoder> result;
  for (const py::buffer& stream : std::get<std::vector<py::buffer>>(streams)) {
    held.push_back(stream.request());
    result.emplace_back(to_span(held.back()));
  }
  return result;
}

template <class Values>
std::optional<Report> decode_items(const std::vector<Model>& models, const PyStreams& streams,
                                   const std::vector<Values>& values, std::size_t threads) {
  require(models.size() == values.size(), "one model for each item expected");
  std::vector<DecodeJob> jobs;
  std::int64_t time = 0;
  for (std::size_t i = 0; i < models.size(); ++i) {
    jobs.push_back(decode_job(models[i], values[i]));
    time += nanoseconds(jobs.back());
  }
  ThreadTeam team(useful_threads(time, threads), Poll(poll_signals));
  std::vector<py::buffer_info> held;
  std::vector<Decoder> decoders = decoders_of(streams, held);
  require(jobs.size() == decoders.size(), "one stream for each item expected");
  for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].streams = &decoders[i];
  const py::gil_scoped_release release;
  return unless_ok(torchac::decode(jobs, team));
}

// Checks a number of chunks of `count` values.
void check_chunks(std::size_t chunks, std::int64_t count) {
  require(std::cmp_less_equal(chunks, count) && (chunks > 0 || count == 0),
          "one chunk or more expected, of one value or more");
}

StreamsOrReport encode_chunks(const Model& model, const py::array& values, std::size_t chunks,
                              std::size_t threads) {
  const EncodeJob job = encode_job(model, values);
  check_chunks(chunks, job.count);
  return encode_streams(chunks, nanoseconds(job), true, threads,
                        [&](std::vector<EncodedStream>& streams, ThreadTeam& team) {
                          return torchac::encode_chunks(job, streams, team);
                        });
}

std::optional<Report> decode_chunks(const Model& model, const Packed& streams,
                                    const py::array& values, std::size_t threads) {
  const DecodeJob job = decode_job(model, values);
  std::vector<Decoder> decoders = streams.decoders();
  check_chunks(decoders.size(), job.count);
  ThreadTeam team(useful_threads(nanoseconds(job), threads), Poll(poll_signals));
  const py::gil_scoped_release release;
  return unless_ok(torchac::decode_chunks(job, decoders, team));
}

using Bits = py::array_t<double, py::array::c_style>;

// Computes the cost of each value.
std::optional<Report> measure_values(const Model& model, const py::array& values, Bits& bits) {
  EncodeJob job = encode_job(model, values);
  require(same_shape(model.shape(), ArraySlice(bits).dimensions()), "shapes do not match");
  const MeasureJob measured{std::move(job), std::move(job.values), bits.mutable_data()};
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(measure(measured, poll));
}

// Computes the windows of rows, and the rows themselves if there is room for them.
std::optional<Report> tabulate_rows(const Model& model, Int32s& first, Int32s& symbols,
                                    Uint8s& shifts, std::optional<Symbols>& rows) {
  require(!model.is_cdf(), "a model without rows expected");
  Job of = model.job(model.shape());
  const std::int64_t count = of.count;
  require(first.size() == count && symbols.size() == count && shifts.size() == count,
          "one window for each row expected");
  TabulateJob job{std::move(of.model),
                  count,
                  first.mutable_data(),
                  symbols.mutable_data(),
                  shifts.mutable_data(),
                  nullptr,
                  0};
  if (rows) {
    require(rows->ndim() == 2 && rows->shape(0) == count, "room for each row expected");
    job.rows = reinterpret_cast<std::uint16_t*>(rows->mutable_data());
    job.stride = rows->shape(1);
  }
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(torchac::tabulate(job, poll));
}

// Quantizes all values of rows of a CDF.
std::optional<Report> quantize_rows(const Model& model, Symbols& values) {
  require(model.is_cdf() && values.ndim() >= 1, "a CDF expected");
  Job of = model.job(ArraySlice(values).dimensions(1));
  auto& cdf = std::get<CdfRows>(of.model);
  require(std::cmp_equal(values.shape(values.ndim() - 1), cdf.layout.symbols + 1),
          "shapes do not match");
  const QuantizeJob job{std::move(cdf), of.count,
                        reinterpret_cast<std::byte*>(values.mutable_data())};
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(quantize(job, poll));
}

}  // namespace
}  // namespace torchac::python

namespace py = pybind11;

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace torchac;
  using namespace torchac::python;
  m.doc() = "The arithmetic coder. Private: use the functions of torchac.";

  py::native_enum<Problem>(m, "Problem", "enum.Enum")
      .value("SYMBOL", Problem::kSymbol)
      .value("INDEX", Problem::kIndex)
      .value("INTERVAL", Problem::kInterval)
      .value("NOT_FINITE", Problem::kNotFinite)
      .value("OUT_OF_BOUNDS", Problem::kOutOfBounds)
      .value("DECREASING", Problem::kDecreasing)
      .value("TRUNCATED", Problem::kTruncated)
      .value("INVALID_CODE", Problem::kInvalidCode)
      .value("VALUE", Problem::kValue)
      .value("LOC", Problem::kLoc)
      .value("SCALE", Problem::kScale)
      .value("WEIGHT", Problem::kWeight)
      .value("ZONES", Problem::kZones)
      .finalize();

  py::class_<Report>(m, "Report")
      .def_readonly("problem", &Report::problem)
      .def_readonly("item", &Report::item)
      .def_readonly("position", &Report::position)
      .def_readonly("column", &Report::column)
      .def_readonly("table", &Report::table);

  // Not a native_enum, whose conversions each take as long as coding a few symbols.
  py::enum_<CategoryNumbers>(m, "CategoryNumbers")
      .value("PROBABILITIES", CategoryNumbers::kProbabilities)
      .value("LOGITS", CategoryNumbers::kLogits)
      .value("BERNOULLI_PROBABILITIES", CategoryNumbers::kBernoulliProbabilities)
      .value("BERNOULLI_LOGITS", CategoryNumbers::kBernoulliLogits);

  py::class_<Model>(m, "Model")
      .def_static("of_cdf", &Model::of_cdf, py::arg("rows"), py::arg("normalize"), py::arg("index"),
                  py::arg("check"), py::arg("clamp"))
      .def_static("of_parameters", &Model::of_parameters, py::arg("components"), py::arg("low"),
                  py::arg("high"), py::arg("index"))
      .def_static("of_tables", &Model::of_tables, py::arg("rows").noconvert(),
                  py::arg("first").noconvert(), py::arg("symbols").noconvert(),
                  py::arg("shifts").noconvert(), py::arg("low"), py::arg("high"), py::arg("index"),
                  py::arg("shape"), py::arg("places") = std::nullopt)
      .def_static("of_categories", &Model::of_categories, py::arg("kind"), py::arg("numbers"),
                  py::arg("index"));

  py::class_<PyEncoder>(m, "Encoder")
      .def(py::init<std::size_t, bool>(), py::arg("streams") = 1, py::arg("with_checksums") = false)
      .def("__copy__", [](const PyEncoder& self) { return PyEncoder(self); })
      .def("encode", &PyEncoder::encode, py::arg("model"), py::arg("values"),
           py::arg("original_symbols") = std::nullopt, py::arg("streams") = std::nullopt)
      .def("mark", &PyEncoder::mark, py::arg("streams") = std::nullopt)
      .def("drain", &PyEncoder::drain)
      .def("finish", &PyEncoder::finish)
      .def("num_bits", &PyEncoder::num_bits)
      .def(py::pickle(
          [](const PyEncoder& self) { return self.state(); },
          [](const py::tuple& state) {
            return std::apply(
                PyEncoder::from_state,
                state.cast<std::tuple<std::vector<PyEncoder::SavedStream>, bool, bool>>());
          }));

  py::class_<PyDecoder>(m, "Decoder")
      .def(py::init<const std::vector<py::buffer>&, bool>(), py::arg("streams"),
           py::arg("with_checksums") = false)
      .def("__copy__", [](const PyDecoder& self) { return PyDecoder(self); })
      .def("decode", &PyDecoder::decode, py::arg("model"), py::arg("values"),
           py::arg("streams") = std::nullopt)
      .def("mark", &PyDecoder::mark, py::arg("streams") = std::nullopt)
      .def("feed", &PyDecoder::feed, py::arg("data"))
      .def("num_bits", &PyDecoder::num_bits)
      .def("sizes", &PyDecoder::sizes)
      .def(py::pickle([](const PyDecoder& self) { return self.state(); },
                      [](const py::tuple& state) {
                        return std::apply(
                            PyDecoder::from_state,
                            state.cast<std::tuple<std::vector<PyDecoder::SavedStream>, bool>>());
                      }));

  py::class_<Packed>(m, "Packed")
      .def(py::init<Uint8s, Int64s>(), py::arg("data").noconvert(), py::arg("lengths").noconvert())
      .def_property_readonly("data", &Packed::data)
      .def_property_readonly("lengths", &Packed::lengths);

  // The lock of Encoder and Decoder, for Python objects: `with lock:`.
  py::class_<ObjectLock>(m, "Lock")
      .def(py::init<>())
      .def("__enter__", &take)
      .def("__exit__", [](ObjectLock& lock, const py::args&) { lock.unlock(); });

  py::class_<SegmentHeader>(m, "SegmentHeader")
      .def_property_readonly(
          "kind", [](const SegmentHeader& header) { return static_cast<int>(header.kind); })
      .def_readonly("name", &SegmentHeader::name)
      .def_readonly("shape", &SegmentHeader::shape)
      .def_readonly("least", &SegmentHeader::least)
      .def_readonly("width", &SegmentHeader::width)
      .def_readonly("lengths", &SegmentHeader::lengths)
      .def_readonly("checksum", &SegmentHeader::checksum)
      .def_readonly("payload", &SegmentHeader::payload);

  py::class_<SegmentIndex>(m, "SegmentIndex")
      .def(py::init([](const py::buffer& data, std::size_t begin) {
             const py::buffer_info buffer = data.request();
             const auto bytes = to_span(buffer);
             const py::gil_scoped_release release;
             Poll poll(poll_signals);
             return SegmentIndex(bytes, begin, poll);
           }),
           py::arg("data"), py::arg("begin"))
      .def("__len__", &SegmentIndex::size)
      .def_property_readonly("begins",
                             [](const py::object& self) {
                               const auto& begins = self.cast<const SegmentIndex&>().begins();
                               return Int64s(static_cast<py::ssize_t>(begins.size()), begins.data(),
                                             self);
                             })
      .def_property_readonly("problem", &SegmentIndex::problem)
      .def("header", &SegmentIndex::header, py::arg("number"))
      .def("find", &SegmentIndex::find, py::arg("name"));

  quick::add_calls(m);

  m.def("encode_items", &encode_items<py::array>, py::arg("models"), py::arg("values"),
        py::arg("packed"), py::arg("threads"));
  m.def(
      "encode_batch",
      [](const Model& model, const py::array& values, bool packed, std::size_t threads) {
        return encode_items(model.items(), items(values), packed, threads);
      },
      py::arg("model"), py::arg("values"), py::arg("packed"), py::arg("threads"));
  m.def("encode_chunks", &python::encode_chunks, py::arg("model"), py::arg("values"),
        py::arg("chunks"), py::arg("threads"));
  m.def("decode_items", &decode_items<py::array>, py::arg("models"), py::arg("streams"),
        py::arg("values"), py::arg("threads"));
  m.def(
      "decode_batch",
      [](const Model& model, const PyStreams& streams, const py::array& values,
         std::size_t threads) {
        return decode_items(model.items(), streams, items(values), threads);
      },
      py::arg("model"), py::arg("streams"), py::arg("values"), py::arg("threads"));
  m.def("decode_chunks", &python::decode_chunks, py::arg("model"), py::arg("streams"),
        py::arg("values"), py::arg("threads"));
  m.def("measure", &measure_values, py::arg("model"), py::arg("values"),
        py::arg("bits").noconvert());
  m.def("tabulate", &tabulate_rows, py::arg("model"), py::arg("first").noconvert(),
        py::arg("symbols").noconvert(), py::arg("shifts").noconvert(), py::arg("rows").noconvert());
  m.def("quantize", &quantize_rows, py::arg("cdf"), py::arg("values").noconvert());
  m.def(
      "checksum",
      [](const py::array& values) {
        Checksum checksum;
        const Numbers to_add = numbers(values);
        {
          const py::gil_scoped_release release;
          add_values(to_add, values.size(), {&checksum, 1});
        }
        return std::pair(checksum.sum(), checksum.sum_of_sums());
      },
      py::arg("values"));
  m.def("cpu", [] { return instruction_sets().name(); });
  m.def("paths", [] {
    py::dict paths;
    for (std::size_t i = 0; i < kPathNames.size(); ++i)
      paths[py::str(std::string(kPathNames[i]))] = path_counts[i].load();
    return paths;
  });
  m.def("costs", [] {
    const auto costs = bit_costs();
    return Bits(static_cast<py::ssize_t>(costs.size()), costs.data());
  });
}
