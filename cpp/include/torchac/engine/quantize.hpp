// Quantizes rows of a CDF.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

inline Report quantize_rows(const QuantizeJob& job, Poll& poll) {
  return with_cdf(job.cdf.layout, [&](const auto& cdf) -> Report {
    const std::uint32_t values = cdf.symbols() + 1;
    RowReader rows(job.cdf.rows);
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
