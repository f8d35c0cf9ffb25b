// For any rows, symbols and bytes, the core reports what the reference finds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "streams.hpp"

namespace torchac::test {

TEST_CASE("random bytes decode with random rows as the reference decodes them") {
  for_seeds(3000, [](Random& random) {
    const StoredCdf cdf = hostile_cdf(random, random.between(0, 40));
    const Bytes stream = random.bytes(random.below(60));

    const reference::Decoded expected = reference::decode(stream, cdf.reference_rows());
    const Decoded decoded = decode(stream, cdf);
    REQUIRE(decoded.report.problem == expected.problem);
    if (decoded.report.ok()) {
      CHECK(decoded.num_bits == expected.num_bits);
    } else {
      CHECK(decoded.report.position == static_cast<std::int64_t>(expected.symbols.size()));
    }
    CHECK(std::ranges::equal(std::span(decoded.symbols).first(expected.symbols.size()),
                             expected.symbols));
  });
}

TEST_CASE("random rows encode until the first symbol or interval that cannot be coded") {
  for_seeds(3000, [](Random& random) {
    const StoredCdf cdf = hostile_cdf(random, random.between(0, 20));
    const Symbols symbols = hostile_symbols(random, cdf.kind(), cdf.count());

    const reference::Encoded expected = reference::encode(cdf.reference_rows(), symbols);
    EncodedStream stream;
    const Report report = encode(stream, cdf, 0, symbols);
    REQUIRE(report.problem == expected.problem);
    if (report.ok()) {
      CHECK(finished(stream) == expected.bytes);
    } else {
      CHECK(report.position == static_cast<std::int64_t>(expected.position));
    }
  });
}

}  // namespace torchac::test
