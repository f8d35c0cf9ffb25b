// A walk visits the elements of an array as nested loops would.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "random.hpp"
#include "torchac/arrays/strided.hpp"

namespace torchac::test {
namespace {

// Offsets of the elements, in row-major order.
std::vector<std::int64_t> nested_loops(const std::vector<Dimension>& dimensions, std::size_t d = 0,
                                       std::int64_t offset = 0) {
  if (d == dimensions.size()) return {offset};
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < dimensions[d].size; ++i) {
    const auto inner = nested_loops(dimensions, d + 1, offset + i * dimensions[d].stride);
    result.insert(result.end(), inner.begin(), inner.end());
  }
  return result;
}

// The offsets by a walk that advances by any number of steps that it allows.
std::vector<std::int64_t> walked(Random& random, const std::vector<Dimension>& dimensions,
                                 std::size_t count) {
  std::int64_t reach = 0;
  for (const Dimension& d : dimensions) reach += std::abs(d.size * d.stride);
  const std::vector<std::byte> memory(static_cast<std::size_t>(2 * reach) + 1);
  const std::byte* first = memory.data() + reach;

  StridedWalk walk(first, dimensions);
  std::vector<std::int64_t> result;
  while (result.size() < count) {
    const std::int64_t steps = random.between(1, walk.run());
    for (std::int64_t i = 0; i < steps; ++i) {
      result.push_back(walk.at() - first + i * walk.stride());
    }
    walk.advance(steps);
  }
  return result;
}

}  // namespace

TEST_CASE("any shape and strides") {
  for_seeds(3000, [](Random& random) {
    std::vector<Dimension> dimensions;
    const bool contiguous = random.one_in(3);
    std::int64_t stride = 2;
    for (auto d = random.below(6); d > 0; --d) {
      const std::int64_t size = random.one_in(10) ? 0 : random.between(1, 4);
      dimensions.insert(dimensions.begin(), {size, contiguous ? stride : random.between(-20, 20)});
      stride *= size;
    }
    const auto expected = nested_loops(dimensions);
    CHECK(walked(random, dimensions, expected.size()) == expected);
  });
}

TEST_CASE("offsets of more than 32 bits") {
  const std::byte element{};
  constexpr std::int64_t kFar = std::int64_t{5} << 31;
  StridedWalk walk(&element, {{2, kFar}, {2, -3 * kFar}});
  for (const std::int64_t offset : {0, -3, 1, -2}) {
    CHECK(walk.at() - &element == offset * kFar);
    walk.advance(1);
  }
}

TEST_CASE("elements that lie evenly are one run") {
  const std::byte element{};
  CHECK(StridedWalk(&element, {{5, 48}, {1, 7}, {4, 12}, {3, 4}}).run() == 60);
  CHECK(StridedWalk(&element, {{5, 0}, {4, 0}}).run() == 20);
  CHECK(StridedWalk(&element, {}).run() == 1);
}

}  // namespace torchac::test
