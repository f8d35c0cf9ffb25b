// The functions of the core, which encode and decode one stream or many, with models of any kind.
#pragma once

#include <cstdint>
#include <span>

#include "torchac/engine/checksums.hpp"     // IWYU pragma: export
#include "torchac/engine/job.hpp"           // IWYU pragma: export
#include "torchac/engine/lockstep.hpp"      // IWYU pragma: export
#include "torchac/engine/thread_count.hpp"  // IWYU pragma: export
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// Encodes the jobs' values at the ends of their streams. If values share elements, makes rows and
// lookup tables that repay their cost.
Report encode(std::span<const EncodeJob> jobs, ThreadTeam& team);

// Decodes the jobs' values from the current positions of their streams.
Report decode(std::span<const DecodeJob> jobs, ThreadTeam& team);

// These divide a job into as many chunks as there are streams, at most one for each value. The
// sizes of chunks differ by at most one, and the larger ones come first. The job's own streams are
// ignored.
Report encode_chunks(const EncodeJob& job, std::span<EncodedStream> streams, ThreadTeam& team);
Report decode_chunks(const DecodeJob& job, std::span<Decoder> streams, ThreadTeam& team);

// Computes the cost of each value.
Report measure(const MeasureJob& job, Poll& poll);

// Quantizes rows of a CDF as coding does. The position in its report is that of the row.
Report quantize(const QuantizeJob& job, Poll& poll);

// Computes the rows of a model. The position in its report is that of the row.
Report tabulate(const TabulateJob& job, Poll& poll);

}  // namespace torchac
