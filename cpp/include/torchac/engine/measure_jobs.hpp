// Measures what symbols cost, and quantizes rows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/costs.hpp"
#include "torchac/engine/encode_jobs.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/encode_lut.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The cost of so many symbols of a source.
template <IntervalSource Source>
Report measure_all(Source source, std::int64_t symbols, double* to, Poll& poll) {
  const double* bits = costs().data();
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
  if (job.count == 0) return {};
  if (const auto tables = encode_tables(CdfJobs(std::span(&job, 1)), poll)) {
    return measure_all(
        EncodeSource(tables->model(), TableReader(job.rows, tables->step()), job.symbols),
        job.count, job.bits, poll);
  }
  return with_cdf(job.cdf, [&](const auto& cdf) {
    return measure_all(EncodeSource(cdf, RowReader(job.rows), job.symbols), job.count, job.bits,
                       poll);
  });
}

inline Report quantize_job(const QuantizeJob& job, Poll& poll) {
  return with_cdf(job.cdf, [&](const auto& cdf) -> Report {
    const std::uint32_t values = cdf.symbols() + 1;
    RowReader rows(job.rows);
    std::array<const std::byte*, kBlock> block;
    std::byte* to = job.values;
    for (std::int64_t done = 0; done < job.count;) {
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(job.count - done, kBlock));
      const std::size_t good = rows.read(count, block.data()).count;
      for (std::size_t i = 0; i < good; ++i, to += values * sizeof(std::uint16_t)) {
        if (!cdf.quantize(block[i], values, to)) [[unlikely]]
          return {Problem::kNotFinite, 0, done + static_cast<std::int64_t>(i),
                  cdf.not_finite(block[i]).column};
        poll.after(values);
      }
      if (good < count) return {Problem::kIndex, 0, done + static_cast<std::int64_t>(good)};
      done += static_cast<std::int64_t>(count);
    }
    return {};
  });
}

TORCHAC_END_TARGET
