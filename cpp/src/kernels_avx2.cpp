#define TORCHAC_TARGET avx2
#define TORCHAC_TARGET_OPTIONS "avx2,fma,bmi,bmi2,lzcnt"

#include "kernels.hpp"
#include "torchac/engine/decode_jobs.hpp"
#include "torchac/engine/element_rows.hpp"
#include "torchac/engine/encode_jobs.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/measure_jobs.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/value_jobs.hpp"

namespace torchac {

#ifdef TORCHAC_HAS_X86_SIMD
constinit const Kernels kAvx2Kernels{check_rows,   encode_jobs,   decode_jobs,   measure_job,
                                     quantize_job, encode_values, decode_values, measure_values,
                                     tabulate,     &kSimdLoops};
#endif

}  // namespace torchac
