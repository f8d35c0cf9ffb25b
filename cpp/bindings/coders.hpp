// Encoders and decoders that Python holds, of one stream or several that are coded in lockstep.
// Threads may share them. A call that fails, for whatever reason, changes nothing.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "calls.hpp"
#include "jobs.hpp"
#include "models.hpp"
#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/streams.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/object_lock.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::python {

// The marks of a stream: how many there are, and the values since the last one.
struct Marks {
  std::uint64_t count = 0;
  Checksum checksum;

  // A mark codes the checksum in two symbols of uniform rows, of eight bits each.
  static constexpr std::uint32_t kSymbolBits = Checksum::kBits / 2;

  [[nodiscard]] std::array<std::uint32_t, 2> symbols() const {
    const std::uint32_t bits = checksum.bits();
    return {bits >> kSymbolBits, bits & ((1u << kSymbolBits) - 1)};
  }
  [[nodiscard]] static Interval interval(std::uint32_t symbol) {
    return {symbol << (kPrecision - kSymbolBits), (symbol + 1) << (kPrecision - kSymbolBits)};
  }
  void next() { *this = {count + 1, {}}; }

  using Saved = std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>;
  [[nodiscard]] Saved save() const { return {count, checksum.sum(), checksum.sum_of_sums()}; }
  static Marks from_saved(const Saved& saved) {
    return {std::get<0>(saved), {std::get<1>(saved), std::get<2>(saved)}};
  }
};

// Which streams a call is for: all, unless there are numbers, which rise.
using Chosen = std::optional<std::vector<std::uint32_t>>;

inline void require_chosen(const Chosen& chosen, std::size_t streams) {
  if (!chosen) return;
  const auto bad = [](std::uint32_t a, std::uint32_t b) { return a >= b; };
  require(std::ranges::adjacent_find(*chosen, bad) == chosen->end() &&
              (chosen->empty() || chosen->back() < streams),
          "numbers of streams, in order, expected");
}

// Some of several things, next to each other while this lives.
template <class T>
class Selection {
 public:
  Selection(std::vector<T>& all, const Chosen& chosen) : all_(all), chosen_(chosen) {
    if (!chosen) return;
    part_.reserve(chosen->size());
    for (const std::uint32_t k : *chosen) part_.push_back(std::move(all[k]));
  }
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  ~Selection() {
    for (std::size_t i = 0; i < part_.size(); ++i) all_[(*chosen_)[i]] = std::move(part_[i]);
  }

  [[nodiscard]] std::span<T> all() { return chosen_ ? std::span(part_) : std::span(all_); }

 private:
  std::vector<T>& all_;
  const Chosen& chosen_;
  std::vector<T> part_;
};

// The checksums of the chosen streams; and back.
inline std::vector<Checksum> chosen_checksums(const std::vector<Marks>& marks,
                                              const Chosen& chosen) {
  std::vector<Checksum> result;
  if (chosen) {
    for (const std::uint32_t k : *chosen) result.push_back(marks[k].checksum);
  } else {
    for (const Marks& each : marks) result.push_back(each.checksum);
  }
  return result;
}
inline void set_checksums(std::vector<Marks>& marks, const Chosen& chosen,
                          const std::vector<Checksum>& checksums) {
  for (std::size_t i = 0; i < checksums.size(); ++i)
    marks[chosen ? (*chosen)[i] : i].checksum = checksums[i];
}

// Where a problem is: in which of the streams, too.
inline Report in_stream(Report report, std::int64_t each) {
  report.item = report.position / each;
  return report;
}

// As many values of a job for each of so many streams.
inline std::int64_t share(std::int64_t count, std::size_t streams) {
  require(streams > 0 || count == 0, "streams expected");
  const auto each = count / std::max<std::int64_t>(static_cast<std::int64_t>(streams), 1);
  require(each * static_cast<std::int64_t>(streams) == count, "as much for each stream expected");
  return each;
}

template <class Stream>
Streams<Stream> shared_streams(std::span<Stream> streams, std::int64_t count) {
  return {streams.data(), std::max<std::int64_t>(share(count, streams.size()), 1)};
}

// Symbols that were coded with a CDF of so many: as they are, where another array was coded.
using Noted = std::optional<std::tuple<py::array, std::uint32_t>>;

class PyEncoder {
 public:
  PyEncoder(std::size_t streams, bool marked)
      : streams_(streams), marks_(streams), marked_(marked) {}
  PyEncoder(const PyEncoder& other) : marked_(other.marked_) {
    const Exclusive lock(other.lock_);
    streams_ = other.streams_;
    marks_ = other.marks_;
    finished_ = other.finished_;
  }

  // Encodes all of the symbols, or none and tells why.
  std::optional<Report> encode(const Cdf& cdf, const py::array& symbols, bool check, bool clamp,
                               const Noted& noted, const Chosen& chosen) {
    return attempt(
        chosen,
        [&](std::span<EncodedStream> streams) {
          EncodeJob job = encode_job(cdf, symbols, clamp, streams.data());
          job.streams = shared_streams(streams, job.count);
          return job;
        },
        [&](const EncodeJob& job, ThreadTeam& alone) {
          return torchac::encode({&job, 1}, how_to_check(check), alone);
        },
        [&](const EncodeJob& job, std::span<Checksum> to) {
          const std::uint32_t most = (noted ? std::get<1>(*noted) : job.cdf.symbols) - 1;
          Integers from = noted ? integers(std::get<0>(*noted), clamp) : job.symbols;
          add_symbols(from, job.count, most, to);
        });
  }

  std::optional<Report> encode_values(const ValueModel& model, const NumberArray& values,
                                      const Chosen& chosen) {
    return attempt(
        chosen,
        [&](std::span<EncodedStream> streams) {
          EncodeValuesJob job = encode_values_job(model, values, streams.data());
          job.streams = shared_streams(streams, job.count);
          return job;
        },
        [](const EncodeValuesJob& job, ThreadTeam& alone) {
          return torchac::encode({&job, 1}, alone);
        },
        [](const EncodeValuesJob& job, std::span<Checksum> to) {
          add_values(job.values, job.count, to);
        });
  }

  void mark(const Chosen& chosen) {
    const Exclusive lock(lock_);
    require_unfinished();
    require_chosen(chosen, streams_.size());
    Selection<EncodedStream> streams(streams_, chosen);
    Selection<Marks> marks(marks_, chosen);
    for (EncodedStream& stream : streams.all()) (void)stream.open(2);  // where memory may end
    for (std::size_t k = 0; k < streams.all().size(); ++k) {
      Encoder encoder = streams.all()[k].open(2);
      for (const std::uint32_t symbol : marks.all()[k].symbols())
        encoder.encode(Marks::interval(symbol));
      streams.all()[k].close(encoder);
      marks.all()[k].next();
    }
  }

  // What no later symbol changes, of the only stream.
  py::bytes drain() {
    const Exclusive lock(lock_);
    require_unfinished();
    const std::vector<std::uint8_t> bytes = streams_.at(0).drain();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::vector<py::bytes> finish() {
    const Exclusive lock(lock_);
    require_unfinished();
    std::vector<py::bytes> result;
    for (EncodedStream& stream : streams_) result.push_back(to_bytes(stream));
    run_signal_handlers();  // as in attempt
    finished_ = true;
    return result;
  }

  std::vector<std::uint64_t> num_bits() const {
    const Exclusive lock(lock_);
    std::vector<std::uint64_t> result;
    for (const EncodedStream& stream : streams_) result.push_back(stream.num_bits());
    return result;
  }

  using SavedStream = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint32_t,
                                 py::bytes, std::uint64_t, Marks::Saved>;

  py::tuple state() const {
    const PyEncoder copy(*this);
    std::vector<SavedStream> streams;
    for (std::size_t k = 0; k < copy.streams_.size(); ++k) {
      const EncodedStream::Saved saved = copy.streams_[k].save();
      const py::bytes bytes(reinterpret_cast<const char*>(saved.bytes.data()), saved.bytes.size());
      streams.emplace_back(saved.low, saved.range, saved.pending, saved.pending_bits, bytes,
                           saved.drained, copy.marks_[k].save());
    }
    return py::make_tuple(streams, copy.marked_, copy.finished_);
  }

  static PyEncoder from_state(const std::vector<SavedStream>& streams, bool marked, bool finished) {
    PyEncoder result(0, marked);
    for (const auto& [low, range, pending, pending_bits, bytes, drained, marks] : streams) {
      const auto view = static_cast<std::string_view>(bytes);
      auto stream = EncodedStream::from_saved(
          {low, range, pending, pending_bits, {view.begin(), view.end()}, drained});
      require(stream.has_value(), "not the state of an Encoder");
      result.streams_.push_back(*std::move(stream));
      result.marks_.push_back(Marks::from_saved(marks));
    }
    result.finished_ = finished;
    return result;
  }

 private:
  // Runs the job that `make` makes of the streams, and then adds its values to their checksums.
  template <class Make, class Run, class Note>
  std::optional<Report> attempt(const Chosen& chosen, const Make& make, const Run& run,
                                const Note& note) {
    const Exclusive lock(lock_);
    require_unfinished();
    require_chosen(chosen, streams_.size());
    Selection<EncodedStream> selection(streams_, chosen);
    const std::span<EncodedStream> streams = selection.all();
    const auto job = make(streams);
    Undo undo(streams);
    std::vector<Checksum> checksums;
    Report report;
    {
      const py::gil_scoped_release release;
      ThreadTeam alone(1, Poll(poll_signals));
      report = run(job, alone);
      if (report.ok() && marked_ && job.count > 0) {
        checksums = chosen_checksums(marks_, chosen);
        note(job, checksums);
      }
    }
    run_signal_handlers();  // else Python raises what they raise after this has returned
    if (!report.ok()) return in_stream(report, job.streams.each);
    undo.keep();
    set_checksums(marks_, chosen, checksums);
    return std::nullopt;
  }

  void require_unfinished() const {
    if (finished_) throw std::runtime_error("this Encoder has finished its stream: use a new one");
  }

  mutable ObjectLock lock_;
  std::vector<EncodedStream> streams_;
  std::vector<Marks> marks_;
  bool marked_;
  bool finished_ = false;
};

// Decoders, and the buffers that they read from.
class PyDecoder {
 public:
  PyDecoder(const std::vector<py::buffer>& streams, bool marked)
      : marks_(streams.size()), marked_(marked) {
    for (const py::buffer& stream : streams) {
      auto buffer = std::make_shared<const py::buffer_info>(stream.request());
      decoders_.emplace_back(to_span(*buffer));
      sources_.push_back({to_span(*buffer), buffer, 0});
    }
  }
  PyDecoder(const PyDecoder& other) : marked_(other.marked_) {
    const Exclusive lock(other.lock_);
    sources_ = other.sources_;
    decoders_ = other.decoders_;
    marks_ = other.marks_;
  }

  // Decodes all of the symbols, or leaves the decoders where they are and tells why.
  std::optional<Report> decode(const Cdf& cdf, const Symbols& symbols, const Chosen& chosen) {
    return attempt(
        chosen,
        [&](std::span<Decoder> decoders) {
          DecodeJob job = decode_job(cdf, symbols, decoders.data());
          job.streams = shared_streams(decoders, job.count);
          return job;
        },
        [](const DecodeJob& job, ThreadTeam& alone) {
          return torchac::decode({&job, 1}, Check::kFew, alone);
        },
        symbols.data());
  }

  std::optional<Report> decode_values(const ValueModel& model, const Int32s& values,
                                      const Chosen& chosen) {
    return attempt(
        chosen,
        [&](std::span<Decoder> decoders) {
          DecodeValuesJob job = decode_values_job(model, values, decoders.data());
          job.streams = shared_streams(decoders, job.count);
          return job;
        },
        [](const DecodeValuesJob& job, ThreadTeam& alone) {
          return torchac::decode({&job, 1}, alone);
        },
        values.data());
  }

  // Reads a mark of each. Its position in what it reports is the number of marks before it.
  std::optional<Report> mark(const Chosen& chosen) {
    const Exclusive lock(lock_);
    require_chosen(chosen, decoders_.size());
    Selection<Marks> marks(marks_, chosen);
    std::vector<Decoder> decoders = chosen_decoders(chosen);
    for (std::size_t k = 0; k < decoders.size(); ++k) {
      for (const std::uint32_t symbol : marks.all()[k].symbols()) {
        const auto quantile = static_cast<std::uint32_t>(decoders[k].state.quantile());
        const std::uint32_t found = quantile >> (kPrecision - Marks::kSymbolBits);
        const bool read = decoders[k].consume(Marks::interval(found)) && decoders[k].determined();
        if (!read || found != symbol) {
          const auto problem = read ? Problem::kContradicted : Problem::kTruncated;
          return Report{problem, static_cast<std::int64_t>(k),
                        static_cast<std::int64_t>(marks.all()[k].count)};
        }
      }
    }
    for (Marks& each : marks.all()) each.next();
    set_decoders(chosen, decoders);
    return std::nullopt;
  }

  // More bytes of the only stream. Those that were decoded are given up.
  void feed(const py::buffer& data) {
    const py::buffer_info more = data.request();
    const auto bytes = to_span(more);
    const Exclusive lock(lock_);
    Source& source = sources_.at(0);
    // The decoder counts from the code on, which lies before its position.
    const auto decoded = static_cast<std::size_t>(std::min<std::uint64_t>(
        (decoders_[0].reader.position() - kStateBits) / 8, source.stream.size()));
    auto whole = std::make_shared<std::vector<std::uint8_t>>();
    whole->reserve(source.stream.size() - decoded + bytes.size());
    whole->assign(source.stream.begin() + static_cast<std::ptrdiff_t>(decoded),
                  source.stream.end());
    whole->insert(whole->end(), bytes.begin(), bytes.end());
    decoders_[0].move_to(*whole, decoded);
    source = {*whole, whole, source.skipped + decoded};
  }

  // Bits of the shortest streams that hold what was decoded so far.
  std::vector<std::uint64_t> num_bits() const {
    const Exclusive lock(lock_);
    std::vector<std::uint64_t> result;
    for (std::size_t k = 0; k < decoders_.size(); ++k)
      result.push_back(sources_[k].skipped * 8 + decoders_[k].num_bits());
    return result;
  }

  // Bytes of the streams.
  std::vector<std::uint64_t> sizes() const {
    const Exclusive lock(lock_);
    std::vector<std::uint64_t> result;
    for (const Source& source : sources_) result.push_back(source.skipped + source.stream.size());
    return result;
  }

  using SavedStream = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                                 py::bytes, std::uint64_t, Marks::Saved>;

  py::tuple state() const {
    const PyDecoder copy(*this);
    std::vector<SavedStream> streams;
    for (std::size_t k = 0; k < copy.decoders_.size(); ++k) {
      const Decoder::Saved saved = copy.decoders_[k].save();
      const Source& source = copy.sources_[k];
      const py::bytes bytes(reinterpret_cast<const char*>(source.stream.data()),
                            source.stream.size());
      streams.emplace_back(saved.low, saved.range, saved.offset, saved.position, bytes,
                           source.skipped, copy.marks_[k].save());
    }
    return py::make_tuple(streams, copy.marked_);
  }

  static PyDecoder from_state(const std::vector<SavedStream>& streams, bool marked) {
    std::vector<py::buffer> buffers;
    for (const SavedStream& saved : streams) buffers.emplace_back(std::get<4>(saved));
    PyDecoder result(buffers, marked);
    for (std::size_t k = 0; k < streams.size(); ++k) {
      const auto& [low, range, offset, position, bytes, skipped, marks] = streams[k];
      require(
          result.decoders_[k].restore({low, range, offset, position}) && skipped <= UINT64_MAX / 16,
          "not the state of a Decoder");
      result.sources_[k].skipped = skipped;
      result.marks_[k] = Marks::from_saved(marks);
    }
    return result;
  }

 private:
  // A stream, without the bytes that were given up, and what keeps it.
  struct Source {
    std::span<const std::uint8_t> stream;
    std::shared_ptr<const void> owner;
    std::uint64_t skipped;
  };

  // Runs the job that `make` makes of decoders, which decodes to `values`.
  template <class Make, class Run, class Value>
  std::optional<Report> attempt(const Chosen& chosen, const Make& make, const Run& run,
                                const Value* values) {
    const Exclusive lock(lock_);
    require_chosen(chosen, decoders_.size());
    std::vector<Decoder> decoders = chosen_decoders(chosen);
    const auto job = make(std::span(decoders));
    std::vector<Checksum> checksums;
    Report report;
    {
      const py::gil_scoped_release release;
      ThreadTeam alone(1, Poll(poll_signals));
      report = run(job, alone);
      if (report.ok() && marked_ && job.count > 0) {
        checksums = chosen_checksums(marks_, chosen);
        const auto each = static_cast<std::size_t>(share(job.count, checksums.size()));
        for (Checksum& checksum : checksums) {
          checksum.add(std::span(values, each));
          values += each;
        }
      }
    }
    run_signal_handlers();  // as in PyEncoder
    if (!report.ok()) return in_stream(report, job.streams.each);
    set_decoders(chosen, decoders);
    set_checksums(marks_, chosen, checksums);
    return std::nullopt;
  }

  [[nodiscard]] std::vector<Decoder> chosen_decoders(const Chosen& chosen) const {
    if (!chosen) return decoders_;
    std::vector<Decoder> result;
    for (const std::uint32_t k : *chosen) result.push_back(decoders_[k]);
    return result;
  }

  void set_decoders(const Chosen& chosen, const std::vector<Decoder>& decoders) {
    for (std::size_t i = 0; i < decoders.size(); ++i)
      decoders_[chosen ? (*chosen)[i] : i] = decoders[i];
  }

  mutable ObjectLock lock_;
  std::vector<Source> sources_;
  std::vector<Decoder> decoders_;
  std::vector<Marks> marks_;
  bool marked_;
};

}  // namespace torchac::python
