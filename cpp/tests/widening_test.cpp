// Each half and bfloat16 becomes the float of the same value.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "definition.hpp"
#include "torchac/models/cdf_value.hpp"

namespace torchac::test {
namespace {

void check_widening(DType type, float (*widen)(std::uint16_t)) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    CAPTURE(bits);
    const float widened = widen(static_cast<std::uint16_t>(bits));
    const auto expected = static_cast<float>(real_value(type, bits));
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(widened));
    } else {
      // Zeros have signs.
      REQUIRE(std::bit_cast<std::uint32_t>(widened) == std::bit_cast<std::uint32_t>(expected));
    }
  }
}

}  // namespace

TEST_CASE("all half values widen") { check_widening(DType::kFloat16, widen_float16); }
TEST_CASE("all bfloat16 values widen") { check_widening(DType::kBFloat16, widen_bfloat16); }

}  // namespace torchac::test
