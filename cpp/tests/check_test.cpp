// The check of whole rows, as by check_input_bounds=True.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "definition.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"

namespace torchac::test {
namespace {

// The fault of row 0, and its value.
Fault expected_fault(const StoredCdf& cdf) {
  const reference::Row row = cdf.reference_row(0);
  for (std::int64_t j = 0; j <= cdf.kind().symbols; ++j) {
    const double value = real_value(cdf.kind().type, cdf.bits(0, j));
    if (!std::isfinite(value)) return {Problem::kNotFinite, j};
    if (value < 0 || value > 1) return {Problem::kOutOfBounds, j};
    const auto at = static_cast<std::size_t>(j);
    if (j > 0 && row[at] < row[at - 1]) return {Problem::kDecreasing, j};
  }
  return {};
}

}  // namespace

TEST_CASE("a row is good or has a first bad value") {
  for_seeds(5000, [](Random& random) {
    const Kind kind{random.one_of(kFloatTypes), random.one_in(2), random_alphabet(random)};
    StoredCdf cdf(kind, 1, random_strides(random, kind, 1));
    std::int64_t j = 0;
    for (const std::uint64_t value : random_ascent(random, kind)) cdf.set(0, j++, value);
    const std::uint64_t one = bit_fields(kind.type).one();
    cdf.set(0, j, random.one_in(2) ? one : random_fraction(random, kind.type));
    while (random.one_in(2)) {
      cdf.set(0, random.between(0, kind.symbols), hostile_value(random, kind.type));
    }

    const Fault fault =
        with_cdf(cdf.layout(), [&](const auto& model) { return model.check(cdf.row(0)); });
    const Fault expected = expected_fault(cdf);
    CHECK(fault.problem == expected.problem);
    CHECK(fault.column == expected.column);
  });
}

TEST_CASE("encoding checks rows when asked to, and only then") {
  // The symbol needs the first two values. The last one is wrong.
  StoredCdf cdf({DType::kFloat64, true, 2}, 1, {0, 8});
  cdf.set(0, 1, std::bit_cast<std::uint64_t>(0.5));
  cdf.set(0, 2, std::bit_cast<std::uint64_t>(1.5));
  const Symbols symbols{0};
  EncodedStream stream;
  CHECK(encode(stream, cdf, 0, symbols, Check::kNone).ok());
  CHECK(encode(stream, cdf, 0, symbols, Check::kAll).problem == Problem::kOutOfBounds);
}

TEST_CASE("shared rows are all checked, also those that no symbol uses") {
  StoredCdf tables({DType::kFloat64, true, 2}, 2, {24, 8});
  tables.set(1, 2, std::bit_cast<std::uint64_t>(1.5));
  EncodedStream stream;
  EncodeJob item = encode_job(stream, tables, 0, {});
  const Numbers no_index{DType::kUint8, StridedWalk(nullptr, {{0, 1}})};
  cdf_of(item).rows = Rows({tables.row(0), 24, 2}, no_index);
  const Report report = encode(item, Check::kAll);
  CHECK(report.problem == Problem::kOutOfBounds);
  CHECK(report.table == 1);
  CHECK(report.column == 2);
}

}  // namespace torchac::test
