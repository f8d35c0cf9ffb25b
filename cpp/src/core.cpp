// The core's functions, which call the processor's kernels.
#include "torchac/core.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "kernels.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/split.hpp"
#include "torchac/error.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/float_mode.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {
namespace {

Kernels kernels_for([[maybe_unused]] const InstructionSets& sets) {
  Kernels kernels = kBaselineKernels;
#ifdef TORCHAC_HAS_X86_SIMD
  if (sets.avx2) kernels = kAvx2Kernels;
  if (sets.avx512) kernels.simd = &kAvx512Loops;
#endif
  return kernels;
}

// Checks rows of CDFs before anything is coded.
template <class AnyJob>
Report check(std::span<const AnyJob> jobs, Poll& poll) {
  return kernels().check(Jobs(jobs), poll);
}

// Checks the ends of decoded streams: of all, or of those before the stream in `report`. Their last
// symbols may depend on bits after the end, which are unknown.
Report check_ends(std::span<const DecodeJob> jobs, const Report& report) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const DecodeJob& job = jobs[i];
    const bool stopped = !report.ok() && std::cmp_equal(i, report.item);
    const std::int64_t decoded = stopped ? report.position : job.count;
    const std::int64_t each = std::min(job.streams.symbols_per_stream, job.count);
    for (std::int64_t end = each; each > 0 && end <= decoded; end += each) {
      if (!job.streams.data[end / each - 1].determined())
        return {Problem::kTruncated, static_cast<std::int64_t>(i), end - 1};
    }
    if (stopped) break;
  }
  return report;
}

// These are `encode` and `decode` for rows that were checked.
Report encode_checked(std::span<const EncodeJob> jobs, ThreadTeam& team) {
  return jobs.empty() ? Report{} : kernels().encode(jobs, team);
}
Report decode_checked(std::span<const DecodeJob> jobs, ThreadTeam& team) {
  return jobs.empty() ? Report{} : check_ends(jobs, kernels().decode(jobs, team));
}

// Turns a report on a chunk into one on the whole.
Report on_whole(Report report, std::int64_t count, std::size_t chunks) {
  if (report.ok()) return report;
  report.position += chunk_begin(count, static_cast<std::int64_t>(chunks), report.item);
  report.item = 0;
  return report;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels chosen = kernels_for(instruction_sets());
  return chosen;
}

Report encode(std::span<const EncodeJob> jobs, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check(jobs, team.poll());
  return report.ok() ? encode_checked(jobs, team) : report;
}

Report decode(std::span<const DecodeJob> jobs, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check(jobs, team.poll());
  return report.ok() ? decode_checked(jobs, team) : report;
}

Report encode_chunks(const EncodeJob& job, std::span<EncodedStream> streams, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check(std::span(&job, 1), team.poll());
  if (!report.ok()) return report;
  return on_whole(encode_checked(split(job, streams), team), job.count, streams.size());
}

Report decode_chunks(const DecodeJob& job, std::span<Decoder> streams, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check(std::span(&job, 1), team.poll());
  if (!report.ok()) return report;
  return on_whole(decode_checked(split(job, streams), team), job.count, streams.size());
}

Report measure(const MeasureJob& job, Poll& poll) {
  const StandardFloats floats;
  const Report report = check(std::span(&job, 1), poll);
  return report.ok() ? kernels().measure(job, poll) : report;
}

Report quantize(const QuantizeJob& job, Poll& poll) {
  const StandardFloats floats;
  return kernels().quantize(job, poll);
}

Report tabulate(const TabulateJob& job, Poll& poll) {
  const StandardFloats floats;
  return kernels().tabulate(job, poll);
}

}  // namespace torchac
