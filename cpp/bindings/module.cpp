// The Python module: hands NumPy views to the core, with the GIL released. Python's side of it,
// _tensors.py, has checked what it passes and says what is wrong in its users' words; what is
// checked here again is only what memory safety rests on.
#include <pybind11/native_enum.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/coding.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/report.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace py = pybind11;

namespace torchac {
namespace {

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

const std::byte* first(const py::array& array) {
  return static_cast<const std::byte*>(array.data());
}

std::vector<Dimension> dimensions(const py::array& array, py::ssize_t count) {
  std::vector<Dimension> result;
  for (py::ssize_t i = 0; i < count; ++i) result.push_back({array.shape(i), array.strides(i)});
  return result;
}

std::int64_t size(const std::vector<Dimension>& dimensions) {
  std::int64_t result = 1;
  for (const Dimension& d : dimensions) result *= d.size;
  return result;
}

bool same_shape(const std::vector<Dimension>& a, const std::vector<Dimension>& b) {
  return std::ranges::equal(a, b, {}, &Dimension::size, &Dimension::size);
}

IntegerType integer_type(const py::dtype& dtype) {
  require(dtype.byteorder() == '=' || dtype.byteorder() == '|',
          "integers must have the machine's byte order");
  require(dtype.kind() == 'i' || dtype.kind() == 'u', "integers expected");
  const bool is_signed = dtype.kind() == 'i';
  switch (dtype.itemsize()) {
    case 1:
      return is_signed ? IntegerType::kInt8 : IntegerType::kUint8;
    case 2:
      return is_signed ? IntegerType::kInt16 : IntegerType::kUint16;
    case 4:
      return is_signed ? IntegerType::kInt32 : IntegerType::kUint32;
    default:
      return is_signed ? IntegerType::kInt64 : IntegerType::kUint64;
  }
}

Integers integers(const py::array& array, std::int64_t limit, bool clamp) {
  return {integer_type(array.dtype()), StridedWalk(first(array), dimensions(array, array.ndim())),
          limit, clamp};
}

py::ssize_t item_size(RowType type) {
  switch (type) {
    case RowType::kFloat32:
      return 4;
    case RowType::kFloat64:
      return 8;
    default:
      return 2;
  }
}

// A CDF as Python passes it: an array of rows, how to read them, and an index if they are shared.
class Cdf {
 public:
  Cdf(py::array rows, RowType type, bool normalize, std::optional<py::array> index)
      : rows_(std::move(rows)), index_(std::move(index)), type_(type), normalize_(normalize) {
    require(rows_.ndim() >= 1 && symbols() >= kMinSymbols && symbols() <= kMaxSymbols,
            "Lp out of range");
    require(rows_.itemsize() == item_size(type), "wrong row type");
    require(!index_ || rows_.ndim() == 2, "shared rows must have two dimensions");
  }

  [[nodiscard]] std::int64_t symbols() const { return rows_.shape(rows_.ndim() - 1) - 1; }

  // The shape of the symbols.
  [[nodiscard]] std::vector<Dimension> shape() const {
    return index_ ? dimensions(*index_, index_->ndim()) : dimensions(rows_, rows_.ndim() - 1);
  }

  [[nodiscard]] AnyRowFormat format() const {
    return row_format(type_, normalize_, symbols(), rows_.strides(rows_.ndim() - 1));
  }

  [[nodiscard]] Rows rows() const {
    if (!index_) return Rows(StridedWalk(first(rows_), shape()));
    return {{first(rows_), rows_.strides(0), rows_.shape(0)},
            integers(*index_, rows_.shape(0), false)};
  }

  [[nodiscard]] bool same_type(const Cdf& other) const { return type_ == other.type_; }

 private:
  py::array rows_;
  std::optional<py::array> index_;
  RowType type_;
  bool normalize_;
};

EncodeItem encode_item(const Cdf& cdf, const py::array& symbols, bool check, bool clamp,
                       EncodedStream& stream) {
  const auto shape = cdf.shape();
  require(same_shape(shape, dimensions(symbols, symbols.ndim())), "shapes do not match");
  return {cdf.format(), cdf.rows(), integers(symbols, cdf.symbols(), clamp),
          size(shape),  check,      &stream};
}

using Symbols = py::array_t<std::int16_t, py::array::c_style>;

DecodeItem decode_item(const Cdf& cdf, Symbols& symbols, Decoder& stream) {
  const auto shape = cdf.shape();
  require(same_shape(shape, dimensions(symbols, symbols.ndim())), "shapes do not match");
  return {cdf.format(), cdf.rows(), symbols.mutable_data(), size(shape), &stream};
}

py::bytes to_bytes(EncodedStream& stream) {
  const auto bytes = stream.finish();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::uint8_t> to_span(const py::buffer_info& buffer) {
  require(buffer.itemsize == 1 && buffer.ndim == 1 && (buffer.size < 2 || buffer.strides[0] == 1),
          "bytes expected");
  return {static_cast<const std::uint8_t*>(buffer.ptr), static_cast<std::size_t>(buffer.size)};
}

std::optional<Report> unless_ok(const Report& report) {
  return report.ok() ? std::nullopt : std::optional(report);
}

// An encoder that Python threads may share.
class PyEncoder {
 public:
  PyEncoder() = default;
  PyEncoder(const PyEncoder& other) : stream_((std::scoped_lock(other.mutex_), other.stream_)) {}

  // Encodes all of the symbols, or none and tells why.
  std::optional<Report> encode(const Cdf& cdf, const py::array& symbols, bool check, bool clamp) {
    EncodeItem item = encode_item(cdf, symbols, check, clamp, stream_);
    const py::gil_scoped_release release;
    const std::scoped_lock lock(mutex_);
    const auto before = stream_.checkpoint();
    const Report report = torchac::encode({&item, 1}, 1);
    if (!report.ok()) stream_.restore(before);
    return unless_ok(report);
  }

  py::bytes finish() {
    const std::scoped_lock lock(mutex_);
    return to_bytes(stream_);
  }

  std::uint64_t num_bits() const {
    const std::scoped_lock lock(mutex_);
    return stream_.num_bits();
  }

 private:
  mutable std::mutex mutex_;
  EncodedStream stream_;
};

// A decoder that Python threads may share, and the buffer that it reads from.
class PyDecoder {
 public:
  explicit PyDecoder(const py::buffer& stream)
      : buffer_(std::make_shared<const py::buffer_info>(stream.request())),
        decoder_(to_span(*buffer_)) {}
  PyDecoder(const PyDecoder& other)
      : buffer_(other.buffer_), decoder_((std::scoped_lock(other.mutex_), other.decoder_)) {}

  // Decodes all of the symbols, or leaves the decoder where it is and tells why.
  std::optional<Report> decode(const Cdf& cdf, Symbols& symbols) {
    Decoder decoder;
    DecodeItem item = decode_item(cdf, symbols, decoder);
    const py::gil_scoped_release release;
    const std::scoped_lock lock(mutex_);
    decoder = decoder_;
    const Report report = torchac::decode({&item, 1}, 1);
    if (report.ok()) decoder_ = decoder;
    return unless_ok(report);
  }

  std::uint64_t num_bits() const {
    const std::scoped_lock lock(mutex_);
    return decoder_.num_bits();
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const py::buffer_info> buffer_;
  Decoder decoder_;
};

void require_one_type(const std::vector<Cdf>& cdfs) {
  require(std::ranges::all_of(cdfs, [&](const Cdf& cdf) { return cdf.same_type(cdfs[0]); }),
          "rows of different types");
}

// The streams, or a report on why there are none.
std::variant<std::vector<py::bytes>, Report> encode_batch(const std::vector<Cdf>& cdfs,
                                                          const std::vector<py::array>& symbols,
                                                          bool check, bool clamp,
                                                          std::size_t threads) {
  require(cdfs.size() == symbols.size(), "one CDF for each item expected");
  require_one_type(cdfs);
  std::vector<EncodedStream> streams(cdfs.size());
  std::vector<EncodeItem> items;
  for (std::size_t i = 0; i < cdfs.size(); ++i)
    items.push_back(encode_item(cdfs[i], symbols[i], check, clamp, streams[i]));
  Report report;
  {
    const py::gil_scoped_release release;
    report = torchac::encode(items, threads);
  }
  if (!report.ok()) return report;
  std::vector<py::bytes> result;
  for (EncodedStream& stream : streams) result.push_back(to_bytes(stream));
  return result;
}

std::optional<Report> decode_batch(const std::vector<Cdf>& cdfs,
                                   const std::vector<py::buffer>& streams,
                                   std::vector<Symbols> symbols, std::size_t threads) {
  require(cdfs.size() == streams.size() && cdfs.size() == symbols.size(),
          "one CDF for each item expected");
  require_one_type(cdfs);
  std::vector<py::buffer_info> buffers;
  for (const py::buffer& stream : streams) buffers.push_back(stream.request());
  std::vector<Decoder> decoders;
  for (const py::buffer_info& buffer : buffers) decoders.emplace_back(to_span(buffer));
  std::vector<DecodeItem> items;
  for (std::size_t i = 0; i < cdfs.size(); ++i)
    items.push_back(decode_item(cdfs[i], symbols[i], decoders[i]));
  const py::gil_scoped_release release;
  return unless_ok(torchac::decode(items, threads));
}

}  // namespace
}  // namespace torchac

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace torchac;
  m.doc() = "The arithmetic coder. Private: use the functions of torchac.";

  py::native_enum<RowType>(m, "RowType", "enum.Enum")
      .value("INT16", RowType::kInt16)
      .value("FLOAT16", RowType::kFloat16)
      .value("BFLOAT16", RowType::kBFloat16)
      .value("FLOAT32", RowType::kFloat32)
      .value("FLOAT64", RowType::kFloat64)
      .finalize();

  py::native_enum<Problem>(m, "Problem", "enum.Enum")
      .value("SYMBOL", Problem::kSymbol)
      .value("INDEX", Problem::kIndex)
      .value("INTERVAL", Problem::kInterval)
      .value("NOT_FINITE", Problem::kNotFinite)
      .value("OUT_OF_BOUNDS", Problem::kOutOfBounds)
      .value("DECREASING", Problem::kDecreasing)
      .value("TRUNCATED", Problem::kTruncated)
      .value("CONTRADICTED", Problem::kContradicted)
      .finalize();

  py::class_<Report>(m, "Report")
      .def_readonly("problem", &Report::problem)
      .def_readonly("item", &Report::item)
      .def_readonly("position", &Report::position)
      .def_readonly("column", &Report::column)
      .def_readonly("table", &Report::table);

  py::class_<Cdf>(m, "Cdf").def(py::init<py::array, RowType, bool, std::optional<py::array>>(),
                                py::arg("rows"), py::arg("row_type"), py::arg("normalize"),
                                py::arg("index"));

  py::class_<PyEncoder>(m, "Encoder")
      .def(py::init())
      .def("__copy__", [](const PyEncoder& self) { return PyEncoder(self); })
      .def("encode", &PyEncoder::encode, py::arg("cdf"), py::arg("symbols").noconvert(),
           py::arg("check"), py::arg("clamp"))
      .def("finish", &PyEncoder::finish)
      .def("num_bits", &PyEncoder::num_bits);

  py::class_<PyDecoder>(m, "Decoder")
      .def(py::init<const py::buffer&>(), py::arg("stream"))
      .def("__copy__", [](const PyDecoder& self) { return PyDecoder(self); })
      .def("decode", &PyDecoder::decode, py::arg("cdf"), py::arg("symbols").noconvert())
      .def("num_bits", &PyDecoder::num_bits);

  m.def("encode_batch", &encode_batch, py::arg("cdfs"), py::arg("symbols"), py::arg("check"),
        py::arg("clamp"), py::arg("threads"));
  m.def("decode_batch", &decode_batch, py::arg("cdfs"), py::arg("streams"), py::arg("symbols"),
        py::arg("threads"));
}
