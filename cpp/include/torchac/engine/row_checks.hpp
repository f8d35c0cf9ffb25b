// Which rows are checked before a call codes anything, and the first fault that they have.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// Rows of their own are few if they are no more than these, or no more than one for so many symbols
// that share it because an array is expanded. To check a row takes as long as to encode one to
// three symbols, so that this takes no more than a few microseconds, or a few percent.
inline constexpr std::int64_t kFewRows = 64;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Checks the rows of jobs that encode, decode or measure.
class RowChecks {
 public:
  RowChecks(CdfJobs jobs, Check check, Poll& poll) : jobs_(jobs), check_(check), poll_(poll) {}

  [[nodiscard]] TORCHAC_NOINLINE Report run() {
    if (check_ == Check::kTouched) return {};
    const bool few = check_ == Check::kFew && rows_are_few();
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      Report report;
      if (jobs_[i].rows.tables()) {
        report = check_tables(i);
      } else if (few) {
        report = check_rows(i);
      }
      report.item = static_cast<std::int64_t>(i);
      if (!report.ok()) return report;
    }
    return {};
  }

 private:
  [[nodiscard]] bool rows_are_few() const {
    std::int64_t rows = 0;
    std::int64_t symbols = 0;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const CdfJob& job = jobs_[i];
      if (job.rows.tables() || job.count == 0) continue;
      rows += job.rows.walk().distinct();
      symbols += job.count;
    }
    return rows <= std::max(kFewRows, symbols / kFewRows);
  }

  [[nodiscard]] bool shares_with_last(std::size_t i) const {
    return i > 0 && jobs_[i - 1].rows.tables() == jobs_[i].rows.tables() &&
           jobs_[i - 1].cdf == jobs_[i].cdf;
  }

  // Symbols from job i on that share its tables.
  [[nodiscard]] std::int64_t sharing(std::size_t i) const {
    std::int64_t symbols = jobs_[i].count;
    for (++i; i < jobs_.size() && shares_with_last(i); ++i) symbols += jobs_[i].count;
    return symbols;
  }

  // All tables, used or not, unless there are fewer symbols to use them.
  [[nodiscard]] Report check_tables(std::size_t i) {
    const CdfJob& job = jobs_[i];
    const TableView& view = *job.rows.tables();
    const bool known = shares_with_last(i);
    if (!known) all_tables_ = check_ == Check::kAll || sharing(i) >= view.count;
    if (!all_tables_) return check_used_tables(job);
    if (known) return {};
    for (std::int64_t k = 0; k < view.count; ++k) {
      const Fault fault = fault_of(job, view.row(k));
      if (fault.problem != Problem::kNone) return {fault.problem, 0, 0, fault.column, k};
    }
    return {};
  }

  [[nodiscard]] Report check_used_tables(const CdfJob& job) {
    RowReader rows(job.rows);
    std::array<const std::byte*, kBlock> block;
    for (std::int64_t done = 0; done < job.count;) {
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(job.count - done, kBlock));
      const std::size_t good = rows.read(count, block.data()).count;
      for (std::size_t i = 0; i < good; ++i) {
        const Fault fault = fault_of(job, block[i]);
        if (fault.problem != Problem::kNone)
          return {fault.problem, 0, done + static_cast<std::int64_t>(i), fault.column};
      }
      if (good < count) break;  // an index is out of range, which coding finds
      done += static_cast<std::int64_t>(count);
    }
    return {};
  }

  [[nodiscard]] Report check_rows(std::size_t i) {
    const CdfJob& job = jobs_[i];
    Report first;
    if (job.count == 0) return first;
    for (const StridedWalk::Place& place : job.rows.walk().distinct_places()) {
      const Fault fault = fault_of(job, place.at);
      if (fault.problem != Problem::kNone && (first.ok() || place.position < first.position))
        first = {fault.problem, 0, place.position, fault.column};
    }
    return first;
  }

  [[nodiscard]] Fault fault_of(const CdfJob& job, const std::byte* row) {
    poll_.after(job.cdf.symbols);
    return with_cdf(job.cdf, [&](const auto& cdf) {
      return check_ == Check::kAll ? cdf.check(row) : cdf.decrease(row);
    });
  }

  CdfJobs jobs_;
  Check check_;
  Poll& poll_;
  bool all_tables_ = false;  // that the last job shares with others were checked, used or not
};

inline Report check_rows(CdfJobs jobs, Check check, Poll& poll) {
  return RowChecks(jobs, check, poll).run();
}

TORCHAC_END_TARGET
