// Measures the costs of values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/arrays/block.hpp"
#include "torchac/coder/bit_costs.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/encode.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_values.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The costs of the next symbols of a source.
template <IntervalSource Source>
Report measure_all(Source source, std::int64_t symbols, double* to, Poll& poll) {
  const double* bits = bit_costs().data();
  for (std::int64_t done = 0; done < symbols;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(symbols - done, kBlock));
    const ReadableBlock readable = source.read(count);
    const auto view = source.view(0);
    std::fill_n(to + done, readable.count, 0.0);
    for (std::size_t i = 0; i < source.size(); ++i) {
      const Interval interval = view.interval(i);
      const std::int64_t symbol = done + static_cast<std::int64_t>(source.symbol(i));
      if constexpr (LazySource<Source>) {
        if (!interval.codable()) [[unlikely]] {
          const Fault fault = source.why_not_codable(i);
          return {fault.problem, 0, symbol, fault.column};
        }
      }
      to[symbol] += bits[interval.high - interval.low];
    }
    done += static_cast<std::int64_t>(readable.count);
    if (readable.count < count && readable.fault.problem != Problem::kNone)
      return {readable.fault.problem, 0, done, readable.fault.column};
    poll.after(count);
  }
  return {};
}

inline Report measure_job(const MeasureJob& job, Poll& poll) {
  const SharedJobs<MeasureJob> shared({&job, 1}, false, 1, poll);
  const MeasureJob& its = shared.jobs().front();
  return with_encode_source(shared.jobs(), 1, poll, [&](const auto& source) {
    return measure_all(source(its, 0), its.count, its.bits, poll);
  });
}

TORCHAC_END_TARGET
