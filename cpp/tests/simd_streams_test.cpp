// SIMD across streams codes each stream as the reference does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "shared.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/error.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

std::uint64_t taken(FastPath path) { return path_counts[static_cast<std::size_t>(path)]; }

// Streams of random lengths that share tables.
std::vector<Shared> random_streams(Random& random, const StoredCdf& tables) {
  std::vector<Shared> streams;
  const auto longest = random.one_of<std::int64_t>({10, 100, 600, 1200});
  for (std::int64_t k = random.between(1, 30); k > 0; --k) {
    const auto count = static_cast<std::size_t>(random.between(1, longest));
    streams.emplace_back(random, tables, tables.kind(), count);
  }
  return streams;
}

// The problem of the first of these streams that has one.
template <class Expected>
const Expected* first_bad(const std::vector<Expected>& expected) {
  const auto bad = [](const auto& stream) { return stream.problem != Problem::kNone; };
  const auto found = std::ranges::find_if(expected, bad);
  return found == expected.end() ? nullptr : &*found;
}

// The first four streams with symbols left are coded by SIMD, unless they have a fault.
void check_path(std::uint64_t simd_before, std::uint64_t tables_before, FastPath tables,
                std::size_t streams) {
  const bool expected = instruction_sets().avx2 && streams >= 4 && taken(tables) > tables_before;
  CHECK((taken(FastPath::kSimdStreams) > simd_before) == expected);
}

}  // namespace

TEST_CASE("SIMD across streams encodes as the reference encodes") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_tables(random);
    const std::vector<Shared> streams = random_streams(random, cdf);
    const bool good = !random.one_in(4);
    std::vector<Symbols> symbols;
    std::vector<reference::Encoded> expected;
    std::vector<EncodedStream> encoded(streams.size());
    std::vector<EncodeJob> jobs;
    for (std::size_t k = 0; k < streams.size(); ++k) {
      const Shared& stream = streams[k];
      symbols.push_back(hostile_symbols(random, cdf.kind(), stream.count()));
      if (good) {
        for (auto& symbol : symbols.back())
          symbol = static_cast<std::int16_t>(random.between(0, cdf.kind().symbols - 1));
      }
      expected.push_back(reference::encode(stream.reference_rows, symbols.back()));
    }
    for (std::size_t k = 0; k < streams.size(); ++k)
      jobs.push_back(streams[k].encode_job(encoded[k], symbols[k]));
    ThreadTeam alone(1);
    const std::uint64_t simd = taken(FastPath::kSimdStreams);
    const std::uint64_t tables = taken(FastPath::kEncodeLut);
    const Report report = torchac::encode(jobs, alone);
    if (const auto* bad = first_bad(expected)) {
      REQUIRE(report.problem == bad->problem);
      REQUIRE(report.item == bad - expected.data());
      REQUIRE(report.position == static_cast<std::int64_t>(bad->position));
      return;
    }
    REQUIRE(report.ok());
    check_path(simd, tables, FastPath::kEncodeLut, streams.size());
    for (std::size_t k = 0; k < streams.size(); ++k)
      REQUIRE(finished(encoded[k]) == expected[k].bytes);
  });
}

TEST_CASE("SIMD across streams decodes as the reference decodes") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_tables(random);
    const std::vector<Shared> streams = random_streams(random, cdf);
    std::vector<Bytes> bytes;
    std::vector<reference::Decoded> expected;
    for (const Shared& stream : streams) {
      const auto enough = static_cast<std::size_t>(stream.count()) * 18 / 8 + 9;
      bytes.push_back(random.bytes(random.one_in(100) ? random.below(enough) : enough));
      expected.push_back(reference::decode(bytes.back(), stream.reference_rows));
    }
    std::vector<Decoder> decoders(bytes.begin(), bytes.end());
    std::vector<Symbols> symbols;
    std::vector<DecodeJob> jobs;
    for (const Shared& stream : streams) symbols.emplace_back(stream.index.size());
    for (std::size_t k = 0; k < streams.size(); ++k)
      jobs.push_back(streams[k].decode_job(decoders[k], symbols[k]));
    ThreadTeam alone(1);
    const std::uint64_t simd = taken(FastPath::kSimdStreams);
    const std::uint64_t tables = taken(FastPath::kDecodeLut);
    const Report report = torchac::decode(jobs, alone);
    if (const auto* bad = first_bad(expected)) {
      REQUIRE(report.problem == bad->problem);
      REQUIRE(report.item == bad - expected.data());
      REQUIRE(report.position == static_cast<std::int64_t>(bad->symbols.size()));
      return;
    }
    REQUIRE(report.ok());
    check_path(simd, tables, FastPath::kDecodeLut, streams.size());
    for (std::size_t k = 0; k < streams.size(); ++k) {
      REQUIRE(symbols[k] == expected[k].symbols);
      REQUIRE(decoders[k].num_bits() == expected[k].num_bits);
    }
  });
}

}  // namespace torchac::test
