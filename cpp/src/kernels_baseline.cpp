#include "kernels.hpp"
#include "torchac/engine/decode.hpp"
#include "torchac/engine/encode.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/measure.hpp"
#include "torchac/engine/quantize.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/engine/tabulate.hpp"

namespace torchac {

constinit const Kernels kBaselineKernels{check_rows,    encode_jobs,   decode_jobs, measure_job,
                                         quantize_rows, tabulate_rows, nullptr};

}  // namespace torchac
