// The streams that the old package wrote are decoded and written again, to the byte.
#include "vectors.hpp"

#include <doctest/doctest.h>

#include <cstdint>

namespace torchac::test {

TEST_CASE("every reference vector decodes and encodes to the same bytes") {
  const auto vectors = read_vectors();
  CHECK(vectors.size() == 146);
  for (const Vector& vector : vectors) {
    CAPTURE(vector.name);
    for (const StoredCdf* cdf : {&vector.cdf, &vector.converted}) {
      const Decoded decoded = decode(vector.stream, *cdf);
      CHECK(decoded.report.ok());
      CHECK(decoded.symbols == vector.symbols);
      CHECK(encode(*cdf, vector.symbols) == vector.stream);
    }
  }
}

// This also checks values that no symbol of the vector needs.
TEST_CASE("every row of the reference vectors is converted as the old package did") {
  for (const Vector& vector : read_vectors()) {
    CAPTURE(vector.name);
    for (std::int64_t i = 0; i < vector.cdf.count(); ++i) {
      REQUIRE(core_row(vector.cdf, i) == core_row(vector.converted, i));
    }
  }
}

}  // namespace torchac::test
