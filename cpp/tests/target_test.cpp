// The CDF value that a target corresponds to, found with doubles, against a division of integers.
#include "torchac/coder/target.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "random.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/range.hpp"

namespace torchac::test {
namespace {

void check(std::uint64_t offset, std::uint64_t range) {
  const auto state = DecoderState<std::uint64_t>::at(0, range, offset);
  const auto target = Target::of<false>(state);
  CAPTURE(offset);
  CAPTURE(range);
  const std::uint64_t quantile = ((offset + 1) * 65536 - 1) / range;
  REQUIRE(target.quantile() == quantile);
  REQUIRE(Target::of<true>(state).quantile() == quantile);
  const auto c = static_cast<std::uint32_t>(quantile);
  REQUIRE(target.reaches(c));
  REQUIRE_FALSE(target.reaches(c + 1));
}

std::uint64_t random_range(Random& random) {
  return kMinRange + 1 + random.below(kFullRange - kMinRange);
}

}  // namespace

TEST_CASE("any target") {
  Random random(0);
  for (int i = 0; i < 300000; ++i) {
    const std::uint64_t range = random_range(random);
    check(random.below(range), range);
  }
}

TEST_CASE("the first and the last target of a CDF value") {
  Random random(0);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t range = random.one_in(10) ? kFullRange : random_range(random);
    const std::uint64_t first = scale(range, static_cast<std::uint32_t>(random.between(1, 65535)));
    check(first - 1, range);
    check(first, range);
    check(range - 1, range);
  }
}

}  // namespace torchac::test
