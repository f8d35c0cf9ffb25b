#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "torchac/checks.hpp"
#include "torchac/coding.hpp"
#include "torchac/interval.hpp"
#include "torchac/intervals.hpp"
#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/shared_tables.hpp"
#include "torchac/sources.hpp"

namespace torchac {
namespace {

// The cost of the symbols that a source has intervals of.
template <class Intervals>
Report measure_all(Intervals& intervals, const MeasureItem& item, Poll& poll) {
  const double* bits = costs().data();
  for (std::int64_t done = 0; done < item.count;) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(item.count - done, kBlock));
    const Readable readable = intervals.read(count);
    const auto view = intervals.view(0);
    for (std::size_t i = 0; i < readable.count; ++i) {
      const Interval interval = view.interval(i);
      if constexpr (!Intervals::kIsChecked) {
        if (!interval.codable()) [[unlikely]] {
          const Fault fault = intervals.why_not_codable(i);
          return {fault.problem, 0, done + static_cast<std::int64_t>(i), fault.column};
        }
      }
      item.bits[done + static_cast<std::int64_t>(i)] = bits[interval.high - interval.low];
    }
    done += static_cast<std::int64_t>(readable.count);
    if (readable.count < count) return {readable.fault.problem, 0, done, readable.fault.column};
    poll.after(count);
  }
  return {};
}

}  // namespace

std::span<const double> costs() {
  static const std::vector<double> bits = [] {
    std::vector<double> result(kWhole + 1);
    for (std::uint32_t width = 1; width <= kWhole; ++width)
      result[width] = kPrecision - std::log2(static_cast<double>(width));
    return result;
  }();
  return bits;
}

Report measure(const MeasureItem& item, Check check, Poll& poll) {
  const std::span<const MeasureItem> items(&item, 1);
  const Report report = RowChecks(items, check, poll).run();
  if (!report.ok() || item.count == 0) return report;
  if (const auto tables = interval_tables(items, poll)) {
    TableIntervals intervals(*tables, *item.rows.index(), item.symbols);
    return measure_all(intervals, item, poll);
  }
  return std::visit(
      [&](const auto& format) {
        RowIntervals intervals(format, item.rows, item.symbols, false);
        return measure_all(intervals, item, poll);
      },
      item.format);
}

Report quantize(const QuantizeItem& item, Poll& poll) {
  return std::visit(
      [&](const auto& format) -> Report {
        const std::uint32_t values = format.symbols() + 1;
        Rows rows = item.rows;
        std::array<const std::byte*, kBlock> block;
        std::byte* to = item.values;
        for (std::int64_t done = 0; done < item.count;) {
          const auto count =
              static_cast<std::size_t>(std::min<std::int64_t>(item.count - done, kBlock));
          rows.read(count, block.data());
          for (std::size_t i = 0; i < count; ++i, to += values * sizeof(std::uint16_t)) {
            if (!format.convert(block[i], values, to)) [[unlikely]]
              return {Problem::kNotFinite, 0, done + static_cast<std::int64_t>(i),
                      format.not_finite(block[i]).column};
            poll.after(values);
          }
          done += static_cast<std::int64_t>(count);
        }
        return {};
      },
      item.format);
}

}  // namespace torchac
