// Encoders and decoders for Python, of one stream or several that are coded in lockstep. Threads
// may share them. A call that fails, for any reason, changes nothing.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "calls.hpp"
#include "models.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/mark.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/error.hpp"
#include "torchac/support/object_lock.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::python {

using SavedMarks = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;

inline SavedMarks save(const Marks& marks) {
  return {marks.count, marks.checksum.sum(), marks.checksum.sum_of_sums()};
}
inline Marks marks_from(const SavedMarks& saved) {
  return {std::get<0>(saved), {std::get<1>(saved), std::get<2>(saved)}};
}

// The symbols that marks check if others are coded in their place, and the size of their alphabet.
using PyOriginal = std::optional<std::tuple<py::array, std::uint32_t>>;

inline std::optional<OriginalSymbols> original_symbols(const PyOriginal& original,
                                                       std::int64_t count) {
  if (!original) return std::nullopt;
  const auto& [symbols, alphabet] = *original;
  require(symbols.size() == count && alphabet >= 1, "as many symbols as were coded expected");
  return OriginalSymbols{integers(symbols), alphabet - 1};
}

// Runs a call of the core without the GIL, and keeps its result if it succeeds. `run` must not
// touch Python's objects.
template <class Call, class Run>
std::optional<Report> transact(Call& call, const Run& run) {
  Report report;
  {
    const py::gil_scoped_release release;
    ThreadTeam alone(1, Poll(poll_signals));
    report = run(alone);
  }
  run_signal_handlers();  // otherwise Python would raise their exceptions after the call was kept
  if (report.ok()) call.keep();
  return unless_ok(report);
}

template <class Stream, class Ask>
std::vector<std::uint64_t> of_each(const std::vector<Stream>& streams, const Ask& ask) {
  std::vector<std::uint64_t> result;
  for (const Stream& stream : streams) result.push_back(ask(stream));
  return result;
}

class PyEncoder {
 public:
  PyEncoder(std::size_t streams, bool with_checksums) : core_(streams, with_checksums) {}
  PyEncoder(LockstepEncoder core, bool finished) : core_(std::move(core)), finished_(finished) {}
  PyEncoder(const PyEncoder& other) : core_(0, false) {
    const Exclusive lock(other.lock_);
    core_ = other.core_;
    finished_ = other.finished_;
  }

  // Encodes all values; or none, and returns why.
  std::optional<Report> encode(const Model& model, const py::array& values,
                               const PyOriginal& original, const Chosen& chosen) {
    EncodeJob job = encode_job(model, values);
    const auto symbols = original_symbols(original, job.count);
    const Exclusive lock(lock_);
    require_unfinished();
    EncodeCall call(core_, chosen);
    return transact(call,
                    [&](ThreadTeam& alone) { return call.encode(std::move(job), symbols, alone); });
  }

  // Does the same with the GIL, for few values. False if that does not go.
  bool try_encode(EncodeJob&& job) {
    if (lock_.try_lock() != ObjectLock::Result::kTaken) return false;
    const Exclusive lock(lock_, std::adopt_lock);
    if (finished_) return false;
    EncodeCall call(core_, std::nullopt);
    ThreadTeam alone(1);
    if (!call.encode(std::move(job), std::nullopt, alone).ok()) return false;
    call.keep();
    return true;
  }

  [[nodiscard]] std::size_t streams() const { return core_.streams().size(); }

  void mark(const Chosen& chosen) {
    const Exclusive lock(lock_);
    require_unfinished();
    core_.mark(chosen);
  }

  // Takes out the bytes of the only stream that no later symbol can change.
  py::bytes drain() {
    const Exclusive lock(lock_);
    require_unfinished();
    const std::vector<std::uint8_t> bytes = core_.streams().at(0).drain();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::vector<py::bytes> finish() {
    const Exclusive lock(lock_);
    require_unfinished();
    std::vector<py::bytes> result;
    for (EncodedStream& stream : core_.streams()) result.push_back(to_bytes(stream));
    run_signal_handlers();  // as in transact
    finished_ = true;
    return result;
  }

  std::vector<std::uint64_t> num_bits() const {
    const Exclusive lock(lock_);
    return of_each(core_.streams(), [](const auto& stream) { return stream.num_bits(); });
  }

  using SavedStream = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint32_t,
                                 py::bytes, std::uint64_t, SavedMarks>;

  py::tuple state() const {
    const PyEncoder copy(*this);
    const LockstepEncoder& core = copy.core_;
    std::vector<SavedStream> streams;
    for (std::size_t k = 0; k < core.streams().size(); ++k) {
      const EncodedStream::Saved saved = core.streams()[k].save();
      const py::bytes bytes(reinterpret_cast<const char*>(saved.bytes.data()), saved.bytes.size());
      streams.emplace_back(saved.low, saved.range, saved.pending, saved.pending_bits, bytes,
                           saved.drained, save(core.marks()[k]));
    }
    return py::make_tuple(streams, core.marked(), copy.finished_);
  }

  static PyEncoder from_state(const std::vector<SavedStream>& saved, bool marked, bool finished) {
    std::vector<EncodedStream> streams;
    std::vector<Marks> all_marks;
    for (const auto& [low, range, pending, pending_bits, bytes, drained, marks] : saved) {
      const auto view = static_cast<std::string_view>(bytes);
      auto stream = EncodedStream::from_saved(
          {low, range, pending, pending_bits, {view.begin(), view.end()}, drained});
      require(stream.has_value(), "not the state of an Encoder");
      streams.push_back(*std::move(stream));
      all_marks.push_back(marks_from(marks));
    }
    return {LockstepEncoder(std::move(streams), std::move(all_marks), marked), finished};
  }

 private:
  void require_unfinished() const {
    if (finished_) throw std::runtime_error("this Encoder has finished its stream: use a new one");
  }

  mutable ObjectLock lock_;
  LockstepEncoder core_;
  bool finished_ = false;
};

// Keeps the buffers that it reads from. They are released with the GIL, which all calls that may
// release them hold.
class PyDecoder {
 public:
  PyDecoder(const std::vector<py::buffer>& streams, bool marked)
      : core_(streams_of(streams), marked) {}
  explicit PyDecoder(LockstepDecoder core) : core_(std::move(core)) {}
  PyDecoder(const PyDecoder& other) : core_({}, false) {
    const Exclusive lock(other.lock_);
    core_ = other.core_;
  }

  // Decodes all values; or leaves the decoders where they are, and returns why.
  std::optional<Report> decode(const Model& model, const py::array& values, const Chosen& chosen) {
    DecodeJob job = decode_job(model, values);
    const Exclusive lock(lock_);
    DecodeCall call(core_, chosen);
    return transact(call, [&](ThreadTeam& alone) { return call.decode(std::move(job), alone); });
  }

  // Does the same with the GIL, for few values, and then calls `keep`, which may refuse.
  template <class Keep>
  void try_decode(DecodeJob&& job, const Keep& keep) {
    if (lock_.try_lock() != ObjectLock::Result::kTaken) return;
    const Exclusive lock(lock_, std::adopt_lock);
    DecodeCall call(core_, std::nullopt);
    ThreadTeam alone(1);
    if (call.decode(std::move(job), alone).ok() && keep()) call.keep();
  }

  [[nodiscard]] std::size_t streams() const { return core_.streams().size(); }

  // Reads a mark of each chosen stream. The position in its report is the number of marks before.
  std::optional<Report> mark(const Chosen& chosen) {
    const Exclusive lock(lock_);
    return unless_ok(core_.mark(chosen));
  }

  // Adds bytes to the only stream, and drops decoded ones.
  void feed(const py::buffer& data) {
    const py::buffer_info more = data.request();
    const Exclusive lock(lock_);
    core_.feed(0, to_span(more));
  }

  // The lengths in bits of the shortest streams of the values decoded so far.
  std::vector<std::uint64_t> num_bits() const {
    const Exclusive lock(lock_);
    return of_each(core_.streams(), [](const auto& stream) { return stream.num_bits(); });
  }

  // The sizes of the streams in bytes.
  std::vector<std::uint64_t> sizes() const {
    const Exclusive lock(lock_);
    return of_each(core_.streams(), [](const auto& stream) { return stream.source.size(); });
  }

  using SavedStream = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                                 py::bytes, std::uint64_t, SavedMarks>;

  py::tuple state() const {
    const PyDecoder copy(*this);
    std::vector<SavedStream> streams;
    for (const auto& [source, decoder, marks] : copy.core_.streams()) {
      const Decoder::Saved saved = decoder.save();
      const auto its_bytes = source.bytes();
      const py::bytes bytes(reinterpret_cast<const char*>(its_bytes.data()), its_bytes.size());
      streams.emplace_back(saved.low, saved.range, saved.offset, saved.position, bytes,
                           source.dropped(), save(marks));
    }
    return py::make_tuple(streams, copy.core_.marked());
  }

  static PyDecoder from_state(const std::vector<SavedStream>& saved, bool marked) {
    std::vector<LockstepDecoder::Stream> streams;
    for (const auto& [low, range, offset, position, bytes, dropped, marks] : saved) {
      auto& stream = streams.emplace_back(fed_bytes(bytes, dropped));
      require(stream.decoder.restore({low, range, offset, position}) && dropped <= UINT64_MAX / 16,
              "not the state of a Decoder");
      stream.marks = marks_from(marks);
    }
    return PyDecoder(LockstepDecoder(std::move(streams), marked));
  }

 private:
  static FedBytes fed_bytes(const py::buffer& bytes, std::uint64_t dropped = 0) {
    auto buffer = std::make_shared<const py::buffer_info>(bytes.request());
    const auto span = to_span(*buffer);
    return {span, std::move(buffer), dropped};
  }

  static std::vector<LockstepDecoder::Stream> streams_of(const std::vector<py::buffer>& buffers) {
    std::vector<LockstepDecoder::Stream> streams;
    for (const py::buffer& buffer : buffers) streams.emplace_back(fed_bytes(buffer));
    return streams;
  }

  mutable ObjectLock lock_;
  LockstepDecoder core_;
};

}  // namespace torchac::python
