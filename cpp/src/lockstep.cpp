// Codes streams in lockstep.
#include "torchac/engine/lockstep.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/mark.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/support/few.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {
namespace {

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

void require_numbers(const Chosen& chosen, std::size_t streams) {
  if (!chosen) return;
  const auto bad = [](std::uint32_t a, std::uint32_t b) { return a >= b; };
  require(std::ranges::adjacent_find(*chosen, bad) == chosen->end() &&
              (chosen->empty() || chosen->back() < streams),
          "numbers of streams, in order, expected");
}
Chosen with_numbers(Chosen chosen, std::size_t streams) {
  require_numbers(chosen, streams);
  return chosen;
}

// The number of the i-th chosen stream.
std::size_t number(const Chosen& chosen, std::size_t i) { return chosen ? (*chosen)[i] : i; }
std::size_t size(const Chosen& chosen, std::size_t streams) {
  return chosen ? chosen->size() : streams;
}

// These copy `part` of each chosen stream, and copy it back.
template <class T, class All, class Part>
Few<T> copies(const std::vector<All>& all, const Chosen& chosen, const Part& part) {
  Few<T> result(size(chosen, all.size()));
  const std::span<T> to = result.all();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = part(all[number(chosen, i)]);
  return result;
}
template <class T, class All, class Part>
void put_back(std::vector<All>& all, const Chosen& chosen, const Part& part, Few<T>& from) {
  const std::span<T> each = from.all();
  for (std::size_t i = 0; i < each.size(); ++i) part(all[number(chosen, i)]) = each[i];
}

// The parts of marks and streams.
constexpr auto kChecksum = [](auto& marks) -> auto& { return marks.checksum; };
constexpr auto kDecoder = [](auto& stream) -> auto& { return stream.decoder; };
constexpr auto kMarks = [](auto& stream) -> auto& { return stream.marks; };
constexpr auto kMarksChecksum = [](auto& stream) -> auto& { return stream.marks.checksum; };

// Lets a job code equally many values of each stream.
template <class AnyJob, class Stream>
void share(AnyJob& job, std::span<Stream> streams) {
  const auto count = static_cast<std::int64_t>(streams.size());
  require(count > 0 || job.count == 0, "streams expected");
  const std::int64_t each = job.count / std::max<std::int64_t>(count, 1);
  require(each * count == job.count, "as much for each stream expected");
  job.streams = {streams.data(), std::max<std::int64_t>(each, 1)};
}

// Changes the item of a report to the number of its stream.
template <class AnyJob>
Report in_stream(Report report, const AnyJob& job) {
  if (!report.ok()) report.item = report.position / job.streams.symbols_per_stream;
  return report;
}

// Adds decoded values to checksums, equally many to each.
template <class Value>
void add(const Value* values, std::int64_t count, std::span<Checksum> to) {
  const std::size_t each = static_cast<std::size_t>(count) / std::max<std::size_t>(to.size(), 1);
  for (Checksum& checksum : to) {
    checksum.add(std::span(values, each));
    values += each;
  }
}

}  // namespace

LockstepEncoder::LockstepEncoder(std::vector<EncodedStream> streams, std::vector<Marks> marks,
                                 bool marked)
    : streams_(std::move(streams)), marks_(std::move(marks)), marked_(marked) {
  require(streams_.size() == marks_.size(), "marks of each stream expected");
}

void LockstepEncoder::mark(const Chosen& chosen) {
  require_numbers(chosen, streams_.size());
  const std::size_t count = size(chosen, streams_.size());
  const auto stream = [&](std::size_t i) -> EncodedStream& { return streams_[number(chosen, i)]; };
  for (std::size_t i = 0; i < count; ++i) (void)stream(i).open(Marks::kSymbols);  // may throw
  for (std::size_t i = 0; i < count; ++i) marks_[number(chosen, i)].write(stream(i));
}

EncodeCall::EncodeCall(LockstepEncoder& encoder, Chosen chosen)
    : encoder_(encoder),
      chosen_(with_numbers(std::move(chosen), encoder.streams_.size())),
      selection_(encoder.streams_, chosen_),
      undo_(selection_.streams()) {
  if (encoder.marked_) checksums_ = copies<Checksum>(encoder.marks_, chosen_, kChecksum);
}

Report EncodeCall::encode(EncodeJob job, const std::optional<OriginalSymbols>& original,
                          ThreadTeam& team) {
  share(job, selection_.streams());
  const Report report = torchac::encode({&job, 1}, team);
  if (report.ok() && encoder_.marked_) {
    const auto* cdf = std::get_if<CdfRows>(&job.model);
    if (original && cdf != nullptr) {
      add_symbols(original->symbols, cdf->clamp, job.count, original->most, checksums_.all());
    } else {
      add_values_of(job, checksums_.all());
    }
  }
  return in_stream(report, job);
}

void EncodeCall::keep() {
  undo_.keep();
  put_back(encoder_.marks_, chosen_, kChecksum, checksums_);
}

Report LockstepDecoder::mark(const Chosen& chosen) {
  require_numbers(chosen, streams_.size());
  auto decoders = copies<Decoder>(streams_, chosen, kDecoder);
  auto marks = copies<Marks>(streams_, chosen, kMarks);
  for (std::size_t i = 0; i < decoders.size(); ++i) {
    const auto position = static_cast<std::int64_t>(marks[i].count);
    const Problem problem = marks[i].read(decoders[i]);
    if (problem != Problem::kNone) return {problem, static_cast<std::int64_t>(i), position};
  }
  put_back(streams_, chosen, kDecoder, decoders);
  put_back(streams_, chosen, kMarks, marks);
  return {};
}

void LockstepDecoder::feed(std::size_t k, std::span<const std::uint8_t> more) {
  Stream& stream = streams_.at(k);
  // The decoder needs the bytes of the code, which are before its position.
  const auto decoded = static_cast<std::size_t>(std::min<std::uint64_t>(
      (stream.decoder.reader.position() - kStateBits) / 8, stream.source.bytes().size()));
  stream.source.feed(decoded, more);
  stream.decoder.move_to(stream.source.bytes(), decoded);
}

DecodeCall::DecodeCall(LockstepDecoder& decoder, Chosen chosen)
    : decoder_(decoder),
      chosen_(with_numbers(std::move(chosen), decoder.streams_.size())),
      decoders_(copies<Decoder>(decoder.streams_, chosen_, kDecoder)) {
  if (decoder.marked_) checksums_ = copies<Checksum>(decoder.streams_, chosen_, kMarksChecksum);
}

Report DecodeCall::decode(DecodeJob job, ThreadTeam& team) {
  share(job, decoders_.all());
  const Report report = torchac::decode({&job, 1}, team);
  if (report.ok())
    std::visit([&](auto* from) { add(from, job.count, checksums_.all()); }, job.values);
  return in_stream(report, job);
}

void DecodeCall::keep() {
  put_back(decoder_.streams_, chosen_, kDecoder, decoders_);
  put_back(decoder_.streams_, chosen_, kMarksChecksum, checksums_);
}

}  // namespace torchac
