#define TORCHAC_TARGET avx2
#define TORCHAC_TARGET_OPTIONS "avx2,fma,bmi,bmi2,lzcnt"
#define TORCHAC_TARGET_AVX2

#include "kernels.hpp"
#include "torchac/engine/decode.hpp"
#include "torchac/engine/encode.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/measure.hpp"
#include "torchac/engine/quantize.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/tabulate.hpp"

namespace torchac {

#ifdef TORCHAC_HAS_X86_SIMD
constinit const Kernels kAvx2Kernels{check_rows,    encode_jobs,   decode_jobs, measure_job,
                                     quantize_rows, tabulate_rows, &kSimdLoops};
#endif

}  // namespace torchac
