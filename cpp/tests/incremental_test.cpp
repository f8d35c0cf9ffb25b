// A stream may be coded in parts, and a coder may be copied or set back in between.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "random.hpp"
#include "random_cdf.hpp"
#include "streams.hpp"

namespace torchac::test {
namespace {

// Calls code(first, count) for parts of 0 ... total - 1, one after the other.
template <class Code>
void in_parts(Random& random, std::size_t total, const Code& code) {
  for (std::size_t done = 0; done < total;) {
    const std::size_t count = std::min<std::size_t>(total - done, random.below(20));
    code(done, count);
    done += count;
  }
}

}  // namespace

TEST_CASE("parts make the same stream as one call, and read it") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 100));
    const Symbols symbols = random_symbols(random, cdf);
    EncodedStream stream;
    in_parts(random, symbols.size(), [&](std::size_t first, std::size_t count) {
      const auto part = std::span(symbols).subspan(first, count);
      REQUIRE(encode(stream, cdf, static_cast<std::int64_t>(first), part).ok());
    });
    const Bytes bytes = finished(stream);
    CHECK(bytes == encode(cdf, symbols));

    Decoder decoder(bytes);
    Symbols decoded(symbols.size());
    in_parts(random, symbols.size(), [&](std::size_t first, std::size_t count) {
      const auto part = std::span(decoded).subspan(first, count);
      REQUIRE(decode(decoder, cdf, static_cast<std::int64_t>(first), part).ok());
    });
    CHECK(decoded == symbols);
  });
}

TEST_CASE("what follows a checkpoint can be undone") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 100));
    const Symbols kept = random_symbols(random, cdf);
    const Symbols dropped = random_symbols(random, cdf);
    const std::size_t split = random.below(kept.size() + 1);
    const auto first = static_cast<std::int64_t>(split);

    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, std::span(kept).first(split)).ok());
    const auto checkpoint = stream.checkpoint();
    REQUIRE(encode(stream, cdf, first, std::span(dropped).subspan(split)).ok());
    stream.restore(checkpoint);
    REQUIRE(encode(stream, cdf, first, std::span(kept).subspan(split)).ok());
    CHECK(finished(stream) == encode(cdf, kept));
  });
}

TEST_CASE("a copy goes on by itself") {
  for_seeds(100, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, 40);
    const Symbols symbols = random_symbols(random, cdf);
    const Symbols other = random_symbols(random, cdf);
    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, std::span(symbols).first(20)).ok());
    EncodedStream copy = stream;
    REQUIRE(encode(copy, cdf, 20, std::span(other).subspan(20)).ok());
    REQUIRE(encode(stream, cdf, 20, std::span(symbols).subspan(20)).ok());
    CHECK(finished(stream) == encode(cdf, symbols));
  });
}

}  // namespace torchac::test
