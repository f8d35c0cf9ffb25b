// The core's functions, which are those of the processor's kernels.
#include "torchac/core.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/parts.hpp"
#include "torchac/engine/value_job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/float_mode.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {
namespace {

Kernels kernels_for([[maybe_unused]] Cpu cpu) {
#ifdef TORCHAC_HAS_X86_SIMD
  Kernels kernels = cpu == Cpu::kBaseline ? kBaselineKernels : kAvx2Kernels;
  if (cpu == Cpu::kAvx512) kernels.simd = &kAvx512Loops;
  return kernels;
#else
  return kBaselineKernels;
#endif
}

template <class Job>
void require_one_type(std::span<const Job> jobs) {
  const auto same = [&](const Job& job) { return job.cdf.type == jobs.front().cdf.type; };
  if (!std::ranges::all_of(jobs, same)) throw std::invalid_argument("rows of different types");
}

// What is wrong with rows, which is told before anything is coded.
template <class Job>
Report check_rows(std::span<const Job> jobs, Check check, Poll& poll) {
  require_one_type(jobs);
  return jobs.empty() ? Report{} : kernels().check(CdfJobs(jobs), check, poll);
}

// Looks at the ends of the streams that were decoded: all, or those before the one that `report` is
// on. Their last symbols may have been decoded with bits after the end, of which nobody knows.
template <class Job>
Report check_ends(std::span<const Job> jobs, const Report& report) {
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Job& job = jobs[i];
    const bool stopped = !report.ok() && std::cmp_equal(i, report.item);
    const std::int64_t decoded = stopped ? report.position : job.count;
    const std::int64_t each = std::min(job.streams.each, job.count);
    for (std::int64_t end = each; each > 0 && end <= decoded; end += each) {
      if (!job.streams.first[end / each - 1].determined())
        return {Problem::kTruncated, static_cast<std::int64_t>(i), end - 1};
    }
    if (stopped) break;
  }
  return report;
}

// The same as `encode` and `decode`, of rows that were looked at.
Report encode_checked(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team) {
  return jobs.empty() ? Report{} : kernels().encode(jobs, check, team);
}

Report decode_checked(std::span<const DecodeJob> jobs, ThreadTeam& team) {
  if (jobs.empty()) return {};
  return check_ends(jobs, kernels().decode(jobs, team));
}

// A report on one of the parts, as one on the whole.
Report on_whole(Report report, std::int64_t size) {
  report.position += report.item * size;
  report.item = 0;
  return report;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels chosen = kernels_for(cpu());
  return chosen;
}

Report encode(std::span<const EncodeJob> jobs, Check check, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check_rows(jobs, check, team.poll());
  return report.ok() ? encode_checked(jobs, check, team) : report;
}

Report decode(std::span<const DecodeJob> jobs, Check check, ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check_rows(jobs, check, team.poll());
  return report.ok() ? decode_checked(jobs, team) : report;
}

Report encode_parts(const EncodeJob& job, std::int64_t size, std::span<EncodedStream> streams,
                    ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check_rows(std::span(&job, 1), Check::kFew, team.poll());
  if (!report.ok()) return report;
  return on_whole(encode_checked(split(job, size, streams), Check::kFew, team), size);
}

Report decode_parts(const DecodeJob& job, std::int64_t size, std::span<Decoder> streams,
                    ThreadTeam& team) {
  const StandardFloats floats;
  const Report report = check_rows(std::span(&job, 1), Check::kFew, team.poll());
  if (!report.ok()) return report;
  return on_whole(decode_checked(split(job, size, streams), team), size);
}

Report encode_parts(const EncodeValuesJob& job, std::int64_t size, std::span<EncodedStream> streams,
                    ThreadTeam& team) {
  return on_whole(encode(split(job, size, streams), team), size);
}

Report decode_parts(const DecodeValuesJob& job, std::int64_t size, std::span<Decoder> streams,
                    ThreadTeam& team) {
  return on_whole(decode(split(job, size, streams), team), size);
}

Report measure(const MeasureJob& job, Check check, Poll& poll) {
  const StandardFloats floats;
  const Report report = check_rows(std::span(&job, 1), check, poll);
  return report.ok() ? kernels().measure(job, poll) : report;
}

Report quantize(const QuantizeJob& job, Poll& poll) {
  const StandardFloats floats;
  return kernels().quantize(job, poll);
}

Report encode(std::span<const EncodeValuesJob> jobs, ThreadTeam& team) {
  const StandardFloats floats;
  return jobs.empty() ? Report{} : kernels().encode_values(jobs, team);
}

Report decode(std::span<const DecodeValuesJob> jobs, ThreadTeam& team) {
  const StandardFloats floats;
  if (jobs.empty()) return {};
  return check_ends(jobs, kernels().decode_values(jobs, team));
}

Report measure(const MeasureValuesJob& job, Poll& poll) {
  const StandardFloats floats;
  return kernels().measure_values(job, poll);
}

Report tabulate(const TabulateJob& job, Poll& poll) {
  const StandardFloats floats;
  return kernels().tabulate(job, poll);
}

std::span<const double> costs() {
  static const std::vector<double> bits = [] {
    std::vector<double> result(kTotalFrequency + 1);
    for (std::uint32_t width = 1; width <= kTotalFrequency; ++width)
      result[width] = kPrecision - std::log2(static_cast<double>(width));
    return result;
  }();
  return bits;
}

}  // namespace torchac
