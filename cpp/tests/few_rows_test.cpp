// Decreasing rows are reported before anything is coded, if a call has few rows.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "shared.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

constexpr Kind kThree{DType::kInt16, false, 3};

// Equal rows of three symbols, some of which decrease at their last value.
StoredCdf rows_with(std::int64_t count, const std::vector<std::int64_t>& decreasing) {
  StoredCdf cdf(kThree, count, {8, 2});
  for (std::int64_t i = 0; i < count; ++i) {
    cdf.set(i, 1, 20000);
    cdf.set(i, 2, 40000);
  }
  for (const std::int64_t i : decreasing) cdf.set(i, 2, 10000);
  return cdf;
}

// Symbols 0, with the row, or the table, at each place.
struct Call {
  Call(const StoredCdf& cdf, Rows rows, std::int64_t count)
      : rows(std::move(rows)), count(count), cdf(&cdf) {}

  [[nodiscard]] EncodeJob encode_job() {
    static const std::int8_t zero = 0;
    const StridedWalk symbols(reinterpret_cast<const std::byte*>(&zero), {{count, 0}});
    return {{CdfRows{cdf->layout(), rows}, count}, {DType::kInt8, symbols}, &stream};
  }

  // The reports of both directions and of the cost of symbols.
  [[nodiscard]] Report report() {
    const EncodeJob encode_this = encode_job();
    const Report encoded = encode(encode_this, Check::kCheap);
    std::vector<double> bits(static_cast<std::size_t>(count));
    Poll never;
    const Report measured = measure({encode_this, encode_this.values, bits.data()}, never);
    const Bytes bytes(static_cast<std::size_t>(count));
    Decoder decoder(bytes);
    Symbols symbols(static_cast<std::size_t>(count));
    const Report decoded = decode({encode_this, symbols.data(), &decoder}, Check::kCheap);
    for (const Report& other : {measured, decoded}) {
      CHECK(other.problem == encoded.problem);
      CHECK(other.position == encoded.position);
      CHECK(other.column == encoded.column);
      CHECK(other.table == encoded.table);
    }
    return encoded;
  }

  Rows rows;
  std::int64_t count;
  const StoredCdf* cdf;
  EncodedStream stream;
};

Call own(const StoredCdf& cdf, const std::vector<Dimension>& shape) {
  std::int64_t count = 1;
  for (const Dimension& d : shape) count *= d.size;
  return {cdf, Rows(StridedWalk(cdf.row(0), shape)), count};
}

Call shared(const StoredCdf& tables, const std::vector<std::uint8_t>& index) {
  const auto count = static_cast<std::int64_t>(index.size());
  const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{count, 1}});
  const Numbers integers{DType::kUint8, walk};
  return {tables, Rows({tables.row(0), 8, tables.count()}, integers), count};
}

void check_decreasing(const Report& report, std::int64_t position, std::int64_t table = -1) {
  CHECK(report.problem == Problem::kDecreasing);
  CHECK(report.position == position);
  CHECK(report.column == 2);
  CHECK(report.table == table);
}

}  // namespace

TEST_CASE("the first converted value that is less than the one before it") {
  for_seeds(5000, [](Random& random) {
    const StoredCdf cdf = hostile_cdf(random, 1);
    const reference::Row row = cdf.reference_row(0);
    Fault expected;
    std::int64_t before = 0;
    for (std::int64_t j = 0; j < cdf.kind().symbols && expected.problem == Problem::kNone; ++j) {
      const std::int64_t value = row[static_cast<std::size_t>(j)];
      if (value < 0) continue;  // not finite
      if (value < before) expected = {Problem::kDecreasing, j};
      before = value;
    }
    const Fault fault =
        with_cdf(cdf.layout(), [&](const auto& model) { return model.decrease(cdf.row(0)); });
    CHECK(fault.problem == expected.problem);
    CHECK(fault.column == expected.column);
  });
}

TEST_CASE("equal neighbours do not decrease") {
  StoredCdf cdf = rows_with(1, {});
  cdf.set(0, 2, 20000);
  CHECK(own(cdf, {{1, 8}}).report().ok());
}

TEST_CASE("rows of their own are checked if they are few") {
  const StoredCdf few = rows_with(kFewRows, {kFewRows - 1});
  check_decreasing(own(few, {{kFewRows, 8}}).report(), kFewRows - 1);
  const StoredCdf many = rows_with(kFewRows + 1, {kFewRows});
  CHECK(own(many, {{kFewRows + 1, 8}}).report().ok());
}

TEST_CASE("expanded rows count once, and the first symbol that has one is named") {
  const StoredCdf cdf = rows_with(100, {70, 7});
  CHECK(own(cdf, {{100, 8}, {63, 0}}).report().ok());
  check_decreasing(own(cdf, {{100, 8}, {64, 0}}).report(), std::int64_t{7} * 64);
  check_decreasing(own(cdf, {{64, 0}, {100, 8}}).report(), 7);
  check_decreasing(own(cdf, {{2, 0}, {10, 80}, {32, 0}, {10, 8}}).report(), 7);
}

TEST_CASE("tables are all checked, or those that are used if the symbols are fewer") {
  const StoredCdf cdf = rows_with(100, {70});
  check_decreasing(shared(cdf, std::vector<std::uint8_t>(100, 3)).report(), 0, 70);
  CHECK(shared(cdf, std::vector<std::uint8_t>(99, 3)).report().ok());
  std::vector<std::uint8_t> index(99, 3);
  index[98] = 70;
  check_decreasing(shared(cdf, index).report(), 98);
  index[97] = 100;  // is out of range
  CHECK(shared(cdf, index).report().problem == Problem::kIndex);
}

TEST_CASE("the rows of a batch are few or not together, and tables are shared by its items") {
  const StoredCdf cdf = rows_with(40, {39});
  const StoredCdf other = rows_with(40, {});
  const std::vector<std::uint8_t> index(20, 3);
  const auto batch = [](Call first, Call second) {
    const std::vector<EncodeJob> items{first.encode_job(), second.encode_job()};
    ThreadTeam alone(1);
    return torchac::encode(items, alone);
  };
  const Call rows = own(cdf, {{40, 8}});
  CHECK(batch(own(other, {{40, 8}}), rows).ok());
  const Report report = batch(own(other, {{24, 8}}), rows);
  check_decreasing(report, 39);
  CHECK(report.item == 1);
  check_decreasing(batch(shared(cdf, index), shared(cdf, index)), 0, 39);
  CHECK(batch(shared(cdf, index), shared(other, index)).ok());
}

TEST_CASE("distinct elements of an array, and where each comes first") {
  for_seeds(2000, [](Random& random) {
    std::vector<Dimension> dimensions;
    std::int64_t stride = 1;
    for (auto d = random.below(5); d > 0; --d) {
      const std::int64_t size = random.one_in(10) ? 0 : random.between(1, 4);
      dimensions.insert(dimensions.begin(), {size, random.one_in(2) ? 0 : stride});
      stride *= 5;
    }
    std::vector<std::byte> memory(2000);
    StridedWalk walk(memory.data(), dimensions);
    std::int64_t count = 1;
    for (const Dimension& d : dimensions) count *= d.size;
    std::vector<std::int64_t> first(memory.size(), -1);
    std::int64_t distinct = 0;
    for (std::int64_t i = 0; i < count; ++i, walk.advance(1)) {
      auto& position = first[static_cast<std::size_t>(walk.at() - memory.data())];
      if (position >= 0) continue;
      position = i;
      ++distinct;
    }
    if (count == 0) return;
    const StridedWalk again(memory.data(), dimensions);
    CHECK(again.distinct() == distinct);
    const auto places = again.distinct_places();
    CHECK(static_cast<std::int64_t>(places.size()) == distinct);
    for (const auto& place : places)
      CHECK(first[static_cast<std::size_t>(place.at - memory.data())] == place.position);
  });
}

}  // namespace torchac::test
