// Rows come one after the other, or an index chooses them.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace torchac::test {
namespace {

// The next rows, as their distances in bytes from the first table.
std::vector<std::ptrdiff_t> read(Rows& rows, std::size_t count, const std::byte* first) {
  std::vector<const std::byte*> found(count);
  found.resize(rows.read(count, found.data()));
  std::vector<std::ptrdiff_t> result;
  for (const std::byte* row : found) result.push_back(row - first);
  return result;
}

}  // namespace

TEST_CASE("rows of their own are visited in order, in reads of any length") {
  const std::vector<std::byte> memory(1000);
  const std::byte* first = memory.data() + 500;
  Rows rows(StridedWalk(first, {{3, 100}, {2, -20}}));
  CHECK(read(rows, 1, first) == std::vector<std::ptrdiff_t>{0});
  CHECK(read(rows, 4, first) == std::vector<std::ptrdiff_t>{-20, 100, 80, 200});
  CHECK(read(rows, 1, first) == std::vector<std::ptrdiff_t>{180});
}

TEST_CASE("an index chooses tables, and one that names none ends the read") {
  const std::vector<std::byte> tables(60);
  const std::vector<std::int8_t> index{2, 0, 1, 2, 3, 0, -1};
  const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{7, 1}});
  Rows rows({tables.data(), 20, 3}, Integers(IntegerType::kInt8, walk, 3, false));
  CHECK(read(rows, 3, tables.data()) == std::vector<std::ptrdiff_t>{40, 0, 20});
  CHECK(read(rows, 3, tables.data()) == std::vector<std::ptrdiff_t>{40});
  CHECK(read(rows, 1, tables.data()).empty());
}

}  // namespace torchac::test
