// Costs and faults of symbols are those of encoding them; rows convert to the integers of the
// definition.
#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "shared.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/core.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"

namespace torchac::test {
namespace {

void check_measure(const EncodeJob& job, const std::vector<reference::Row>& rows,
                   const Symbols& symbols) {
  std::vector<double> bits(symbols.size(), -1);
  Poll never;
  const Report report = measure({job, job.values, bits.data()}, never);
  const Report encoded = encode(job);
  CHECK(report.problem == encoded.problem);
  CHECK(report.position == encoded.position);
  CHECK(report.column == encoded.column);
  if (!report.ok()) return;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const auto s = static_cast<std::size_t>(symbols[i]);
    CHECK(bits[i] == 16 - std::log2(static_cast<double>(rows[i][s + 1] - rows[i][s])));
  }
}

}  // namespace

TEST_CASE("the cost of symbols with rows of their own") {
  for_seeds(500, [](Random& random) {
    const StoredCdf cdf = random.one_in(2) ? random_cdf(random, random.between(0, 900))
                                           : hostile_cdf(random, random.between(0, 100));
    const Symbols symbols = hostile_symbols(random, cdf.kind(), cdf.count());
    EncodedStream stream;
    check_measure(encode_job(stream, cdf, 0, symbols), cdf.reference_rows(), symbols);
  });
}

TEST_CASE("the cost of symbols with shared tables") {
  for_seeds(500, [](Random& random) {
    const StoredCdf tables = random_tables(random);
    const Shared shared(random, tables, tables.kind(), random.below(900));
    const Symbols symbols = hostile_symbols(random, tables.kind(), shared.count());
    EncodedStream stream;
    check_measure(shared.encode_job(stream, symbols), shared.reference_rows, symbols);
  });
}

TEST_CASE("rows are converted with their last values, up to the first that is not finite") {
  for_seeds(2000, [](Random& random) {
    const Kind kind{random.one_of(kFloatTypes), random.one_in(2), random_alphabet(random)};
    const std::int64_t count = random.between(0, 9);
    StoredCdf cdf = random_cdf(random, kind, count);
    for (std::int64_t i = 0; i < count; ++i)
      cdf.set(i, kind.symbols, random_fraction(random, kind.type));
    if (random.one_in(2) && count > 0) {
      for (auto changes = random.below(4); changes > 0; --changes)
        cdf.set(random.between(0, count - 1), random.between(0, kind.symbols),
                hostile_value(random, kind.type));
    }
    std::vector<std::uint16_t> values(static_cast<std::size_t>(count * (kind.symbols + 1)));
    Poll never;
    const Report report = quantize({{cdf.layout(), cdf.rows(0, count)},
                                    count,
                                    std::as_writable_bytes(std::span(values)).data()},
                                   never);
    std::size_t k = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j <= kind.symbols; ++j, ++k) {
        const std::int64_t expected = converted(kind, cdf.bits(i, j), j);
        if (expected < 0) {
          CHECK(report.problem == Problem::kNotFinite);
          CHECK(report.position == i);
          CHECK(report.column == j);
          return;
        }
        if (report.ok() || i < report.position) REQUIRE(values[k] == expected);
      }
    }
    CHECK(report.ok());
  });
}

}  // namespace torchac::test
