// Rows are consecutive, or an index selects them.
#include "torchac/arrays/rows.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "torchac/arrays/strided.hpp"

namespace torchac::test {
namespace {

// The next rows, as their distances in bytes from the first table.
std::vector<std::ptrdiff_t> read(RowReader& rows, std::size_t count, const std::byte* first) {
  std::vector<const std::byte*> found(count);
  found.resize(rows.read(count, found.data()).count);
  std::vector<std::ptrdiff_t> result;
  for (const std::byte* row : found) result.push_back(row - first);
  return result;
}

}  // namespace

TEST_CASE("rows of their own are visited in order, in reads of any length") {
  const std::vector<std::byte> memory(1000);
  const std::byte* first = memory.data() + 500;
  RowReader rows(Rows(StridedWalk(first, {{3, 100}, {2, -20}})));
  CHECK(read(rows, 1, first) == std::vector<std::ptrdiff_t>{0});
  CHECK(read(rows, 4, first) == std::vector<std::ptrdiff_t>{-20, 100, 80, 200});
  CHECK(read(rows, 1, first) == std::vector<std::ptrdiff_t>{180});
}

TEST_CASE("an index chooses tables, and one that is out of range ends the read") {
  const std::vector<std::byte> tables(60);
  const std::vector<std::int8_t> index{2, 0, 1, 2, 3, 0, -1};
  const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{7, 1}});
  RowReader rows(Rows({tables.data(), 20, 3}, {DType::kInt8, walk}));
  CHECK(read(rows, 3, tables.data()) == std::vector<std::ptrdiff_t>{40, 0, 20});
  CHECK(read(rows, 3, tables.data()) == std::vector<std::ptrdiff_t>{40});
  CHECK(read(rows, 1, tables.data()).empty());
}

TEST_CASE("numbers of tables become locators, and as many as 32 bits can tell apart are read") {
  const std::vector<std::int64_t> index{0, UINT32_MAX - 1, UINT32_MAX, std::int64_t{1} << 32};
  const auto read_with = [&](std::int64_t tables, std::uint32_t step) {
    const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{4, 8}});
    std::vector<std::uint32_t> found(index.size());
    found.resize(TableReader(Rows({nullptr, 0, tables}, {DType::kInt64, walk}), step)
                     .read(4, found.data())
                     .count);
    return found;
  };
  CHECK(read_with(1, 5) == std::vector<std::uint32_t>{0});
  CHECK(read_with(std::int64_t{1} << 40, 1) == std::vector<std::uint32_t>{0, UINT32_MAX - 1});

  const std::vector<std::uint8_t> few{2, 1, 3};
  const StridedWalk walk(std::as_bytes(std::span(few)).data(), {{3, 1}});
  std::array<std::uint32_t, 3> found{};
  const ReadableBlock readable =
      TableReader(Rows({nullptr, 0, 3}, {DType::kUint8, walk}), 7, 4).read(3, found.data());
  CHECK(readable.count == 2);
  CHECK(readable.fault.problem == Problem::kIndex);
  CHECK(found[0] == 18);
  CHECK(found[1] == 11);
}

}  // namespace torchac::test
