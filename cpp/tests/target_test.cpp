// The CDF value that a target corresponds to, found by a division of doubles, against integers.
#include <doctest/doctest.h>

#include <cstdint>

#include "random.hpp"
#include "torchac/decoder.hpp"
#include "torchac/range.hpp"

namespace torchac::test {
namespace {

void check(Target target) {
  CAPTURE(target.offset);
  CAPTURE(target.span);
  const std::uint64_t quantile = ((target.offset + 1) * 65536 - 1) / target.span;
  REQUIRE(target.quantile() == quantile);
  REQUIRE(target.reaches(target.quantile()));
  REQUIRE_FALSE(target.reaches(target.quantile() + 1));
}

std::uint64_t random_span(Random& random) {
  return kMinSpan + 1 + random.below(kFullSpan - kMinSpan);
}

}  // namespace

TEST_CASE("any target") {
  Random random(0);
  for (int i = 0; i < 300000; ++i) {
    const std::uint64_t span = random_span(random);
    check({random.below(span), span});
  }
}

TEST_CASE("the first and the last target of a CDF value") {
  Random random(0);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t span = random.one_in(10) ? kFullSpan : random_span(random);
    const std::uint64_t first = scale(span, static_cast<std::uint32_t>(random.between(1, 65535)));
    check({first - 1, span});
    check({first, span});
    check({span - 1, span});
  }
}

}  // namespace torchac::test
