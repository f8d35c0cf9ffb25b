// Streams of parameters in one call, whose rows are in lanes, are coded as each one alone.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "coding.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::fuzz {
namespace {

// What the streams of a batch have in common.
struct Manner {
  std::vector<const Family*> kinds;
  bool mixture;
  double spread;  // of scales
  bool arbitrary;
  Bounds bounds;

  explicit Manner(Input& input)
      : mixture(input.one_in(2)),
        spread(std::ldexp(1, static_cast<int>(input.below(20)) - 4)),
        arbitrary(input.one_in(4)) {
    const std::size_t components = mixture ? 1 + input.below(6) : 1;
    for (std::size_t k = 0; k < components; ++k)
      kinds.push_back(&families()[input.below(families().size())]);
    if (input.one_in(4)) {
      bounds.low = static_cast<std::int32_t>(input.between(-300, 300));
      bounds.high = bounds.low + static_cast<std::int32_t>(input.below(300));
    }
  }
};

// A stream's parameters and values.
struct Coded {
  Coded(Input& input, const Manner& from) : manner(from), count(1 + input.below(120)) {
    for (auto& column : columns) column.resize(count * manner.kinds.size());
    for (std::size_t i = 0; i < columns[0].size(); ++i) {
      const auto part = static_cast<float>(input.between(0, 1000)) / 1000;
      columns[0][i] = any(input, static_cast<float>(input.between(-2000, 2000)) / 50);
      columns[1][i] = any(input, part * static_cast<float>(manner.spread));
      columns[2][i] = any(input, input.one_in(4) ? 1e-6f : part);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t value =
          input.one_in(16) ? static_cast<std::int32_t>(input.bits()) : input.between(-50, 50);
      values.push_back(static_cast<std::int32_t>(
          std::clamp<std::int64_t>(value, manner.bounds.low, manner.bounds.high)));
    }
  }

  [[nodiscard]] float any(Input& input, float usual) const {
    return manner.arbitrary && input.one_in(64)
               ? std::bit_cast<float>(static_cast<std::uint32_t>(input.bits()))
               : usual;
  }

  [[nodiscard]] Parameters model() const {
    Parameters made{{}, manner.bounds};
    const std::size_t components = manner.kinds.size();
    for (std::size_t k = 0; k < components; ++k) {
      Component component{manner.kinds[k], {}};
      for (std::size_t column = 0; column < (manner.mixture ? 3u : 2u); ++column) {
        const auto first = reinterpret_cast<const std::byte*>(&columns[column][k]);
        const auto step = static_cast<std::int64_t>(components * sizeof(float));
        component.arrays[column] = Numbers{
            DType::kFloat32, StridedWalk(first, {{static_cast<std::int64_t>(count), step}})};
      }
      made.components.push_back(component);
    }
    return made;
  }

  [[nodiscard]] EncodeJob encode_job(EncodedStream& stream) const {
    const auto bytes = std::as_bytes(std::span(values));
    const auto size = static_cast<std::int64_t>(count);
    return {{model(), size},
            {DType::kInt32, StridedWalk(bytes.data(), {{size, sizeof(std::int32_t)}})},
            &stream};
  }

  const Manner& manner;
  std::size_t count;
  std::array<std::vector<float>, 3> columns;
  std::vector<std::int32_t> values;
};

}  // namespace

void run(Input input) {
  const Manner manner(input);
  std::vector<Coded> batch;
  for (std::size_t k = 1 + input.below(26); k > 0; --k) batch.emplace_back(input, manner);
  ThreadTeam alone(1);

  // Alone, then together.
  std::vector<Bytes> streams;
  bool good = true;
  for (const Coded& coded : batch) {
    EncodedStream stream;
    const EncodeJob job = coded.encode_job(stream);
    good &= torchac::encode({&job, 1}, alone).ok();
    streams.push_back(good ? finished(stream) : input.bytes(input.below(200)));
  }
  std::vector<EncodedStream> together(batch.size());
  std::vector<EncodeJob> jobs;
  for (std::size_t k = 0; k < batch.size(); ++k) jobs.push_back(batch[k].encode_job(together[k]));
  expect(torchac::encode(jobs, alone).ok() == good, "a batch is refused if a stream is");
  for (std::size_t k = 0; good && k < batch.size(); ++k)
    expect(finished(together[k]) == streams[k], "streams are the same in a batch");

  for (Bytes& stream : streams) {
    if (input.one_in(4)) stream = damaged(input, stream);
  }
  std::vector<std::vector<std::int32_t>> expected;
  std::vector<Report> reports;
  std::vector<std::vector<std::int32_t>> found;
  for (const Coded& coded : batch) found.emplace_back(coded.count);
  expected = found;
  std::vector<Decoder> decoders(streams.begin(), streams.end());
  std::vector<DecodeJob> decoding;
  for (std::size_t k = 0; k < batch.size(); ++k) {
    const auto size = static_cast<std::int64_t>(batch[k].count);
    Decoder decoder(streams[k]);
    const DecodeJob job{{batch[k].model(), size}, expected[k].data(), &decoder};
    reports.push_back(torchac::decode({&job, 1}, alone));
    decoding.push_back({{batch[k].model(), size}, found[k].data(), &decoders[k]});
  }
  const Report report = torchac::decode(decoding, alone);
  const auto bad = std::ranges::find_if(reports, [](const Report& r) { return !r.ok(); });
  const auto first = static_cast<std::size_t>(bad - reports.begin());
  expect(report.ok() == (bad == reports.end()), "a batch is refused if a stream is");
  if (!report.ok()) {
    expect(report.item == static_cast<std::int64_t>(first) && report.problem == bad->problem &&
               report.position == bad->position && report.column == bad->column,
           "the first problem is reported");
  }
  for (std::size_t k = 0; k < first; ++k)
    expect(found[k] == expected[k], "values are the same in a batch");
}

}  // namespace torchac::fuzz
