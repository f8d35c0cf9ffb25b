// What the core offers: encode and decode streams, one or many, with rows of any type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/engine/checksums.hpp"  // IWYU pragma: export
#include "torchac/engine/costs.hpp"      // IWYU pragma: export
#include "torchac/engine/job.hpp"        // IWYU pragma: export
#include "torchac/engine/lockstep.hpp"   // IWYU pragma: export
#include "torchac/engine/value_job.hpp"  // IWYU pragma: export
#include "torchac/engine/work.hpp"       // IWYU pragma: export
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// Encodes the jobs' symbols at the ends of their streams.
Report encode(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team);

// Decodes the jobs' symbols from where their streams are.
Report decode(std::span<const DecodeJob> jobs, Check check, ThreadTeam& team);

// The same in parts of `size` symbols: job.streams means nothing, each part has one of `streams`.
Report encode_parts(const EncodeJob& job, std::int64_t size, std::span<EncodedStream> streams,
                    ThreadTeam& team);
Report decode_parts(const DecodeJob& job, std::int64_t size, std::span<Decoder> streams,
                    ThreadTeam& team);

// Tells what each symbol costs.
Report measure(const MeasureJob& job, Check check, Poll& poll);

// Quantizes rows as coding does. The position of what it reports is the row's.
Report quantize(const QuantizeJob& job, Poll& poll);

// The same for values, which have windows. Rows and lookup tables are made of what they share,
// where these pay.
Report encode(std::span<const EncodeValuesJob> jobs, ThreadTeam& team);
Report decode(std::span<const DecodeValuesJob> jobs, ThreadTeam& team);
Report encode_parts(const EncodeValuesJob& job, std::int64_t size, std::span<EncodedStream> streams,
                    ThreadTeam& team);
Report decode_parts(const DecodeValuesJob& job, std::int64_t size, std::span<Decoder> streams,
                    ThreadTeam& team);
Report measure(const MeasureValuesJob& job, Poll& poll);

// Computes rows. The position of what it reports is the row's.
Report tabulate(const TabulateJob& job, Poll& poll);

}  // namespace torchac
