// Streams abreast are coded as the reference codes each, on every kind of processor that this one
// can stand for.
#include "torchac/abreast.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <variant>
#include <vector>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "shared.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/cpu.hpp"
#include "torchac/intervals.hpp"
#include "torchac/lanes.hpp"
#include "torchac/searches.hpp"
#include "torchac/tables.hpp"

namespace torchac::test {
namespace {

constexpr std::size_t kStreams = kMostAbreast;

std::vector<Abreast<kStreams>> processors() {
  std::vector<Abreast<kStreams>> result;
#ifdef TORCHAC_HAS_VECTORS
  if (cpu_has_avx2()) result.push_back(Abreast<kStreams>::for_avx2());
  if (cpu_has_avx512()) result.push_back(Abreast<kStreams>::for_avx512());
#endif
  return result;
}

// Streams of random lengths that share tables.
std::vector<Shared> random_streams(Random& random, const StoredCdf& tables) {
  std::vector<Shared> streams;
  const auto longest = random.one_of<std::int64_t>({1, 10, 100, 300});
  for (std::size_t k = 0; k < kStreams; ++k) {
    const auto count = static_cast<std::size_t>(random.between(1, longest));
    streams.emplace_back(random, tables, tables.kind(), count);
  }
  return streams;
}

// Fills the lanes and codes what all of them have. Tells how much, unless they stopped.
template <class AnyLane>
std::size_t code(const Abreast<kStreams>& abreast, std::deque<AnyLane>& lanes) {
  std::array<AnyLane*, kStreams> all;
  std::size_t count = kBlock;
  for (std::size_t k = 0; k < kStreams; ++k) {
    lanes[k].fill();
    all[k] = &lanes[k];
    count = std::min(count, lanes[k].left_in_block());
  }
  AnyLane::code(abreast, all, count);
  return count;
}

template <class T>
std::vector<T> first(const std::vector<T>& all, std::size_t count) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

template <class Tables>
auto prepare(const Shared& stream) {
  Poll never;
  return std::visit([&](const auto& format) { return Tables::prepare(format, stream.view, never); },
                    stream.format);
}

}  // namespace

TEST_CASE("streams abreast encode as the reference encodes") {
  for_seeds(500, [](Random& random) {
    const StoredCdf cdf = random_tables(random);
    const std::vector<Shared> streams = random_streams(random, cdf);
    const auto tables = prepare<IntervalTables>(streams[0]);
    if (!tables) return;
    std::vector<Symbols> symbols;
    for (const Shared& stream : streams)
      symbols.push_back(hostile_symbols(random, cdf.kind(), stream.count()));

    for (const Abreast<kStreams>& abreast : processors()) {
      std::vector<EncodedStream> encoded(kStreams);
      std::deque<EncodeLane<TableIntervals>> lanes;
      for (std::size_t k = 0; k < kStreams; ++k) {
        const Shared& stream = streams[k];
        lanes.emplace_back(stream.count(), encoded[k], *tables, stream.indices(),
                           stream.source(symbols[k]));
      }
      const std::size_t count = code(abreast, lanes);
      for (std::size_t k = 0; k < kStreams; ++k) {
        CAPTURE(k);
        const auto expected =
            reference::encode(first(streams[k].reference_rows, count), first(symbols[k], count));
        if (expected.problem == Problem::kNone) {
          REQUIRE(finished(encoded[k]) == expected.bytes);
        } else {
          REQUIRE(lanes[k].report().problem == expected.problem);
          REQUIRE(lanes[k].report().position == static_cast<std::int64_t>(expected.position));
        }
      }
    }
  });
}

TEST_CASE("streams abreast decode as the reference decodes") {
  for_seeds(500, [](Random& random) {
    const StoredCdf cdf = random_tables(random);
    const std::vector<Shared> streams = random_streams(random, cdf);
    const auto tables = prepare<Tables>(streams[0]);
    if (!tables) return;
    const std::size_t enough = 18 * kBlock / 8;
    std::vector<Bytes> bytes;
    for (std::size_t k = 0; k < kStreams; ++k)
      bytes.push_back(random.bytes(random.one_in(50) ? random.below(enough) : enough));

    for (const Abreast<kStreams>& abreast : processors()) {
      std::vector<Decoder> decoders(bytes.begin(), bytes.end());
      std::vector<Symbols> symbols;
      std::deque<DecodeLane<TableSearch>> lanes;
      for (const Shared& stream : streams) symbols.emplace_back(stream.index.size());
      for (std::size_t k = 0; k < kStreams; ++k) {
        lanes.emplace_back(symbols[k].data(), streams[k].count(), decoders[k], *tables,
                           streams[k].indices());
      }
      const std::size_t count = code(abreast, lanes);
      for (std::size_t k = 0; k < kStreams; ++k) {
        CAPTURE(k);
        const auto expected = reference::decode(bytes[k], first(streams[k].reference_rows, count));
        REQUIRE(std::ranges::equal(std::span(symbols[k]).first(expected.symbols.size()),
                                   expected.symbols));
        if (expected.problem == Problem::kNone) {
          REQUIRE(decoders[k].num_bits() == expected.num_bits);
        } else {
          REQUIRE(lanes[k].report().problem == expected.problem);
          REQUIRE(lanes[k].report().position == static_cast<std::int64_t>(expected.symbols.size()));
        }
      }
    }
  });
}

}  // namespace torchac::test
