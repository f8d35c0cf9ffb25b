// A decoder never makes up symbols that its stream has no bits for.
#include <doctest/doctest.h>

#include <cstdint>

#include "random.hpp"
#include "random_cdf.hpp"
#include "streams.hpp"

namespace torchac::test {

// What is left can be a whole stream, but then of other symbols, which need fewer bits.
TEST_CASE("a stream without its last bytes is truncated, or that of other symbols") {
  for_seeds(200, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(1, 40));
    const Symbols symbols = random_symbols(random, cdf);
    for (Bytes stream = encode(cdf, symbols); !stream.empty();) {
      stream.pop_back();
      CAPTURE(stream.size());
      const Decoded decoded = decode(stream, cdf);
      if (decoded.report.ok()) {
        CHECK(decoded.symbols != symbols);
        CHECK(decoded.num_bits <= 8 * stream.size());
      }
    }
  });
}

TEST_CASE("bytes behind a stream change nothing") {
  for_seeds(200, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 40));
    const Symbols symbols = random_symbols(random, cdf);
    Bytes stream = encode(cdf, symbols);
    const std::uint64_t num_bits = decode(stream, cdf).num_bits;
    for (const std::uint8_t byte : random.bytes(20)) stream.push_back(byte);

    const Decoded decoded = decode(stream, cdf);
    CHECK(decoded.report.ok());
    CHECK(decoded.symbols == symbols);
    CHECK(decoded.num_bits == num_bits);
  });
}

TEST_CASE("no bytes are a stream of no symbols, and of no other") {
  const StoredCdf cdf({RowType::kInt16, false, 1}, 1, {0, 2});
  CHECK(decode({}, StoredCdf({RowType::kInt16, false, 1}, 0, {0, 2})).report.ok());
  CHECK(decode({}, cdf).report.problem == Problem::kTruncated);
  CHECK(decode({0x40}, cdf).report.ok());
}

}  // namespace torchac::test
