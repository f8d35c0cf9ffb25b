// A decoder never makes up symbols that its stream has no bits for.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "streams.hpp"

namespace torchac::test {

TEST_CASE("a stream without its last bytes is refused") {
  for_seeds(200, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(1, 40));
    const Symbols symbols = random_symbols(random, cdf);
    for (Bytes stream = encode(cdf, symbols); !stream.empty();) {
      stream.pop_back();
      CAPTURE(stream.size());
      CHECK_FALSE(decode(stream, cdf).report.ok());
    }
  });
}

TEST_CASE("every stream of two bytes is decoded until the reference refuses it") {
  constexpr std::int64_t kCount = 20;  // the most symbols of a stream
  const std::vector<std::vector<std::uint64_t>> rows{{0, 32768}, {0, 1, 65535}, {30000, 40000}};
  for (const auto& values : rows) {
    const auto size = static_cast<std::int64_t>(values.size());
    StoredCdf cdf({DType::kInt16, false, size}, kCount, {0, 2});
    for (std::int64_t j = 0; j < size; ++j) cdf.set(0, j, values[static_cast<std::size_t>(j)]);
    const reference::Row row = cdf.reference_row(0);
    for (unsigned number = 0; number < 1 << 16; ++number) {
      CAPTURE(number);
      const Bytes stream{static_cast<std::uint8_t>(number / 256),
                         static_cast<std::uint8_t>(number % 256)};
      Decoder decoder(stream);
      reference::Decoder expected(stream);
      for (std::int64_t i = 0; i < kCount; ++i) {
        const std::size_t symbol = expected.symbol(row);
        const bool accepted = expected.consume(row[symbol], row[symbol + 1]) &&
                              !expected.truncated() && expected.determined();
        std::array<std::int16_t, 1> found;
        REQUIRE(decode(decoder, cdf, i, found).ok() == accepted);
        if (!accepted) break;
        REQUIRE(std::cmp_equal(found[0], symbol));
      }
    }
  }
}

TEST_CASE("bytes after a stream change nothing") {
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
  const StoredCdf cdf({DType::kInt16, false, 1}, 1, {0, 2});
  CHECK(decode({}, StoredCdf({DType::kInt16, false, 1}, 0, {0, 2})).report.ok());
  CHECK(decode({}, cdf).report.problem == Problem::kTruncated);
  CHECK(decode({0x40}, cdf).report.ok());
}

}  // namespace torchac::test
