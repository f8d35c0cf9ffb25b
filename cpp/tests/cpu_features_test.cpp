// The detected instruction sets are those of GCC's function.
#include "torchac/support/cpu_features.hpp"

#include <doctest/doctest.h>

#include "torchac/support/compiler.hpp"

#if defined(TORCHAC_HAS_X86_SIMD) && !defined(__clang__)

namespace torchac::test {

TEST_CASE("instruction sets beyond the baseline") {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                    __builtin_cpu_supports("lzcnt");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  CHECK(detect_instruction_sets() == InstructionSets{avx2, avx2 && avx512});
}

TEST_CASE("the vendor") { CHECK(detect_prefetch() == __builtin_cpu_is("intel")); }

}  // namespace torchac::test

#endif
