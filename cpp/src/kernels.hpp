// The kernels of each instruction set.
#pragma once

#include "torchac/engine/kernels.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

extern const Kernels kBaselineKernels;

#ifdef TORCHAC_HAS_X86_SIMD
extern const Kernels kAvx2Kernels;
extern const SimdLoops kAvx512Loops;
#endif

}  // namespace torchac
