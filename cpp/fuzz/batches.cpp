#include "batches.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "case.hpp"
#include "coding.hpp"
#include "expected.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {
namespace {

// Items that all or mostly share the tables of the first, or have their own rows. A whole group of
// items that share, and two and three, are coded by SIMD.
std::vector<Case> any_batch(Input& input, const Style& style) {
  const std::size_t count =
      input.below(input.is_large() ? 20 : input.one_of<std::uint64_t>({5, 9}));
  const bool all_share = input.one_in(2);
  std::vector<Case> batch;
  batch.reserve(count);
  while (batch.size() < count) {
    const bool can_share = !batch.empty() && batch[0].cdf.index;
    const bool shares = can_share && (all_share || !input.one_in(4));
    Cdf cdf = shares ? sharing_tables(input, batch[0].cdf) : any_cdf(input, style);
    IntegerArray symbols = any_symbols(input, cdf);
    batch.push_back({std::move(cdf), std::move(symbols)});
  }
  return batch;
}

// The first report of a problem, among those that `counts` accepts, if there are any.
template <class Counts>
Report first_problem(const std::vector<Report>& reports, const Counts& counts) {
  Report first;
  bool first_counts = false;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    if (reports[i].ok() || (!first.ok() && (first_counts || !counts(i)))) continue;
    first = reports[i];
    first.item = static_cast<std::int64_t>(i);
    first_counts = counts(i);
  }
  return first;
}

// The streams; none if there is a problem.
std::vector<Bytes> encode_batch(const std::vector<Case>& batch, const Style& style,
                                std::size_t threads) {
  std::vector<EncodedStream> streams(batch.size());
  std::vector<test::reference::Encoder> expected(batch.size());
  std::vector<EncodeJob> items;
  std::vector<Report> reports;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    items.push_back(encode_job(batch[i], style, streams[i]));
    reports.push_back(expected_encode(expected[i], batch[i], style));
  }
  const Report report = encode(items, threads);
  // Tables are checked before anything is coded.
  const Report first = first_problem(reports, [&](std::size_t i) { return reports[i].table >= 0; });
  expect(report.item == first.item, "the problem is in the expected stream");
  expect_same(report, first);
  if (!report.ok()) return {};
  std::vector<Bytes> result;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    result.push_back(finished(streams[i]));
    expect(result.back() == expected[i].finish(), "each stream is the expected one");
  }
  return result;
}

void decode_batch(const std::vector<Case>& batch, const std::vector<Bytes>& streams,
                  std::size_t threads) {
  std::vector<Decoder> decoders(streams.begin(), streams.end());
  std::vector<Symbols> symbols(batch.size());
  std::vector<DecodeJob> items;
  std::vector<Decoded> expected;
  std::vector<Report> reports;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    items.push_back(decode_job(batch[i].cdf, symbols[i], decoders[i]));
    expected.push_back(expected_decode(batch[i].cdf, streams[i]));
    reports.push_back(expected.back().report);
  }
  const Report report = decode(items, threads);
  const Report first = first_problem(reports, [](std::size_t) { return true; });
  expect(report.item == first.item, "the problem is in the expected stream");
  expect_same(report, first);
  const std::size_t good = report.ok() ? batch.size() : static_cast<std::size_t>(report.item);
  for (std::size_t i = 0; i < good; ++i)
    expect(symbols[i] == expected[i].symbols, "streams before it have the expected symbols");
}

}  // namespace

void check_batch(Input input, std::size_t threads) {
  Style style = any_style(input);
  // Whether rows are few depends on all items together. The harnesses of single streams test it.
  if (style.check == Check::kCheap) style.check = Check::kNone;
  const std::vector<Case> batch = any_batch(input, style);
  std::vector<Bytes> streams = encode_batch(batch, style, threads);
  // Nothing was encoded, so anything is decoded.
  while (streams.size() < batch.size()) streams.push_back(input.bytes(input.below(200)));
  for (Bytes& stream : streams) {
    if (input.one_in(4)) stream = damaged(input, stream);
  }
  decode_batch(batch, streams, threads);
}

}  // namespace torchac::fuzz
