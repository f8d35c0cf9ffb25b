// The core computes in the floating-point mode of the format, in any mode of the caller.
#include "torchac/support/float_mode.hpp"

#include <doctest/doctest.h>

#include <cfenv>

#include "random.hpp"
#include "random_cdf.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace torchac::test {
namespace {

TEST_CASE("every rounding mode gives the same bytes, and stays") {
  Random random(1);
  for (const DType type : {DType::kFloat32, DType::kFloat64}) {
    const StoredCdf cdf = random_cdf(random, {type, true, 100}, 1000);
    const auto symbols = random_symbols(random, cdf);
    const Bytes stream = encode(cdf, symbols);
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
      REQUIRE(std::fesetround(mode) == 0);
      const Bytes same = encode(cdf, symbols);
      const Decoded decoded = decode(stream, cdf);
      const int after = std::fegetround();
      std::fesetround(FE_TONEAREST);
      CHECK(same == stream);
      CHECK(decoded.symbols == symbols);
      CHECK(after == mode);
    }
  }
}

#if defined(__x86_64__) || defined(_M_X64)
TEST_CASE("subnormal numbers are kept, and the caller's mode comes back") {
  const unsigned int before = _mm_getcsr();
  const unsigned int flushing = before | 0x8040;  // flushes results and operands
  _mm_setcsr(flushing);
  volatile double tiny = -1e-310;
  bool negative = false;
  {
    const StandardFloats floats;
    negative = tiny < 0;
  }
  const unsigned int after = _mm_getcsr();
  _mm_setcsr(before);
  CHECK(negative);
  CHECK((after & 0xFFC0) == (flushing & 0xFFC0));  // without the flags of what happened
}
#endif

}  // namespace
}  // namespace torchac::test
