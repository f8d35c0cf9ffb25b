#include "lockstep.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "coding.hpp"
#include "expected.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "reference_values.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/error.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::fuzz {
namespace {

namespace reference = test::reference;

template <class T>
StridedWalk walk(const std::vector<T>& array) {
  return {std::as_bytes(std::span(array)).data(),
          {{static_cast<std::int64_t>(array.size()), sizeof(T)}}};
}

// Rows of a few symbols, with windows, for the core and by the definition.
struct Tables {
  explicit Tables(Input& input) {
    if (input.one_in(3)) {
      bounds.low = static_cast<std::int32_t>(input.between(-300, 300));
      bounds.high = bounds.low + static_cast<std::int32_t>(input.below(300));
    }
    for (std::uint64_t left = 1 + input.below(4); left > 0; --left) add_row(input);
  }

  void add_row(Input& input) {
    const auto n = static_cast<std::uint8_t>(input.one_in(4) ? input.below(25) : 0);
    const std::int64_t least = bounds.low >> n;
    const std::int64_t most = bounds.high >> n;
    const std::int64_t from = std::clamp<std::int64_t>(input.between(-9, 9), least, most);
    const std::int64_t size = std::min(input.between(1, kColumns), most - from + 1);
    reference::ValueRow row{{}, from, n, bounds.low, bounds.high};
    for (std::int64_t j = 0; j < size; ++j) row.cdf.push_back(input.between(0, 65535));
    std::ranges::sort(row.cdf);
    if (!input.one_in(8)) row.cdf[0] = 0;
    for (std::int64_t j = 0; j <= kColumns; ++j)
      values.push_back(
          static_cast<std::uint16_t>(j < size ? row.cdf[static_cast<std::size_t>(j)] : 0));
    row.cdf.push_back(65536);
    first.push_back(static_cast<std::int32_t>(from));
    symbols.push_back(static_cast<std::int32_t>(size));
    shifts.push_back(n);
    rows.push_back(std::move(row));
  }

  static constexpr std::int64_t kColumns = 9;

  Bounds bounds;
  std::vector<std::uint16_t> values;
  std::vector<std::int32_t> first;
  std::vector<std::int32_t> symbols;
  std::vector<std::uint8_t> shifts;
  std::vector<reference::ValueRow> rows;
};

// A call: values for each of the streams that take part, or their marks.
struct Call {
  Call(Input& input, std::size_t streams, const Tables& its_tables)
      : tables(&its_tables), mark(input.one_in(5)) {
    const bool all = !input.one_in(2);
    if (!all) chosen.emplace();
    for (std::uint32_t k = 0; k < streams; ++k) {
      if (!all && input.one_in(2)) continue;
      taking_part.push_back(k);
      if (!all) chosen->push_back(k);
    }
    each = mark ? 0 : input.below(input.is_large() ? 700 : 7);
    const std::size_t past = input.one_in(40) ? 1 : 0;
    for (std::size_t i = each * taking_part.size(); i > 0; --i) {
      index.push_back(static_cast<std::uint8_t>(input.below(tables->rows.size() + past)));
      std::int64_t value =
          input.one_in(8) ? static_cast<std::int32_t>(input.bits()) : input.between(-20, 20);
      if (!input.one_in(40))
        value = std::clamp<std::int64_t>(value, tables->bounds.low, tables->bounds.high);
      values.push_back(static_cast<std::int32_t>(value));
    }
  }

  [[nodiscard]] Job job() const {
    const TableRows model{
        {std::as_bytes(std::span(tables->values)).data(),
         static_cast<std::int64_t>((Tables::kColumns + 1) * sizeof(std::uint16_t)),
         static_cast<std::int64_t>(tables->rows.size()), Tables::kColumns, tables->first.data(),
         tables->symbols.data(), tables->shifts.data(), tables->bounds},
        Numbers{DType::kUint8, walk(index)}};
    return {model, static_cast<std::int64_t>(index.size())};
  }

  // The row of value i, if there is one.
  [[nodiscard]] const reference::ValueRow* row(std::size_t i) const {
    return index[i] < tables->rows.size() ? &tables->rows[index[i]] : nullptr;
  }

  const Tables* tables;
  bool mark;
  Chosen chosen;
  std::vector<std::uint32_t> taking_part;
  std::size_t each;
  std::vector<std::uint8_t> index;
  std::vector<std::int32_t> values;
};

Report at(Problem problem, std::size_t item, std::size_t position) {
  return {problem, static_cast<std::int64_t>(item), static_cast<std::int64_t>(position)};
}

// A stream by the definition.
struct SlowEncoder {
  reference::Encoder encoder;
  reference::Sums sums;
  Bytes drained;
};

Report encode_slowly(std::vector<SlowEncoder>& streams, const Call& call) {
  std::vector<SlowEncoder> coded = streams;
  for (std::size_t item = 0; item < call.taking_part.size(); ++item) {
    SlowEncoder& stream = coded[call.taking_part[item]];
    for (std::size_t i = item * call.each; i < (item + 1) * call.each; ++i) {
      const std::int64_t value = call.values[i];
      const reference::ValueRow* row = call.row(i);
      if (row == nullptr) return at(Problem::kIndex, item, i);
      if (value < row->low || value > row->high) return at(Problem::kValue, item, i);
      const std::vector<reference::Step> steps = reference::steps_of(*row, value);
      if (steps[0].first >= steps[0].second) return at(Problem::kInterval, item, i);
      for (const auto& [low, high] : steps) stream.encoder.encode(low, high);
      stream.sums.add(value);
    }
  }
  if (call.mark) {
    for (const std::uint32_t k : call.taking_part)
      reference::encode_mark(coded[k].encoder, coded[k].sums);
  }
  streams = std::move(coded);
  return {};
}

Report encode_call(LockstepEncoder& encoder, const Call& call) {
  if (call.mark) {
    encoder.mark(call.chosen);
    return {};
  }
  const Numbers values{DType::kInt32, walk(call.values)};
  EncodeCall now(encoder, call.chosen);
  ThreadTeam alone(1);
  const Report report = now.encode(EncodeJob{call.job(), values, nullptr}, std::nullopt, alone);
  if (report.ok()) now.keep();
  return report;
}

void same_problem(const Report& report, const Report& expected) {
  expect(report.problem == expected.problem, "the problem is the expected one");
  expect(report.item == expected.item, "in the expected stream");
  expect(report.position == expected.position, "at the expected value");
}

// The encoder after a copy, after saving and restoring, or after returning its stream or bytes.
void change(Input& input, LockstepEncoder& encoder, std::vector<SlowEncoder>& slow) {
  std::vector<EncodedStream>& streams = encoder.streams();
  switch (input.below(4)) {
    case 0:
      for (std::size_t k = 0; k < streams.size(); ++k) {
        const Bytes bytes = streams[k].drain();
        slow[k].drained.insert(slow[k].drained.end(), bytes.begin(), bytes.end());
      }
      return;
    case 1:
      for (EncodedStream& stream : streams)
        stream = EncodedStream::from_saved(stream.save()).value();
      return;
    case 2:
      encoder = LockstepEncoder(encoder);
      return;
    default:
      for (const EncodedStream& stream : streams) (void)finished(stream);
  }
}

// The bytes of a stream so far, and the decoded values, by the definition.
struct SlowDecoder {
  Bytes bytes;
  std::vector<reference::Step> taken;
  reference::Sums sums;
  std::size_t marks = 0;

  [[nodiscard]] reference::Decoder decoder() const {
    reference::Decoder result(bytes);
    for (const auto& [low, high] : taken) result.consume(low, high);
    return result;
  }
};

Report decode_slowly(std::vector<SlowDecoder>& streams, const Call& call,
                     std::vector<std::int32_t>& values) {
  std::vector<SlowDecoder> decoded = streams;
  values.assign(call.values.size(), 0);
  for (std::size_t item = 0; item < call.taking_part.size(); ++item) {
    SlowDecoder& stream = decoded[call.taking_part[item]];
    reference::ValueReader reader(stream.decoder());
    if (call.mark) {
      const Problem problem = reader.read_mark(stream.sums);
      if (problem != Problem::kNone) return at(problem, item, stream.marks);
      ++stream.marks;
    }
    for (std::size_t i = item * call.each; i < (item + 1) * call.each; ++i) {
      const reference::ValueRow* row = call.row(i);
      if (row == nullptr) return at(Problem::kIndex, item, i);
      std::int64_t value = 0;
      const Problem problem = reader.read(*row, value);
      if (problem != Problem::kNone) return at(problem, item, i);
      values[i] = static_cast<std::int32_t>(value);
      stream.sums.add(value);
    }
    if (call.each > 0 && !reader.decoder().determined())
      return at(Problem::kTruncated, item, (item + 1) * call.each - 1);
    stream.taken.insert(stream.taken.end(), reader.taken().begin(), reader.taken().end());
  }
  streams = std::move(decoded);
  return {};
}

Report decode_call(LockstepDecoder& decoder, const Call& call, std::vector<std::int32_t>& values) {
  if (call.mark) return decoder.mark(call.chosen);
  values.assign(call.values.size(), 0);
  DecodeCall now(decoder, call.chosen);
  ThreadTeam alone(1);
  const Report report = now.decode(DecodeJob{call.job(), values.data(), nullptr}, alone);
  if (report.ok()) now.keep();
  return report;
}

// The decoders of streams whose bytes arrive in parts.
class Receiver {
 public:
  Receiver(Input& input, std::vector<Bytes> streams)
      : streams_(std::move(streams)), slow_(streams_.size()), decoder_({}, true) {
    std::vector<LockstepDecoder::Stream> all;
    for (std::size_t k = 0; k < streams_.size(); ++k) {
      const auto some = input.one_in(2)
                            ? static_cast<std::ptrdiff_t>(input.below(streams_[k].size() + 1))
                            : std::ssize(streams_[k]);
      slow_[k].bytes.assign(streams_[k].begin(), streams_[k].begin() + some);
      const auto owner = std::make_shared<const Bytes>(slow_[k].bytes);
      all.emplace_back(FedBytes(*owner, owner));
    }
    decoder_ = LockstepDecoder(std::move(all), true);
  }

  // False if a call cannot be decoded. Missing bytes may look like a contradiction.
  bool decode(Input& input, const Call& call) {
    for (;;) {
      std::vector<std::int32_t> values;
      std::vector<std::int32_t> expected_values;
      const Report expected = decode_slowly(slow_, call, expected_values);
      const Report report = decode_call(decoder_, call, values);
      same_problem(report, expected);
      check();
      if (report.ok()) {
        expect(call.mark || values == expected_values, "decoded are the expected values");
        return true;
      }
      if (!feed(input)) return false;
    }
  }

 private:
  void check() const {
    for (std::size_t k = 0; k < slow_.size(); ++k) {
      const LockstepDecoder::Stream& stream = decoder_.streams()[k];
      expect(stream.source.size() == slow_[k].bytes.size(), "the bytes are those that came");
      expect(stream.num_bits() == slow_[k].decoder().num_bits(), "the decoder is where it was");
    }
  }

  // False if nothing is left.
  bool feed(Input& input) {
    bool more = false;
    for (std::size_t k = 0; k < slow_.size(); ++k) {
      Bytes& here = slow_[k].bytes;
      const std::size_t left = streams_[k].size() - here.size();
      if (left == 0) continue;
      more = true;
      const LockstepDecoder fork = decoder_;
      const auto from = streams_[k].begin() + std::ssize(here);
      const Bytes piece(from, from + static_cast<std::ptrdiff_t>(1 + input.below(left)));
      decoder_.feed(k, piece);
      if (input.one_in(4)) {
        LockstepDecoder other = fork;
        other.feed(k, input.bytes(5));
      }
      here.insert(here.end(), piece.begin(), piece.end());
    }
    return more;
  }

  std::vector<Bytes> streams_;
  std::vector<SlowDecoder> slow_;
  LockstepDecoder decoder_;
};

}  // namespace

void check_lockstep(Input& input) {
  const std::size_t count = 1 + input.below(4);
  LockstepEncoder encoder(count, true);
  std::vector<SlowEncoder> slow(count);
  const std::vector<Tables> tables{Tables(input), Tables(input)};
  std::vector<Call> calls;
  for (std::uint64_t left = 1 + input.below(5); left > 0; --left) {
    Call call(input, count, tables[input.below(tables.size())]);
    const Report expected = encode_slowly(slow, call);
    const Report report = encode_call(encoder, call);
    same_problem(report, expected);
    for (std::size_t k = 0; k < count; ++k)
      expect(encoder.streams()[k].num_bits() == slow[k].encoder.num_bits(),
             "a call takes the expected number of bits");
    if (report.ok()) calls.push_back(std::move(call));
    if (input.one_in(2)) change(input, encoder, slow);
  }
  std::vector<Bytes> streams;
  for (std::size_t k = 0; k < count; ++k) {
    Bytes& bytes = streams.emplace_back(slow[k].drained);
    const Bytes rest = finished(encoder.streams()[k]);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    expect(bytes == slow[k].encoder.finish(), "each stream is the expected one");
  }
  const bool whole = !input.one_in(2);
  if (!whole) {
    for (Bytes& stream : streams) {
      if (input.one_in(2)) stream = damaged(input, stream);
    }
  }
  Receiver receiver(input, streams);
  for (const Call& call : calls) {
    const bool good = receiver.decode(input, call);
    expect(good || !whole, "a stream that is whole is decoded");
    if (!good) return;
  }
}

}  // namespace torchac::fuzz
