// The CDF value that a target corresponds to, found with doubles, against a division of integers.
#include <doctest/doctest.h>

#include <cstdint>

#include "random.hpp"
#include "torchac/decoder.hpp"
#include "torchac/range.hpp"

namespace torchac::test {
namespace {

void check(std::uint64_t offset, std::uint64_t span) {
  const auto range = DecoderRange<std::uint64_t>::at(0, span, offset);
  const Target target(range);
  CAPTURE(offset);
  CAPTURE(span);
  const std::uint64_t quantile = ((offset + 1) * 65536 - 1) / span;
  REQUIRE(target.quantile() == quantile);
  REQUIRE(Target::fused(range).quantile() == quantile);
  const auto c = static_cast<std::uint32_t>(quantile);
  REQUIRE(target.reaches(c));
  REQUIRE_FALSE(target.reaches(c + 1));
}

std::uint64_t random_span(Random& random) {
  return kMinSpan + 1 + random.below(kFullSpan - kMinSpan);
}

}  // namespace

TEST_CASE("any target") {
  Random random(0);
  for (int i = 0; i < 300000; ++i) {
    const std::uint64_t span = random_span(random);
    check(random.below(span), span);
  }
}

TEST_CASE("the first and the last target of a CDF value") {
  Random random(0);
  for (int i = 0; i < 100000; ++i) {
    const std::uint64_t span = random.one_in(10) ? kFullSpan : random_span(random);
    const std::uint64_t first = scale(span, static_cast<std::uint32_t>(random.between(1, 65535)));
    check(first - 1, span);
    check(first, span);
    check(span - 1, span);
  }
}

}  // namespace torchac::test
