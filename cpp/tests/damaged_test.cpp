// A stream with a changed bit decodes to symbols, or is reported as damaged, without bad accesses.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "streams.hpp"
#include "vectors.hpp"

namespace torchac::test {

TEST_CASE("each bit of each stream of the old package changed") {
  for (const Vector& vector : read_vectors()) {
    if (vector.stream.size() > 100) continue;
    CAPTURE(vector.name);
    for (std::size_t bit = 0; bit < 8 * vector.stream.size(); ++bit) {
      CAPTURE(bit);
      Bytes stream = vector.stream;
      stream[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      const Decoded decoded = decode(stream, vector.cdf);
      const Problem problem = decoded.report.problem;
      CHECK((decoded.report.ok() || problem == Problem::kTruncated ||
             problem == Problem::kInvalidCode));
      const auto in_alphabet = [&](std::int16_t s) {
        return 0 <= s && s < vector.cdf.kind().symbols;
      };
      CHECK(std::ranges::all_of(decoded.symbols, in_alphabet));
    }
  }
}

}  // namespace torchac::test
