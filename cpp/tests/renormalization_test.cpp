// The shift of renormalization, which the core computes directly, against the format's loop.
#include <doctest/doctest.h>

#include <cstdint>

#include "random.hpp"
#include "reference.hpp"
#include "torchac/coder/range.hpp"

namespace torchac::test {
namespace {

std::uint32_t counted(std::uint64_t low, std::uint64_t width) {
  reference::State state{low, low + width - 1};
  std::uint32_t count = 0;
  while (state.doubled()) ++count;
  return count;
}

// The core may know `low` only modulo 2^31, or with the bits that it has written above it.
void check(Random& random, std::uint64_t low, std::uint64_t width) {
  CAPTURE(low);
  CAPTURE(width);
  const std::uint32_t expected = counted(low, width);
  REQUIRE(renormalization_shift(low, width) == expected);
  REQUIRE(renormalization_shift(low % reference::kHalf, width) == expected);
  REQUIRE(renormalization_shift(low + reference::kHalf * random.below(1 << 16), width) == expected);
}

}  // namespace

TEST_CASE("any part of the range") {
  Random random(0);
  for (int i = 0; i < 300000; ++i) {
    const std::uint64_t smallest = std::uint64_t{1} << random.between(14, 31);
    const std::uint64_t width = smallest + random.below(smallest) + 1;
    check(random, random.below(kFullRange - width + 1), width);
  }
}

TEST_CASE("parts that begin or end at a border") {
  Random random(0);
  for (int i = 0; i < 300000; ++i) {
    const std::uint64_t unit = std::uint64_t{1} << random.between(14, 31);
    const std::uint64_t border = unit * random.below(kFullRange / unit);
    const std::uint64_t width = unit + static_cast<std::uint64_t>(random.between(0, 2)) - 1;
    const std::uint64_t shift = random.below(3);
    if (border + shift >= 1 && border + shift - 1 + width <= kFullRange) {
      check(random, border + shift - 1, width);
    }
  }
}

}  // namespace torchac::test
