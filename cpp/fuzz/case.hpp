// The case of a fuzzing run: rows and symbols of any type and layout, valid and invalid.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "array.hpp"
#include "definition.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/models/cdf_layout.hpp"

namespace torchac::fuzz {

using test::Kind;
using test::reference::Row;

// Numbers of any type.
struct IntegerArray {
  DType type;
  Array array;

  // Number i, or the largest number if it does not fit.
  [[nodiscard]] std::int64_t value(std::int64_t i) const;
  [[nodiscard]] Numbers source() const;
};

// Rows of a CDF, one for each symbol; or tables, and an index.
struct Cdf {
  Kind kind;
  Array values;  // the last dimension is along a row
  std::optional<IntegerArray> index;
  std::shared_ptr<const std::vector<Row>> rows;  // the values by the definition
  std::int64_t first_row;                        // among these

  [[nodiscard]] CdfLayout layout() const;
  [[nodiscard]] Rows source() const;
  [[nodiscard]] std::vector<Dimension> shape() const;  // of the symbols
  [[nodiscard]] std::int64_t count() const;            // of symbols
  [[nodiscard]] std::int64_t num_rows() const;
  [[nodiscard]] std::uint64_t bits(std::int64_t row, std::int64_t j) const;
  [[nodiscard]] const Row& row(std::int64_t row) const;

  // The row of symbol i, if its index names one.
  [[nodiscard]] std::optional<std::int64_t> row_of(std::int64_t i) const;

  // Does the same as Array::part.
  [[nodiscard]] Cdf part(std::int64_t begin, std::int64_t end) const;
};

// The common properties of the cases of a batch.
struct Style {
  DType type;
  bool normalize;
  Check check;
  bool clamp;  // as check_input_bounds=False
};

struct Case {
  Cdf cdf;
  IntegerArray symbols;

  [[nodiscard]] Case part(std::int64_t begin, std::int64_t end) const;
};

Style any_style(Input& input);
Cdf any_cdf(Input& input, const Style& style);
Case any_case(Input& input, const Style& style);
// Shares its tables, or the front of each, with another, but not the index.
Cdf sharing_tables(Input& input, const Cdf& cdf);
// Symbols that mostly have an interval.
IntegerArray any_symbols(Input& input, const Cdf& cdf);

// The case of those symbols.
Case with_symbols(Cdf cdf, const std::vector<std::int16_t>& symbols);

}  // namespace torchac::fuzz
