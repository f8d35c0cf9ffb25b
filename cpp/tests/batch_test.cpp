// Many streams at once, on any number of threads, are coded as each one alone.
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
#include "torchac/core.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

// Streams of all lengths, some longer than a block and some empty.
struct Batch {
  Batch(Random& random, std::size_t size) {
    const Kind kind{DType::kInt16, false, random.between(1, 20)};
    for (std::size_t i = 0; i < size; ++i) {
      const std::int64_t count = random.one_in(4) ? random.between(0, 800) : random.between(0, 20);
      cdfs.push_back(random_cdf(random, kind, count));
      symbols.push_back(random_symbols(random, cdfs.back()));
    }
  }

  [[nodiscard]] Report encode(std::vector<EncodedStream>& streams, std::size_t threads) const {
    std::vector<EncodeJob> items;
    for (std::size_t i = 0; i < cdfs.size(); ++i) {
      items.push_back(encode_job(streams[i], cdfs[i], 0, symbols[i]));
    }
    ThreadTeam team(threads);
    return torchac::encode(items, team);
  }

  [[nodiscard]] Report decode(const std::vector<Bytes>& streams, std::size_t threads) {
    std::vector<Decoder> decoders(streams.begin(), streams.end());
    std::vector<DecodeJob> items;
    for (std::size_t i = 0; i < cdfs.size(); ++i) {
      symbols[i].assign(symbols[i].size(), -1);
      items.push_back(decode_job(decoders[i], cdfs[i], 0, symbols[i]));
    }
    ThreadTeam team(threads);
    return torchac::decode(items, team);
  }

  std::vector<StoredCdf> cdfs;
  std::vector<Symbols> symbols;
};

}  // namespace

TEST_CASE("a batch makes and reads the streams of its items") {
  for_seeds(100, [](Random& random) {
    Batch batch(random, random.below(20));
    const std::size_t threads = random.below(5);
    std::vector<EncodedStream> streams(batch.cdfs.size());
    REQUIRE(batch.encode(streams, threads).ok());
    std::vector<Bytes> bytes;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      bytes.push_back(finished(streams[i]));
      CHECK(bytes.back() == encode(batch.cdfs[i], batch.symbols[i]));
    }

    const std::vector<Symbols> expected = batch.symbols;
    REQUIRE(batch.decode(bytes, threads).ok());
    CHECK(batch.symbols == expected);
  });
}

TEST_CASE("a batch with shared tables makes and reads the streams of its items") {
  for_seeds(50, [](Random& random) {
    const StoredCdf tables = random_cdf(random, 3);
    std::vector<Shared> items;
    std::vector<Symbols> symbols;
    for (std::uint64_t left = 1 + random.below(40); left > 0; --left) {
      items.emplace_back(random, tables, tables.kind(), random.below(600));
      symbols.emplace_back();
      for (std::int64_t i = 0; i < items.back().count(); ++i) {
        const auto symbol = random.between(0, tables.kind().symbols - 1);
        symbols.back().push_back(static_cast<std::int16_t>(symbol));
      }
    }
    ThreadTeam team(1 + random.below(4));

    std::vector<EncodedStream> streams(items.size());
    std::vector<EncodeJob> encode_items;
    for (std::size_t i = 0; i < items.size(); ++i)
      encode_items.push_back(items[i].encode_job(streams[i], symbols[i]));
    REQUIRE(torchac::encode(encode_items, team).ok());
    std::vector<Bytes> bytes;
    for (std::size_t i = 0; i < items.size(); ++i) {
      bytes.push_back(finished(streams[i]));
      CHECK(bytes.back() == reference::encode(items[i].reference_rows, symbols[i]).bytes);
    }

    std::vector<Decoder> decoders(bytes.begin(), bytes.end());
    std::vector<DecodeJob> decode_items;
    const std::vector<Symbols> expected = symbols;
    for (std::size_t i = 0; i < items.size(); ++i) {
      symbols[i].assign(symbols[i].size(), -1);
      decode_items.push_back(items[i].decode_job(decoders[i], symbols[i]));
    }
    REQUIRE(torchac::decode(decode_items, team).ok());
    CHECK(symbols == expected);
  });
}

TEST_CASE("of several problems the one in the first stream is reported") {
  for_seeds(200, [](Random& random) {
    Batch batch(random, 20);
    std::size_t first = batch.cdfs.size();
    for (std::size_t i = 0; i < batch.cdfs.size(); ++i) {
      if (batch.symbols[i].empty() || !random.one_in(4)) continue;
      batch.symbols[i].back() = -1;
      first = std::min(first, i);
    }
    std::vector<EncodedStream> streams(batch.cdfs.size());
    const Report report = batch.encode(streams, 1 + random.below(4));
    if (first == batch.cdfs.size()) return;
    CHECK(report.problem == Problem::kSymbol);
    CHECK(report.item == static_cast<std::int64_t>(first));
    CHECK(report.position == static_cast<std::int64_t>(batch.symbols[first].size()) - 1);
  });
}

TEST_CASE("of streams of anything the first one that is wrong is reported, also if by its end") {
  for_seeds(2000, [](Random& random) {
    Batch batch(random, 1 + random.below(6));
    std::vector<Bytes> streams;
    reference::Decoded first;
    std::size_t item = 0;
    for (const StoredCdf& cdf : batch.cdfs) {
      streams.push_back(
          random.bytes(random.below(2 * static_cast<std::uint64_t>(cdf.count()) + 2)));
      if (first.problem != Problem::kNone || cdf.count() == 0) continue;
      item = streams.size() - 1;
      first = reference::decode(streams[item], cdf.reference_rows());
    }
    const Report report = batch.decode(streams, 1 + random.below(3));
    REQUIRE(report.problem == first.problem);
    if (report.ok()) return;
    CHECK(report.item == static_cast<std::int64_t>(item));
    CHECK(report.position == static_cast<std::int64_t>(first.symbols.size()));
  });
}

}  // namespace torchac::test
