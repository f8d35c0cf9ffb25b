// Checks rows of CDFs before a call codes anything, and finds their first fault.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// Rows without an index are few if they are at most this many, or at most one for this many
// symbols, which share it because an array is expanded. Checking a row takes as long as encoding
// one to three symbols, so checking few rows takes a few microseconds, or a few percent.
inline constexpr std::int64_t kFewRows = 64;

// The tables that all jobs share, and the number of symbols coded with them.
struct SharedRows {
  CdfLayout layout;
  TableView view;
  std::int64_t symbols;
};

// The tables that jobs with CDFs share, if all share the same.
[[nodiscard]] inline std::optional<SharedRows> shared_rows(const Jobs& jobs) {
  const auto& first = std::get<CdfRows>(jobs[0].model);
  const std::optional<TableView>& view = first.rows.tables();
  std::int64_t symbols = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& cdf = std::get<CdfRows>(jobs[i].model);
    if (!view || cdf.rows.tables() != view || cdf.layout != first.layout) return std::nullopt;
    symbols += jobs[i].count;
  }
  return SharedRows{first.layout, *view, symbols};
}

}  // namespace torchac

TORCHAC_BEGIN_TARGET

class RowChecks {
 public:
  RowChecks(Jobs jobs, Poll& poll) : jobs_(jobs), poll_(poll) {}

  [[nodiscard]] TORCHAC_NOINLINE Report run() {
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const CdfRows* const cdf = cdf_of(i);
      if (cdf == nullptr || cdf->check == Check::kNone) continue;
      Report report;
      if (cdf->rows.tables()) {
        report = check_tables(i);
      } else if (cdf->check == Check::kCheap && rows_are_few()) {
        report = check_rows(i);
      }
      report.item = static_cast<std::int64_t>(i);
      if (!report.ok()) return report;
    }
    return {};
  }

 private:
  // The CDF of a job, if that is its model.
  [[nodiscard]] const CdfRows* cdf_of(std::size_t i) const {
    return std::get_if<CdfRows>(&jobs_[i].model);
  }

  [[nodiscard]] bool rows_are_few() {
    if (!few_) few_ = count_rows();
    return *few_;
  }

  [[nodiscard]] bool count_rows() const {
    std::int64_t rows = 0;
    std::int64_t symbols = 0;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const CdfRows* const cdf = cdf_of(i);
      if (cdf == nullptr || cdf->rows.tables() || jobs_[i].count == 0) continue;
      rows += cdf->rows.walk().distinct();
      symbols += jobs_[i].count;
    }
    return rows <= std::max(kFewRows, symbols / kFewRows);
  }

  // Whether job i has the same tables and the same check as the one before it.
  [[nodiscard]] bool shares_with_last(std::size_t i) const {
    if (i == 0) return false;
    const CdfRows* const last = cdf_of(i - 1);
    const CdfRows* const cdf = cdf_of(i);
    return last != nullptr && cdf != nullptr && last->rows.tables() == cdf->rows.tables() &&
           last->layout == cdf->layout && last->check == cdf->check;
  }

  // The number of symbols, from job i on, that share its tables.
  [[nodiscard]] std::int64_t sharing(std::size_t i) const {
    std::int64_t symbols = jobs_[i].count;
    for (++i; i < jobs_.size() && shares_with_last(i); ++i) symbols += jobs_[i].count;
    return symbols;
  }

  // Checks all tables, used or not, unless there are fewer symbols than tables.
  [[nodiscard]] Report check_tables(std::size_t i) {
    const CdfRows& cdf = *cdf_of(i);
    const TableView& view = *cdf.rows.tables();
    const bool known = shares_with_last(i);
    if (!known) all_tables_ = cdf.check == Check::kAll || sharing(i) >= view.count;
    if (!all_tables_) return check_used_tables(cdf, jobs_[i].count);
    if (known) return {};
    for (std::int64_t k = 0; k < view.count; ++k) {
      const Fault fault = fault_of(cdf, view.row(k));
      if (fault.problem != Problem::kNone) return {fault.problem, 0, 0, fault.column, k};
    }
    return {};
  }

  [[nodiscard]] Report check_used_tables(const CdfRows& cdf, std::int64_t symbols) {
    RowReader rows(cdf.rows);
    std::array<const std::byte*, kBlock> block;
    for (std::int64_t done = 0; done < symbols;) {
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(symbols - done, kBlock));
      const std::size_t good = rows.read(count, block.data()).count;
      for (std::size_t i = 0; i < good; ++i) {
        const Fault fault = fault_of(cdf, block[i]);
        if (fault.problem != Problem::kNone)
          return {fault.problem, 0, done + static_cast<std::int64_t>(i), fault.column};
      }
      if (good < count) break;  // an index is out of range, which coding finds
      done += static_cast<std::int64_t>(count);
    }
    return {};
  }

  [[nodiscard]] Report check_rows(std::size_t i) {
    const CdfRows& cdf = *cdf_of(i);
    Report first;
    if (jobs_[i].count == 0) return first;
    for (const StridedWalk::Place& place : cdf.rows.walk().distinct_places()) {
      const Fault fault = fault_of(cdf, place.at);
      if (fault.problem != Problem::kNone && (first.ok() || place.position < first.position))
        first = {fault.problem, 0, place.position, fault.column};
    }
    return first;
  }

  [[nodiscard]] Fault fault_of(const CdfRows& cdf, const std::byte* row) {
    poll_.after(cdf.layout.symbols);
    return with_cdf(cdf.layout, [&](const auto& model) {
      return cdf.check == Check::kAll ? model.check(row) : model.decrease(row);
    });
  }

  Jobs jobs_;
  Poll& poll_;
  std::optional<bool> few_;  // whether rows without an index are few, once it is known
  bool all_tables_ = false;  // whether all tables of the last job were checked, used or not
};

inline Report check_rows(Jobs jobs, Poll& poll) { return RowChecks(jobs, poll).run(); }

TORCHAC_END_TARGET
