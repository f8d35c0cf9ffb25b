// Shared rows code as if each symbol had its own, whether or not they are converted.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
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
TEST_CASE("shared rows decode as the reference decodes") {
  for_seeds(1000, [](Random& random) {
    const StoredCdf tables = random_tables(random);
    const Shared shared(random, tables, tables.kind(), random.below(150));
    const Bytes stream = random.bytes(random.below(200));
    const reference::Decoded expected = reference::decode(stream, shared.reference_rows);

    Decoder decoder(stream);
    Symbols symbols(shared.index.size());
    const DecodeJob item = shared.decode_job(decoder, symbols);
    const Report report = decode(item);
    REQUIRE(report.problem == expected.problem);
    symbols.resize(expected.symbols.size());
    CHECK(symbols == expected.symbols);
    if (!report.ok()) CHECK(report.position == static_cast<std::int64_t>(symbols.size()));
  });
}

TEST_CASE("shared rows encode as the reference encodes") {
  for_seeds(1000, [](Random& random) {
    const StoredCdf tables = random_tables(random);
    const Shared shared(random, tables, tables.kind(), random.below(150));
    const Symbols symbols = hostile_symbols(random, tables.kind(), shared.count());
    const reference::Encoded expected = reference::encode(shared.reference_rows, symbols);

    EncodedStream stream;
    const EncodeJob item = shared.encode_job(stream, symbols);
    const Report report = encode(item);
    REQUIRE(report.problem == expected.problem);
    if (report.ok()) {
      CHECK(finished(stream) == expected.bytes);
    } else {
      CHECK(report.position == static_cast<std::int64_t>(expected.position));
    }
  });
}

TEST_CASE("items of a batch have tables of their own, the same, or the same read in another way") {
  for_seeds(500, [](Random& random) {
    const Kind kind{random.one_of(kRowTypes), true, random.between(1, 20)};
    const std::vector<StoredCdf> tables{random_cdf(random, kind, 3), random_cdf(random, kind, 3)};
    std::vector<Shared> items;
    for (int i = 0; i < 3; ++i) {
      const Kind read{kind.type, !random.one_in(4), kind.symbols};
      items.emplace_back(random, tables[random.below(2)], read, 1 + random.below(40));
    }

    // Long enough for 40 symbols of 18 bits.
    const Bytes stream(100, 0x2D);
    std::vector<Decoder> decoders(items.size(), Decoder(stream));
    std::vector<EncodedStream> encoded(items.size());
    std::vector<Symbols> symbols;
    std::vector<reference::Decoded> expected;
    std::vector<DecodeJob> decode_items;
    std::vector<EncodeJob> encode_items;
    for (std::size_t i = 0; i < items.size(); ++i) {
      expected.push_back(reference::decode(stream, items[i].reference_rows));
      symbols.emplace_back(items[i].index.size());
      decode_items.push_back(items[i].decode_job(decoders[i], symbols[i]));
      encode_items.push_back(items[i].encode_job(encoded[i], symbols[i]));
    }
    const bool ok = std::ranges::all_of(
        expected, [](const auto& item) { return item.problem == Problem::kNone; });
    ThreadTeam alone(1);
    REQUIRE(torchac::decode(decode_items, alone).ok() == ok);
    if (!ok) return;
    REQUIRE(torchac::encode(encode_items, alone).ok());
    for (std::size_t i = 0; i < items.size(); ++i) {
      CHECK(symbols[i] == expected[i].symbols);
      CHECK(finished(encoded[i]) == reference::encode(items[i].reference_rows, symbols[i]).bytes);
    }
  });
}

}  // namespace torchac::test
