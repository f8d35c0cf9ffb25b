#include "expected.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "case.hpp"
#include "definition.hpp"
#include "reference.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/row_checks.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {
namespace {

namespace reference = test::reference;

Report at(std::int64_t position, Problem problem, std::int64_t column = 0) {
  return {problem, 0, position, column};
}

// The first fault that a check of the whole row finds.
Fault row_fault(const Cdf& cdf, std::int64_t row) {
  const Kind& kind = cdf.kind;
  const bool is_float = kind.type != DType::kInt16;
  std::int64_t before = 0;
  for (std::int64_t j = 0; j <= kind.symbols; ++j) {
    const double value = test::real_value(kind.type, cdf.bits(row, j));
    if (is_float && !std::isfinite(value)) return {Problem::kNotFinite, j};
    if (is_float && (value < 0 || value > 1)) return {Problem::kOutOfBounds, j};
    const std::int64_t converted =
        j == kind.symbols ? kTotalFrequency : test::converted(kind, cdf.bits(row, j), j);
    if (converted < before) return {Problem::kDecreasing, j};
    before = converted;
  }
  return {};
}

Report tables_fault(const Cdf& cdf) {
  for (std::int64_t k = 0; k < cdf.num_rows(); ++k) {
    const Fault fault = row_fault(cdf, k);
    if (fault.problem != Problem::kNone) return {fault.problem, 0, 0, fault.column, k};
  }
  return {};
}

// The first converted value that is less than the finite one before it.
Fault decrease(const Cdf& cdf, std::int64_t row) {
  std::int64_t before = 0;
  for (std::int64_t j = 0; j < cdf.kind.symbols; ++j) {
    const std::int64_t value = cdf.row(row)[static_cast<std::size_t>(j)];
    if (value < 0) continue;
    if (value < before) return {Problem::kDecreasing, j};
    before = value;
  }
  return {};
}

// Whether each symbol's row is checked.
bool rows_are_few(const Cdf& cdf) {
  if (cdf.index) return true;
  std::int64_t rows = 1;
  for (const Dimension& d : cdf.shape()) rows *= d.stride == 0 ? 1 : d.size;
  return rows <= std::max(kFewRows, cdf.count() / kFewRows);
}

Report few_rows_fault(const Cdf& cdf) {
  if (!rows_are_few(cdf)) return {};
  if (cdf.index && cdf.count() >= cdf.num_rows()) {
    for (std::int64_t k = 0; k < cdf.num_rows(); ++k) {
      const Fault fault = decrease(cdf, k);
      if (fault.problem != Problem::kNone) return {fault.problem, 0, 0, fault.column, k};
    }
    return {};
  }
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    const std::optional<std::int64_t> row = cdf.row_of(i);
    if (!row) return {};
    const Fault fault = decrease(cdf, *row);
    if (fault.problem != Problem::kNone) return at(i, fault.problem, fault.column);
  }
  return {};
}

// The value that is not finite, or else 0, or the symbol when it is the interval that is empty.
std::int64_t column_of(Problem problem, const Row& row, std::int64_t symbol) {
  if (problem == Problem::kInterval) return symbol;
  if (problem != Problem::kNotFinite) return 0;
  return row[static_cast<std::size_t>(symbol)] < 0 ? symbol : symbol + 1;
}

Report encode_symbol(reference::Encoder& encoder, const Row& row, std::int64_t symbol,
                     std::int64_t i) {
  const Problem problem = reference::problem_of(row, symbol);
  if (problem != Problem::kNone) return at(i, problem, column_of(problem, row, symbol));
  const auto s = static_cast<std::size_t>(symbol);
  encoder.encode(row[s], row[s + 1]);
  return {};
}

Problem decode_symbol(reference::Decoder& decoder, const Row& row, std::size_t symbol) {
  if (decoder.truncated()) return Problem::kTruncated;
  if (row[symbol] < 0 || row[symbol + 1] < 0) return Problem::kNotFinite;
  if (!decoder.consume(row[symbol], row[symbol + 1])) return Problem::kInvalidCode;
  return decoder.truncated() ? Problem::kTruncated : Problem::kNone;
}

}  // namespace

Report expected_encode(reference::Encoder& encoder, const Case& coded, const Style& style) {
  const Cdf& cdf = coded.cdf;
  if (style.check == Check::kAll && cdf.index) {
    const Report report = tables_fault(cdf);
    if (!report.ok()) return report;
  }
  if (style.check == Check::kCheap) {
    const Report report = few_rows_fault(cdf);
    if (!report.ok()) return report;
  }
  const std::int64_t last = cdf.kind.symbols - 1;
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    const std::optional<std::int64_t> row = cdf.row_of(i);
    if (!row) return at(i, Problem::kIndex);
    std::int64_t symbol = coded.symbols.value(i);
    if (style.clamp) symbol = std::clamp<std::int64_t>(symbol, 0, last);
    if (symbol < 0 || symbol > last) return at(i, Problem::kSymbol);
    if (style.check == Check::kAll) {
      const Fault fault = row_fault(cdf, *row);
      if (fault.problem != Problem::kNone) return at(i, fault.problem, fault.column);
    }
    const Report report = encode_symbol(encoder, cdf.row(*row), symbol, i);
    if (!report.ok()) return report;
  }
  return {};
}

Report expected_decode(reference::Decoder& decoder, const Cdf& cdf, Symbols& symbols) {
  symbols.reserve(static_cast<std::size_t>(cdf.count()));
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    const std::optional<std::int64_t> number = cdf.row_of(i);
    if (!number) return at(i, Problem::kIndex);
    const Row& row = cdf.row(*number);
    const std::size_t symbol = decoder.symbol(row);
    const Problem problem = decode_symbol(decoder, row, symbol);
    if (problem != Problem::kNone)
      return at(i, problem, column_of(problem, row, static_cast<std::int64_t>(symbol)));
    symbols.push_back(static_cast<std::int16_t>(symbol));
  }
  const std::int64_t last = cdf.count() - 1;
  return last < 0 || decoder.determined() ? Report{} : at(last, Problem::kTruncated);
}

Symbols coded_symbols(const Case& coded) {
  Symbols result;
  for (std::int64_t i = 0; i < coded.symbols.array.count(); ++i) {
    const std::int64_t symbol = coded.symbols.value(i);
    result.push_back(
        static_cast<std::int16_t>(std::clamp<std::int64_t>(symbol, 0, coded.cdf.kind.symbols - 1)));
  }
  return result;
}

bool ascends(const Cdf& cdf) {
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    const std::optional<std::int64_t> number = cdf.row_of(i);
    if (!number) return false;
    const Row& row = cdf.row(*number);
    if (row.front() < 0 || !std::ranges::is_sorted(row)) return false;
  }
  return true;
}

void expect(bool condition, const char* what) {
  if (condition) return;
  (void)std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}

void expect_same(const Report& report, const Report& expected) {
  expect(report.problem == expected.problem, "the problem is the expected one");
  expect(report.position == expected.position, "it is at the expected symbol");
  expect(report.column == expected.column, "it is in the expected value of the row");
  expect(report.table == expected.table, "it is in the expected table");
}

}  // namespace torchac::fuzz
