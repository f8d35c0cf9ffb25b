// A coder continues from its saved state as if never saved; invalid states are refused or harmless.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "random.hpp"
#include "random_cdf.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/range.hpp"

namespace torchac::test {

TEST_CASE("an encoder and a decoder continue from their states") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 100));
    const Symbols symbols = random_symbols(random, cdf);
    const std::size_t split = random.below(symbols.size() + 1);
    const auto first = static_cast<std::int64_t>(split);

    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, std::span(symbols).first(split)).ok());
    auto again = EncodedStream::from_saved(stream.save());
    REQUIRE(again.has_value());
    CHECK(again->num_bits() == stream.num_bits());
    REQUIRE(encode(*again, cdf, first, std::span(symbols).subspan(split)).ok());
    const Bytes bytes = finished(*again);
    CHECK(bytes == encode(cdf, symbols));

    Decoder decoder(bytes);
    Symbols decoded(symbols.size());
    REQUIRE(decode(decoder, cdf, 0, std::span(decoded).first(split)).ok());
    Decoder other(bytes);
    REQUIRE(other.restore(decoder.save()));
    CHECK(other.num_bits() == decoder.num_bits());
    REQUIRE(decode(other, cdf, first, std::span(decoded).subspan(split)).ok());
    CHECK(decoded == symbols);
  });
}

TEST_CASE("states of anything") {
  const auto anything = [](Random& random) {
    return random.one_of<std::uint64_t>({0, 1, kMinRange, kMinRange + 1, kFullRange - 1, kFullRange,
                                         random.bits() >> random.below(64)});
  };
  for_seeds(20000, [&](Random& random) {
    EncodedStream::Saved saved{anything(random), anything(random), anything(random),
                               static_cast<std::uint32_t>(random.below(20)),
                               random.bytes(random.below(4))};
    for (auto& byte : saved.bytes) byte = random.one_of<std::uint8_t>({0, 0, 255, byte});
    const StoredCdf cdf = random_cdf(random, 9);
    auto stream = EncodedStream::from_saved(saved);
    if (stream) {
      // A carry out of what is there would leave the memory, which sanitizers see.
      REQUIRE(encode(*stream, cdf, 0, random_symbols(random, cdf)).ok());
      (void)finished(*stream);
    }
    const Bytes bytes = random.bytes(random.below(20));
    Decoder decoder(bytes);
    const Decoder::Saved there{anything(random), anything(random), anything(random),
                               random.one_in(2) ? 32 + random.below(200) : anything(random)};
    if (decoder.restore(there)) {
      CHECK(there.offset < there.range);
      Symbols symbols(9);
      (void)decode(decoder, cdf, 0, symbols);
    } else {
      CHECK(decoder.num_bits() == 2);
    }
  });
}

}  // namespace torchac::test
