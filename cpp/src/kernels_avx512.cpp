// SIMD across streams, which gains by AVX-512. All other kernels are those of AVX2.
#define TORCHAC_TARGET avx512
#define TORCHAC_TARGET_OPTIONS "avx512f,avx512dq,avx512vl,bmi,bmi2,lzcnt"
#define TORCHAC_TARGET_AVX2

#include "kernels.hpp"
#include "torchac/engine/simd_loop.hpp"

namespace torchac {

#ifdef TORCHAC_HAS_X86_SIMD
constinit const SimdLoops kAvx512Loops = kSimdLoops;
#endif

}  // namespace torchac
