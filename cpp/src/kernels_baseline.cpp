#include "kernels.hpp"
#include "torchac/engine/decode_jobs.hpp"
#include "torchac/engine/element_rows.hpp"
#include "torchac/engine/encode_jobs.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/measure_jobs.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/engine/value_jobs.hpp"

namespace torchac {

constinit const Kernels kBaselineKernels{check_rows,   encode_jobs,   decode_jobs,   measure_job,
                                         quantize_job, encode_values, decode_values, measure_values,
                                         tabulate,     nullptr};

}  // namespace torchac
