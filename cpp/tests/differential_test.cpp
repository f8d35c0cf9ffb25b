// The core against the reference coder, on rows that a caller may pass.
#include <doctest/doctest.h>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "streams.hpp"

namespace torchac::test {

TEST_CASE("streams have the reference's bytes and decode to their symbols") {
  for_seeds(1000, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 60));
    const Symbols symbols = random_symbols(random, cdf);
    const reference::Encoded expected = reference::encode(cdf.reference_rows(), symbols);

    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, symbols).ok());
    CHECK(stream.num_bits() == expected.num_bits);
    const Bytes bytes = finished(stream);
    REQUIRE(bytes == expected.bytes);

    const Decoded decoded = decode(bytes, cdf);
    CHECK(decoded.report.ok());
    CHECK(decoded.symbols == symbols);
    CHECK(decoded.num_bits == expected.num_bits);
  });
}

TEST_CASE("no symbols make one byte") {
  const EncodedStream stream;
  CHECK(stream.num_bits() == 2);
  CHECK(finished(stream) == Bytes{0x40});
}

}  // namespace torchac::test
