// The Python module: hands NumPy views to the core, with the GIL released. The Python package has
// checked what it passes, and says what is wrong in its users' words; what is checked here again is
// only what memory safety rests on.
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

#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/standard_cdf.hpp"
#include "torchac/models/window.hpp"
#include "torchac/models/window_rows.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/object_lock.hpp"
#include "torchac/support/paths.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace py = pybind11;

namespace torchac {
namespace {

void require(bool condition, const char* message) {
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
std::vector<ArraySlice> items(const py::array& batch) {
  require(batch.ndim() >= 1, "a batch expected");
  std::vector<ArraySlice> result;
  for (py::ssize_t i = 0; i < batch.shape(0); ++i) result.emplace_back(batch, i);
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

Integers integers(const ArraySlice& slice, bool clamp) {
  return {integer_type(slice.array().dtype()), StridedWalk(slice.first(), slice.dimensions()),
          clamp};
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
  Cdf(const py::array& rows, RowType type, bool normalize, const std::optional<py::array>& index)
      : rows_(rows), index_(index), type_(type), normalize_(normalize) {
    require(rows.ndim() >= 1 && symbols() >= kMinSymbols && symbols() <= kMaxSymbols,
            "Lp out of range");
    require(rows.itemsize() == item_size(type), "wrong row type");
    require(!index || rows.ndim() == 2, "shared rows must have two dimensions");
  }

  [[nodiscard]] std::int64_t symbols() const { return array().shape(array().ndim() - 1) - 1; }

  // The shape of the symbols.
  [[nodiscard]] std::vector<Dimension> shape() const {
    return index_ ? index_->dimensions() : rows_.dimensions(1);
  }

  [[nodiscard]] CdfLayout layout() const {
    return {type_, normalize_, static_cast<std::uint32_t>(symbols()),
            array().strides(array().ndim() - 1)};
  }

  [[nodiscard]] Rows rows() const {
    if (!index_) return Rows(StridedWalk(rows_.first(), shape()));
    return {{rows_.first(), array().strides(0), array().shape(0)}, integers(*index_, false)};
  }

  // Those of the items, if it is that of a batch.
  [[nodiscard]] std::vector<Cdf> items() const {
    require(!shape().empty(), "a batch expected");
    std::vector<Cdf> result;
    for (const ArraySlice& slice : torchac::items(index_ ? index_->array() : array())) {
      result.push_back(*this);
      (index_ ? *result.back().index_ : result.back().rows_) = slice;
    }
    return result;
  }

 private:
  [[nodiscard]] const py::array& array() const { return rows_.array(); }

  ArraySlice rows_;
  std::optional<ArraySlice> index_;
  RowType type_;
  bool normalize_;
};

using Symbols = py::array_t<std::int16_t, py::array::c_style>;
using Int32s = py::array_t<std::int32_t, py::array::c_style>;
using Uint8s = py::array_t<std::uint8_t, py::array::c_style>;

// Numbers as Python passes them.
class NumberArray {
 public:
  // NumPy has no bfloat16: such numbers come as the integers of the same bits.
  NumberArray(const py::array& array, bool bfloat16)
      : slice_(array), type_(bfloat16 ? NumberType::kBFloat16 : type_of(array.dtype())) {
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
  [[nodiscard]] Numbers numbers() const {
    return {type_, StridedWalk(slice_.first(), slice_.dimensions())};
  }

 private:
  static NumberType type_of(const py::dtype& dtype) {
    require(dtype.byteorder() == '=' || dtype.byteorder() == '|',
            "numbers must have the machine's byte order");
    if (dtype.kind() != 'f') return static_cast<NumberType>(integer_type(dtype));
    switch (dtype.itemsize()) {
      case 2:
        return NumberType::kFloat16;
      case 4:
        return NumberType::kFloat32;
      default:
        require(dtype.itemsize() == 8, "floats of 16, 32 or 64 bits expected");
        return NumberType::kFloat64;
    }
  }

  ArraySlice slice_;
  NumberType type_;
};

// A model of values as Python passes it: parameters, rows with windows, or numbers of categories.
class ValueModel {
 public:
  static ValueModel of_parameters(const std::vector<Kind>& kinds,
                                  const std::vector<NumberArray>& locs,
                                  const std::vector<NumberArray>& scales,
                                  const std::vector<NumberArray>& weights, std::int32_t low,
                                  std::int32_t high) {
    const std::size_t count = kinds.size();
    require(count >= 1 && locs.size() == count && scales.size() == count &&
                (weights.empty() ? count == 1 : weights.size() == count),
            "as many of each parameter as kinds expected");
    require(low <= high, "low <= high expected");
    ValueModel model;
    model.bounds_ = {low, high};
    model.kinds_ = kinds;
    for (const auto* arrays : {&locs, &scales, &weights})
      model.arrays_.insert(model.arrays_.end(), arrays->begin(), arrays->end());
    for (const NumberArray& array : model.arrays_)
      require(same_shape(array.shape(), locs[0].shape()), "shapes do not match");
    return model;
  }

  static ValueModel of_rows(const Symbols& rows, const Int32s& first, const Int32s& symbols,
                            const Uint8s& shifts, std::int32_t low, std::int32_t high,
                            const std::optional<py::array>& index,
                            const std::vector<py::ssize_t>& shape) {
    require(rows.ndim() == 2 && rows.shape(1) >= 2 && rows.shape(1) <= kMaxSymbols + 1,
            "rows in two dimensions expected");
    const py::ssize_t count = rows.shape(0);
    require(first.size() == count && symbols.size() == count && shifts.size() == count &&
                count <= UINT32_MAX,
            "one window for each row expected");
    require(low <= high, "low <= high expected");
    ValueModel model;
    model.bounds_ = {low, high};
    model.rows_ = Stored{rows, first, symbols, shifts};
    if (index) model.index_ = ArraySlice(*index);
    model.count_ = count;
    for (const py::ssize_t size : shape) model.shape_.push_back({size, 0});
    require(index || size(model.shape_) == count, "shapes do not match");
    return model;
  }

  // Numbers along the last dimension, or one for each value of Bernoulli distributions.
  static ValueModel of_categories(CategoryKind kind, const NumberArray& numbers,
                                  const std::optional<py::array>& index) {
    ValueModel model;
    model.numbers_ = CategoryNumbers{kind, numbers};
    if (index) model.index_ = ArraySlice(*index);
    const CategoryLayout layout = model.layout();
    require(layout.type >= NumberType::kFloat16, "floats expected");
    require(layout.count >= 1 && layout.count <= kMaxCategories, "1 to 2^20 categories expected");
    require(!index || model.numbers_->dimensions().size() == 1,
            "shared rows must have two dimensions");
    return model;
  }

  // The shape of the values.
  [[nodiscard]] std::vector<Dimension> shape() const {
    if (index_) return index_->dimensions();
    if (numbers_) return numbers_->dimensions();
    return rows_ ? shape_ : arrays_.front().shape();
  }

  [[nodiscard]] std::uint32_t kind() const { return kind_of(model()); }

  [[nodiscard]] AnyModel model() const {
    if (numbers_) return Categories{layout(), category_rows()};
    if (!rows_) return parameters();
    const auto* first_row = reinterpret_cast<const std::byte*>(rows_->rows.data());
    WindowRows result{{first_row + first_ * rows_->rows.strides(0), rows_->rows.strides(0), count_,
                       rows_->rows.shape(1) - 1, rows_->first.data() + first_,
                       rows_->symbols.data() + first_, rows_->shifts.data() + first_, bounds_},
                      std::nullopt};
    if (index_) result.index = integers(*index_, false);
    return result;
  }

  [[nodiscard]] Parameters parameters() const {
    Parameters result{{}, bounds_};
    const std::size_t count = kinds_.size();
    for (std::size_t k = 0; k < count; ++k) {
      Component component{kinds_[k], arrays_[k].numbers(), arrays_[count + k].numbers(), {}};
      if (arrays_.size() > 2 * count) component.weight = arrays_[2 * count + k].numbers();
      result.components.push_back(std::move(component));
    }
    return result;
  }

  // Those of the items, if it is that of a batch.
  [[nodiscard]] std::vector<ValueModel> items() const {
    require(!shape().empty(), "a batch expected");
    const std::int64_t count = shape().front().size;
    std::vector<ValueModel> result(static_cast<std::size_t>(count), *this);
    for (py::ssize_t i = 0; i < count; ++i) {
      ValueModel& item = result[static_cast<std::size_t>(i)];
      for (NumberArray& array : item.arrays_) array = NumberArray(array, i);
      if (numbers_ && !index_) item.numbers_->array = NumberArray(numbers_->array, i);
      if (index_) {
        item.index_ = ArraySlice(index_->array(), i);
      } else if (rows_) {
        item.shape_.erase(item.shape_.begin());
        item.count_ = size(item.shape_);
        item.first_ = i * item.count_;
      }
    }
    return result;
  }

 private:
  // The numbers of categories, along the last dimension unless they are of Bernoulli distributions.
  struct CategoryNumbers {
    CategoryKind kind;
    NumberArray array;

    [[nodiscard]] bool bernoulli() const { return kind >= CategoryKind::kBernoulliProbabilities; }
    [[nodiscard]] std::vector<Dimension> dimensions() const {
      auto result = array.shape();
      if (!bernoulli()) {
        require(!result.empty(), "a dimension of categories expected");
        result.pop_back();
      }
      return result;
    }
  };

  [[nodiscard]] CategoryLayout layout() const {
    const Numbers numbers = numbers_->array.numbers();
    if (numbers_->bernoulli()) return {numbers_->kind, numbers.type, 1, 0};
    const auto shape = numbers_->array.shape();
    require(!shape.empty(), "a dimension of categories expected");
    require(shape.back().size <= kMaxCategories, "1 to 2^20 categories expected");
    return {numbers_->kind, numbers.type, static_cast<std::uint32_t>(shape.back().size),
            shape.back().stride};
  }

  [[nodiscard]] Rows category_rows() const {
    const auto* first = numbers_->array.first();
    const auto dimensions = numbers_->dimensions();
    if (!index_) return Rows(StridedWalk(first, dimensions));
    return {{first, dimensions[0].stride, dimensions[0].size}, integers(*index_, false)};
  }

  struct Stored {
    Symbols rows;
    Int32s first;
    Int32s symbols;
    Uint8s shifts;
  };

  Bounds bounds_;
  std::vector<Kind> kinds_;
  std::vector<NumberArray> arrays_;  // locs, scales, and weights of a mixture
  std::optional<CategoryNumbers> numbers_;
  std::optional<Stored> rows_;
  std::optional<ArraySlice> index_;
  py::ssize_t first_ = 0;  // of the rows, and how many
  py::ssize_t count_ = 0;
  std::vector<Dimension> shape_;
};

EncodeValuesJob encode_values_job(const ValueModel& model, const NumberArray& values,
                                  EncodedStream& stream) {
  const auto shape = model.shape();
  require(same_shape(shape, values.shape()), "shapes do not match");
  return {{model.model(), size(shape)}, values.numbers(), &stream};
}

DecodeValuesJob decode_values_job(const ValueModel& model, ArraySlice values, Decoder& stream) {
  const auto shape = model.shape();
  require(same_shape(shape, values.dimensions()), "shapes do not match");
  return {{model.model(), size(shape)},
          reinterpret_cast<std::int32_t*>(values.mutable_first()),
          &stream};
}

EncodeJob encode_job(const Cdf& cdf, const ArraySlice& symbols, bool clamp, EncodedStream& stream) {
  const auto shape = cdf.shape();
  require(same_shape(shape, symbols.dimensions()), "shapes do not match");
  return {{cdf.layout(), cdf.rows(), size(shape)}, integers(symbols, clamp), &stream};
}

Check how_to_check(bool whole_rows) { return whole_rows ? Check::kAll : Check::kFew; }

// `symbols` are of the type Symbols.
DecodeJob decode_job(const Cdf& cdf, ArraySlice symbols, Decoder& stream) {
  const auto shape = cdf.shape();
  require(same_shape(shape, symbols.dimensions()), "shapes do not match");
  return {{cdf.layout(), cdf.rows(), size(shape)},
          SymbolSink(reinterpret_cast<std::int16_t*>(symbols.mutable_first())),
          &stream};
}

// NOLINTBEGIN(misc-include-cleaner): pybind11 includes Python.h, and wants to be the one
// The stream as it would end now, which leaves it as it is.
py::bytes to_bytes(EncodedStream& stream) {
  auto bytes = py::reinterpret_steal<py::bytes>(
      PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(stream.size())));
  if (!bytes) throw py::error_already_set();
  stream.finish({reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(bytes.ptr())), stream.size()});
  return bytes;
}

// Runs the handlers of signals that came. What they raise ends the call.
void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// The same from code that has no GIL.
void poll_signals() {
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

std::span<const std::uint8_t> to_span(const py::buffer_info& buffer) {
  require(buffer.itemsize == 1 && buffer.ndim == 1 && (buffer.size < 2 || buffer.strides[0] == 1),
          "bytes expected");
  return {static_cast<const std::uint8_t*>(buffer.ptr), static_cast<std::size_t>(buffer.size)};
}

std::optional<Report> unless_ok(const Report& report) {
  return report.ok() ? std::nullopt : std::optional(report);
}

// An encoder that Python threads may share. A call that fails, for whatever reason, changes
// nothing.
class PyEncoder {
 public:
  PyEncoder() = default;
  PyEncoder(const PyEncoder& other) {
    const Exclusive lock(other.lock_);
    stream_ = other.stream_;
    finished_ = other.finished_;
  }
  PyEncoder(EncodedStream stream, bool finished)
      : stream_(std::move(stream)), finished_(finished) {}

  // Encodes all of the symbols, or none and tells why.
  std::optional<Report> encode(const Cdf& cdf, const py::array& symbols, bool check, bool clamp) {
    const EncodeJob job = encode_job(cdf, symbols, clamp, stream_);
    return attempt(
        [&](ThreadTeam& alone) { return torchac::encode({&job, 1}, how_to_check(check), alone); });
  }

  std::optional<Report> encode_values(const ValueModel& model, const NumberArray& values) {
    const EncodeValuesJob job = encode_values_job(model, values, stream_);
    return attempt([&](ThreadTeam& alone) { return torchac::encode({&job, 1}, alone); });
  }

  py::bytes finish() {
    const Exclusive lock(lock_);
    require_unfinished();
    auto bytes = to_bytes(stream_);
    run_signal_handlers();  // as in encode
    finished_ = true;
    return bytes;
  }

  std::uint64_t num_bits() const {
    const Exclusive lock(lock_);
    return stream_.num_bits();
  }

  py::tuple state() const {
    const PyEncoder copy(*this);
    const EncodedStream::Saved saved = copy.stream_.save();
    const py::bytes bytes(reinterpret_cast<const char*>(saved.bytes.data()), saved.bytes.size());
    return py::make_tuple(saved.low, saved.range, saved.pending, saved.pending_bits, bytes,
                          copy.finished_);
  }

  static PyEncoder from_state(std::uint64_t low, std::uint64_t range, std::uint64_t pending,
                              std::uint32_t pending_bits, std::string_view bytes, bool finished) {
    auto stream = EncodedStream::from_saved(
        {low, range, pending, pending_bits, {bytes.begin(), bytes.end()}});
    require(stream.has_value(), "not the state of an Encoder");
    return {*std::move(stream), finished};
  }

 private:
  template <class Run>
  std::optional<Report> attempt(const Run& run) {
    const Exclusive lock(lock_);
    require_unfinished();
    Undo undo(stream_);
    Report report;
    {
      const py::gil_scoped_release release;
      ThreadTeam alone(1, Poll(poll_signals));
      report = run(alone);
    }
    run_signal_handlers();  // else Python raises what they raise after this has returned
    if (report.ok()) undo.keep();
    return unless_ok(report);
  }

  void require_unfinished() const {
    if (finished_) throw std::runtime_error("this Encoder has finished its stream: use a new one");
  }

  mutable ObjectLock lock_;
  EncodedStream stream_;
  bool finished_ = false;
};

// A decoder that Python threads may share, and the buffer that it reads from.
class PyDecoder {
 public:
  explicit PyDecoder(const py::buffer& stream)
      : buffer_(std::make_shared<const py::buffer_info>(stream.request())),
        decoder_(to_span(*buffer_)) {}
  PyDecoder(const PyDecoder& other) : buffer_(other.buffer_) {
    const Exclusive lock(other.lock_);
    decoder_ = other.decoder_;
  }

  // Decodes all of the symbols, or leaves the decoder where it is and tells why.
  std::optional<Report> decode(const Cdf& cdf, const Symbols& symbols) {
    Decoder decoder;
    const DecodeJob job = decode_job(cdf, symbols, decoder);
    return attempt(
        decoder, [&](ThreadTeam& alone) { return torchac::decode({&job, 1}, Check::kFew, alone); });
  }

  std::optional<Report> decode_values(const ValueModel& model, const Int32s& values) {
    Decoder decoder;
    const DecodeValuesJob job = decode_values_job(model, values, decoder);
    return attempt(decoder, [&](ThreadTeam& alone) { return torchac::decode({&job, 1}, alone); });
  }

  std::uint64_t num_bits() const {
    const Exclusive lock(lock_);
    return decoder_.num_bits();
  }

  py::tuple state() const {
    const Decoder::Saved saved = PyDecoder(*this).decoder_.save();
    const auto stream = to_span(*buffer_);
    const py::bytes bytes(reinterpret_cast<const char*>(stream.data()), stream.size());
    return py::make_tuple(saved.low, saved.range, saved.offset, saved.position, bytes);
  }

  static PyDecoder from_state(std::uint64_t low, std::uint64_t range, std::uint64_t offset,
                              std::uint64_t position, const py::bytes& stream) {
    PyDecoder result(stream);
    require(result.decoder_.restore({low, range, offset, position}), "not the state of a Decoder");
    return result;
  }

 private:
  // Runs what decodes with `decoder`.
  template <class Run>
  std::optional<Report> attempt(Decoder& decoder, const Run& run) {
    const Exclusive lock(lock_);
    Report report;
    {
      const py::gil_scoped_release release;
      decoder = decoder_;
      ThreadTeam alone(1, Poll(poll_signals));
      report = run(alone);
    }
    run_signal_handlers();  // as in encode
    if (report.ok()) decoder_ = decoder;
    return unless_ok(report);
  }

  mutable ObjectLock lock_;
  std::shared_ptr<const py::buffer_info> buffer_;
  Decoder decoder_;
};

// `models` are of type Cdf or ValueModel.
template <class Model>
std::size_t useful_threads_for(const std::vector<Model>& models, std::size_t threads) {
  std::int64_t symbols = 0;
  for (const Model& model : models) symbols += size(model.shape());
  return useful_threads(symbols, threads);
}

// The streams, or a report on why there are none.
using Streams = std::variant<std::vector<py::bytes>, Report>;

// Encodes items, of which `job(i, stream)` is one, by `run(jobs, team)`.
template <class Model, class MakeJob, class Run>
Streams encode_items(const std::vector<Model>& models, std::size_t threads, const MakeJob& job,
                     const Run& run) {
  // Made first, so that its threads can end while the bytes are made.
  ThreadTeam team(useful_threads_for(models, threads), Poll(poll_signals));
  std::vector<EncodedStream> streams(models.size());
  std::vector<decltype(job(0, streams[0]))> jobs;
  for (std::size_t i = 0; i < models.size(); ++i) jobs.push_back(job(i, streams[i]));
  Report report;
  {
    const py::gil_scoped_release release;
    report = run(jobs, team);
  }
  if (!report.ok()) return report;
  std::vector<py::bytes> result;
  for (EncodedStream& stream : streams) result.push_back(to_bytes(stream));
  return result;
}

Streams encode_items(const std::vector<Cdf>& cdfs, const std::vector<ArraySlice>& symbols,
                     bool check, bool clamp, std::size_t threads) {
  require(cdfs.size() == symbols.size(), "one CDF for each item expected");
  return encode_items(
      cdfs, threads,
      [&](std::size_t i, EncodedStream& stream) {
        return encode_job(cdfs[i], symbols[i], clamp, stream);
      },
      [&](const std::vector<EncodeJob>& jobs, ThreadTeam& team) {
        return torchac::encode(jobs, how_to_check(check), team);
      });
}

Streams encode_value_items(const std::vector<ValueModel>& models,
                           const std::vector<NumberArray>& values, std::size_t threads) {
  require(models.size() == values.size(), "one model for each item expected");
  return encode_items(
      models, threads,
      [&](std::size_t i, EncodedStream& stream) {
        return encode_values_job(models[i], values[i], stream);
      },
      [&](const std::vector<EncodeValuesJob>& jobs, ThreadTeam& team) {
        return torchac::encode(jobs, team);
      });
}

// Decodes items, of which `job(i, stream)` is one, by `run(jobs, team)`.
template <class Model, class MakeJob, class Run>
std::optional<Report> decode_items(const std::vector<Model>& models,
                                   const std::vector<py::buffer>& streams,
                                   const std::vector<ArraySlice>& results, std::size_t threads,
                                   const MakeJob& job, const Run& run) {
  require(models.size() == streams.size() && models.size() == results.size(),
          "one model for each item expected");
  ThreadTeam team(useful_threads_for(models, threads), Poll(poll_signals));
  std::vector<py::buffer_info> buffers;
  for (const py::buffer& stream : streams) buffers.push_back(stream.request());
  std::vector<Decoder> decoders;
  for (const py::buffer_info& buffer : buffers) decoders.emplace_back(to_span(buffer));
  std::vector<decltype(job(0, decoders[0]))> jobs;
  for (std::size_t i = 0; i < models.size(); ++i) jobs.push_back(job(i, decoders[i]));
  const py::gil_scoped_release release;
  return unless_ok(run(jobs, team));
}

std::optional<Report> decode_items(const std::vector<Cdf>& cdfs,
                                   const std::vector<py::buffer>& streams,
                                   const std::vector<ArraySlice>& symbols, std::size_t threads) {
  return decode_items(
      cdfs, streams, symbols, threads,
      [&](std::size_t i, Decoder& stream) { return decode_job(cdfs[i], symbols[i], stream); },
      [](const std::vector<DecodeJob>& jobs, ThreadTeam& team) {
        return torchac::decode(jobs, Check::kFew, team);
      });
}

std::optional<Report> decode_value_items(const std::vector<ValueModel>& models,
                                         const std::vector<py::buffer>& streams,
                                         const std::vector<ArraySlice>& values,
                                         std::size_t threads) {
  return decode_items(
      models, streams, values, threads,
      [&](std::size_t i, Decoder& stream) {
        return decode_values_job(models[i], values[i], stream);
      },
      [](const std::vector<DecodeValuesJob>& jobs, ThreadTeam& team) {
        return torchac::decode(jobs, team);
      });
}

using Bits = py::array_t<double, py::array::c_style>;

// What each symbol costs.
std::optional<Report> measure_symbols(const Cdf& cdf, const py::array& symbols, Bits& bits) {
  const auto shape = cdf.shape();
  require(same_shape(shape, ArraySlice(symbols).dimensions()) &&
              same_shape(shape, ArraySlice(bits).dimensions()),
          "shapes do not match");
  const MeasureJob job{
      {cdf.layout(), cdf.rows(), size(shape)}, integers(symbols, false), bits.mutable_data()};
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(torchac::measure(job, Check::kFew, poll));
}

std::optional<Report> measure_values(const ValueModel& model, const NumberArray& values,
                                     Bits& bits) {
  const auto shape = model.shape();
  require(same_shape(shape, values.shape()) && same_shape(shape, ArraySlice(bits).dimensions()),
          "shapes do not match");
  const MeasureValuesJob job{{model.model(), size(shape)}, values.numbers(), bits.mutable_data()};
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(torchac::measure(job, poll));
}

// Computes the windows of rows, and the rows if there is room for them.
std::optional<Report> tabulate_rows(const ValueModel& model, Int32s& first, Int32s& symbols,
                                    Uint8s& shifts, std::optional<Symbols>& rows) {
  const std::int64_t count = size(model.shape());
  require(first.size() == count && symbols.size() == count && shifts.size() == count,
          "one window for each row expected");
  TabulateJob job{model.model(),
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

// Converts all values of rows.
std::optional<Report> quantize_rows(const Cdf& cdf, Symbols& values) {
  const auto shape = ArraySlice(values).dimensions(1);
  require(same_shape(cdf.shape(), shape) && values.shape(values.ndim() - 1) == cdf.symbols() + 1,
          "shapes do not match");
  const QuantizeJob job{{cdf.layout(), cdf.rows(), size(shape)},
                        reinterpret_cast<std::byte*>(values.mutable_data())};
  const py::gil_scoped_release release;
  Poll poll(poll_signals);
  return unless_ok(torchac::quantize(job, poll));
}

template <class Array>
std::vector<ArraySlice> slices(const std::vector<Array>& arrays) {
  return {arrays.begin(), arrays.end()};
}

}  // namespace
}  // namespace torchac

PYBIND11_MODULE(_core, m, py::mod_gil_not_used()) {
  using namespace torchac;
  m.doc() = "The arithmetic coder. Private: use the functions of torchac.";

  // Not native_enum: each of its conversions takes as long as coding a few symbols.
  py::enum_<RowType>(m, "RowType")
      .value("INT16", RowType::kInt16)
      .value("FLOAT16", RowType::kFloat16)
      .value("BFLOAT16", RowType::kBFloat16)
      .value("FLOAT32", RowType::kFloat32)
      .value("FLOAT64", RowType::kFloat64);

  py::native_enum<Problem>(m, "Problem", "enum.Enum")
      .value("SYMBOL", Problem::kSymbol)
      .value("INDEX", Problem::kIndex)
      .value("INTERVAL", Problem::kInterval)
      .value("NOT_FINITE", Problem::kNotFinite)
      .value("OUT_OF_BOUNDS", Problem::kOutOfBounds)
      .value("DECREASING", Problem::kDecreasing)
      .value("TRUNCATED", Problem::kTruncated)
      .value("CONTRADICTED", Problem::kContradicted)
      .value("VALUE", Problem::kValue)
      .value("LOC", Problem::kLoc)
      .value("SCALE", Problem::kScale)
      .value("WEIGHT", Problem::kWeight)
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

  py::enum_<Kind>(m, "Kind")
      .value("NORMAL", Kind::kNormal)
      .value("LAPLACE", Kind::kLaplace)
      .value("LOGISTIC", Kind::kLogistic);

  py::enum_<CategoryKind>(m, "CategoryKind")
      .value("PROBABILITIES", CategoryKind::kProbabilities)
      .value("LOGITS", CategoryKind::kLogits)
      .value("BERNOULLI_PROBABILITIES", CategoryKind::kBernoulliProbabilities)
      .value("BERNOULLI_LOGITS", CategoryKind::kBernoulliLogits);

  py::class_<NumberArray>(m, "Numbers")
      .def(py::init<py::array, bool>(), py::arg("array"), py::arg("bfloat16"));

  py::class_<ValueModel>(m, "ValueModel")
      .def_static("of_parameters", &ValueModel::of_parameters, py::arg("kinds"), py::arg("locs"),
                  py::arg("scales"), py::arg("weights"), py::arg("low"), py::arg("high"))
      .def_property_readonly("kind", &ValueModel::kind)
      .def_static("of_categories", &ValueModel::of_categories, py::arg("kind"), py::arg("numbers"),
                  py::arg("index"))
      .def_static("of_rows", &ValueModel::of_rows, py::arg("rows").noconvert(),
                  py::arg("first").noconvert(), py::arg("symbols").noconvert(),
                  py::arg("shifts").noconvert(), py::arg("low"), py::arg("high"), py::arg("index"),
                  py::arg("shape"));

  py::class_<PyEncoder>(m, "Encoder")
      .def(py::init())
      .def("__copy__", [](const PyEncoder& self) { return PyEncoder(self); })
      .def("encode", &PyEncoder::encode, py::arg("cdf"), py::arg("symbols").noconvert(),
           py::arg("check"), py::arg("clamp"))
      .def("encode_values", &PyEncoder::encode_values, py::arg("model"), py::arg("values"))
      .def("finish", &PyEncoder::finish)
      .def("num_bits", &PyEncoder::num_bits)
      .def(py::pickle([](const PyEncoder& self) { return self.state(); },
                      [](const py::tuple& state) {
                        return std::apply(
                            PyEncoder::from_state,
                            state.cast<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t,
                                                  std::uint32_t, std::string_view, bool>>());
                      }));

  py::class_<PyDecoder>(m, "Decoder")
      .def(py::init<const py::buffer&>(), py::arg("stream"))
      .def("__copy__", [](const PyDecoder& self) { return PyDecoder(self); })
      .def("decode", &PyDecoder::decode, py::arg("cdf"), py::arg("symbols").noconvert())
      .def("decode_values", &PyDecoder::decode_values, py::arg("model"),
           py::arg("values").noconvert())
      .def("num_bits", &PyDecoder::num_bits)
      .def(py::pickle([](const PyDecoder& self) { return self.state(); },
                      [](const py::tuple& state) {
                        return std::apply(
                            PyDecoder::from_state,
                            state.cast<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t,
                                                  std::uint64_t, py::bytes>>());
                      }));

  m.def(
      "encode_items",
      [](const std::vector<Cdf>& cdfs, const std::vector<py::array>& symbols, bool check,
         bool clamp, std::size_t threads) {
        return encode_items(cdfs, slices(symbols), check, clamp, threads);
      },
      py::arg("cdfs"), py::arg("symbols"), py::arg("check"), py::arg("clamp"), py::arg("threads"));
  m.def(
      "encode_batch",
      [](const Cdf& cdf, const py::array& symbols, bool check, bool clamp, std::size_t threads) {
        return encode_items(cdf.items(), items(symbols), check, clamp, threads);
      },
      py::arg("cdf"), py::arg("symbols"), py::arg("check"), py::arg("clamp"), py::arg("threads"));
  m.def(
      "decode_items",
      [](const std::vector<Cdf>& cdfs, const std::vector<py::buffer>& streams,
         const std::vector<Symbols>& symbols,
         std::size_t threads) { return decode_items(cdfs, streams, slices(symbols), threads); },
      py::arg("cdfs"), py::arg("streams"), py::arg("symbols"), py::arg("threads"));
  m.def(
      "decode_batch",
      [](const Cdf& cdf, const std::vector<py::buffer>& streams, const Symbols& symbols,
         std::size_t threads) {
        return decode_items(cdf.items(), streams, items(symbols), threads);
      },
      py::arg("cdf"), py::arg("streams"), py::arg("symbols").noconvert(), py::arg("threads"));
  m.def("encode_value_items", &encode_value_items, py::arg("models"), py::arg("values"),
        py::arg("threads"));
  m.def(
      "encode_value_batch",
      [](const ValueModel& model, const NumberArray& values, std::size_t threads) {
        std::vector<NumberArray> each;
        for (py::ssize_t i = 0; i < values.items(); ++i) each.emplace_back(values, i);
        return encode_value_items(model.items(), each, threads);
      },
      py::arg("model"), py::arg("values"), py::arg("threads"));
  m.def(
      "decode_value_items",
      [](const std::vector<ValueModel>& models, const std::vector<py::buffer>& streams,
         const std::vector<Int32s>& values, std::size_t threads) {
        return decode_value_items(models, streams, slices(values), threads);
      },
      py::arg("models"), py::arg("streams"), py::arg("values"), py::arg("threads"));
  m.def(
      "decode_value_batch",
      [](const ValueModel& model, const std::vector<py::buffer>& streams, const Int32s& values,
         std::size_t threads) {
        return decode_value_items(model.items(), streams, items(values), threads);
      },
      py::arg("model"), py::arg("streams"), py::arg("values").noconvert(), py::arg("threads"));
  m.def("measure_values", &measure_values, py::arg("model"), py::arg("values"),
        py::arg("bits").noconvert());
  m.def("tabulate", &tabulate_rows, py::arg("model"), py::arg("first").noconvert(),
        py::arg("symbols").noconvert(), py::arg("shifts").noconvert(), py::arg("rows").noconvert());
  m.def("measure", &measure_symbols, py::arg("cdf"), py::arg("symbols").noconvert(),
        py::arg("bits").noconvert());
  m.def("cpu", [] {
    switch (cpu()) {
      case Cpu::kAvx512:
        return "avx512";
      case Cpu::kAvx2:
        return "avx2";
      case Cpu::kBaseline:
        break;
    }
    return "baseline";
  });
  m.def("paths", [] {
    py::dict paths;
    for (std::size_t i = 0; i < kPathNames.size(); ++i)
      paths[py::str(std::string(kPathNames[i]))] = path_counts[i].load();
    return paths;
  });
  m.def("costs", [] {
    const auto costs = torchac::costs();
    return Bits(static_cast<py::ssize_t>(costs.size()), costs.data());
  });
  m.def("quantize", &quantize_rows, py::arg("cdf"), py::arg("values").noconvert());
}
