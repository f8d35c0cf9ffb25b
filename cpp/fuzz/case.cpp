#include "case.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "array.hpp"
#include "definition.hpp"
#include "input.hpp"
#include "random_values.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"

namespace torchac::fuzz {
namespace {

// The most that a case has: tables; values in all rows together, unless there is only one; values
// that the definition looks at, one after the other, to decode; and symbols.
struct Limits {
  std::int64_t tables;
  std::int64_t values;
  std::int64_t searched;
  std::int64_t symbols;
};

// Limits of a large case, some blocks of the coder, and of one that runs in some ten microseconds.
Limits limits(const Input& input) {
  return input.is_large() ? Limits{20, 8000, 100000, 2000} : Limits{4, 200, 1000, 24};
}

std::int64_t size_of(DType type) {
  switch (type) {
    case DType::kInt8:
    case DType::kUint8:
      return 1;
    case DType::kInt16:
    case DType::kUint16:
      return 2;
    case DType::kInt32:
    case DType::kUint32:
      return 4;
    default:
      return 8;
  }
}

bool is_signed(DType type) {
  return type == DType::kInt8 || type == DType::kInt16 || type == DType::kInt32 ||
         type == DType::kInt64;
}

// Short rows mostly, and some that are searched by SIMD.
std::int64_t any_alphabet(Input& input) {
  if (!input.is_large())
    return input.between(1, input.one_of<std::int64_t>({4, 20, 4, 4, 20, 4, 20, 100}));
  if (input.one_in(8)) return input.one_in(2) ? kMaxSymbols : input.between(1, kMaxSymbols);
  return input.between(1, input.one_of<std::int64_t>({20, 4, 300}));
}

// Up to three dimensions. In a large case often more elements than a block of the coder has.
std::vector<std::int64_t> any_sizes(Input& input, std::int64_t most, std::int64_t symbols) {
  most = std::clamp<std::int64_t>(limits(input).searched / symbols, 1, most);
  const std::int64_t some = limits(input).symbols;
  std::int64_t left = std::min(most, input.one_of({some / 4, std::int64_t{3}, some / 3, some}));
  std::vector<std::int64_t> sizes(input.below(4));
  for (std::int64_t& size : sizes) {
    size = input.one_in(3) ? left : input.between(0, left);
    left /= std::max<std::int64_t>(size, 1);
  }
  return sizes;
}

std::vector<std::int64_t> sizes_of(const std::vector<Dimension>& dimensions) {
  std::vector<std::int64_t> sizes;
  for (const Dimension& d : dimensions) sizes.push_back(d.size);
  return sizes;
}

// Ascending values, some of them replaced by arbitrary ones; or only arbitrary ones.
void fill_row(Input& input, Cdf& cdf, std::int64_t row, std::uint64_t replaced_in) {
  const Kind& kind = cdf.kind;
  const std::int64_t first = row * (kind.symbols + 1);
  std::int64_t j = 0;
  for (std::uint64_t value : test::random_ascent(input, kind)) {
    if (kind.type == DType::kInt16) value += static_cast<std::uint64_t>(j);
    if (replaced_in > 0 && input.one_in(replaced_in)) value = test::hostile_value(input, kind.type);
    cdf.values.set(first + j++, value);
  }
  // The last value has no meaning, except to a check of floats.
  const bool any = kind.type == DType::kInt16 || input.one_in(4);
  cdf.values.set(first + j,
                 any ? test::hostile_value(input, kind.type) : test::bit_fields(kind.type).one());
}

// Values may share memory, so they are read back when all are written.
std::vector<Row> defined_rows(const Cdf& cdf) {
  std::vector<Row> rows(static_cast<std::size_t>(cdf.num_rows()));
  std::int64_t i = 0;
  for (Row& row : rows) {
    row.reserve(static_cast<std::size_t>(cdf.kind.symbols) + 1);
    for (std::int64_t j = 0; j < cdf.kind.symbols; ++j)
      row.push_back(test::converted(cdf.kind, cdf.bits(i, j), j));
    row.push_back(kTotalFrequency);
    ++i;
  }
  return rows;
}

// Rows whose middle symbol is the middle third: while it is repeated, the next bit of the stream
// remains open, and then a carry runs back that far.
void fill_with_thirds(Cdf& cdf) {
  for (std::int64_t i = 0; i < cdf.values.count(); ++i)
    cdf.values.set(i, (static_cast<std::uint64_t>(i % 4) * kTotalFrequency + 1) / 3);
}

IntegerArray any_integers(Input& input, const std::vector<std::int64_t>& sizes) {
  const auto type = static_cast<DType>(input.below(8));
  return {type, any_array(input, sizes, size_of(type))};
}

// Numbers of rows, and sometimes a few invalid ones.
IntegerArray any_index(Input& input, const Cdf& cdf) {
  const std::int64_t limit = cdf.num_rows();
  IntegerArray index =
      any_integers(input, any_sizes(input, limits(input).symbols, cdf.kind.symbols));
  const bool hostile = limit == 0 || input.one_in(8);
  for (std::int64_t i = 0; i < index.array.count(); ++i) {
    const bool any = hostile && input.one_in(limit == 0 ? 1 : 50);
    index.array.set(i, any ? input.bits() : input.below(static_cast<std::uint64_t>(limit)));
  }
  return index;
}

// The symbol that owns this part of the row.
std::uint64_t symbol_at(const Row& row, std::int64_t part) {
  const auto above = std::upper_bound(row.begin(), row.end() - 1, part) - row.begin();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(above - 1, 0));
}

}  // namespace

std::int64_t IntegerArray::value(std::int64_t i) const {
  const int unused = static_cast<int>(64 - 8 * size_of(type));
  const std::uint64_t bits = array.bits(i) << unused;
  if (is_signed(type)) return static_cast<std::int64_t>(bits) >> unused;
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(bits >> unused, kLargest));
}

Numbers IntegerArray::source() const {
  return {type, StridedWalk(array.first(), array.dimensions())};
}

CdfLayout Cdf::layout() const {
  return {kind.type, kind.normalize, static_cast<std::uint32_t>(kind.symbols),
          values.dimensions().back().stride};
}

Rows Cdf::source() const {
  if (!index) return Rows(StridedWalk(values.first(), shape()));
  const Dimension& tables = values.dimensions().front();
  return {{values.first(), tables.stride, tables.size}, index->source()};
}

std::vector<Dimension> Cdf::shape() const {
  if (index) return index->array.dimensions();
  return {values.dimensions().begin(), values.dimensions().end() - 1};
}

std::int64_t Cdf::count() const { return index ? index->array.count() : num_rows(); }

std::int64_t Cdf::num_rows() const { return values.count() / (kind.symbols + 1); }

std::optional<std::int64_t> Cdf::row_of(std::int64_t i) const {
  if (!index) return i;
  const std::int64_t row = index->value(i);
  return 0 <= row && row < num_rows() ? std::optional(row) : std::nullopt;
}

std::uint64_t Cdf::bits(std::int64_t row, std::int64_t j) const {
  return values.bits(row * (kind.symbols + 1) + j);
}

const Row& Cdf::row(std::int64_t row) const {
  return (*rows)[static_cast<std::size_t>(first_row + row)];
}

Cdf Cdf::part(std::int64_t begin, std::int64_t end) const {
  Cdf result = *this;
  if (index) {
    result.index->array = index->array.part(begin, end);
  } else {
    result.values = values.part(begin, end);
    if (begin < end) result.first_row += begin * (num_rows() / values.dimensions()[0].size);
  }
  return result;
}

Case Case::part(std::int64_t begin, std::int64_t end) const {
  return {cdf.part(begin, end), {symbols.type, symbols.array.part(begin, end)}};
}

Style any_style(Input& input) {
  const auto type = input.one_of(test::kRowTypes);
  const bool normalize = type != DType::kInt16 && !input.one_in(3);
  const std::uint64_t bounds = input.below(4);
  Check check = Check::kNone;
  if (bounds == 1) check = Check::kAll;
  if (bounds == 3) check = Check::kCheap;
  return {type, normalize, check, bounds == 2};
}

Cdf any_cdf(Input& input, const Style& style) {
  const bool thirds = style.type == DType::kInt16 && input.one_in(2);
  const Kind kind{style.type, style.normalize, thirds ? 3 : any_alphabet(input)};
  const std::int64_t most = std::max<std::int64_t>(limits(input).values / (kind.symbols + 1), 1);
  const bool shared = input.one_in(2);
  std::vector<std::int64_t> sizes =
      shared ? std::vector{input.between(0, std::min(most, limits(input).tables))}
             : any_sizes(input, most, kind.symbols);
  sizes.push_back(kind.symbols + 1);
  const auto value_size = static_cast<std::int64_t>(test::bit_fields(kind.type).bytes());
  Cdf cdf{kind, any_array(input, sizes, value_size), std::nullopt, nullptr, 0};
  const auto replaced_in = input.one_of<std::uint64_t>({0, 0, 0, 1000, 20, 1});
  for (std::int64_t row = 0; row < cdf.num_rows() && !thirds; ++row)
    fill_row(input, cdf, row, replaced_in);
  if (thirds) fill_with_thirds(cdf);
  cdf.rows = std::make_shared<const std::vector<Row>>(defined_rows(cdf));
  if (shared) cdf.index = any_index(input, cdf);
  return cdf;
}

Case any_case(Input& input, const Style& style) {
  Cdf cdf = any_cdf(input, style);
  IntegerArray symbols = any_symbols(input, cdf);
  return {std::move(cdf), std::move(symbols)};
}

Cdf sharing_tables(Input& input, const Cdf& cdf) {
  Cdf result = cdf;
  if (input.one_in(4)) {
    result.kind.symbols = input.between(1, cdf.kind.symbols);
    result.values = cdf.values.narrowed(result.kind.symbols + 1);
    result.rows = std::make_shared<const std::vector<Row>>(defined_rows(result));
  }
  result.index = any_index(input, cdf);
  return result;
}

IntegerArray any_symbols(Input& input, const Cdf& cdf) {
  IntegerArray symbols = any_integers(input, sizes_of(cdf.shape()));
  const auto hostile_in = input.one_of<std::uint64_t>({0, 0, 1000, 20});
  const bool repeated = input.one_in(2);
  for (std::int64_t i = 0; i < symbols.array.count(); ++i) {
    const std::optional<std::int64_t> row = cdf.row_of(i);
    std::uint64_t symbol = 0;
    if (hostile_in > 0 && input.one_in(hostile_in)) {
      symbol = input.bits();
    } else if (row) {
      const bool middle = repeated && !input.one_in(20);
      symbol = symbol_at(cdf.row(*row),
                         middle ? kTotalFrequency / 2 : input.between(0, kTotalFrequency - 1));
    }
    symbols.array.set(i, symbol);
  }
  return symbols;
}

Case with_symbols(Cdf cdf, const std::vector<std::int16_t>& symbols) {
  std::vector<Dimension> shape = cdf.shape();
  std::int64_t stride = sizeof(std::int16_t);
  for (auto d = shape.rbegin(); d != shape.rend(); ++d) {
    d->stride = stride;
    stride *= d->size;
  }
  Case result{std::move(cdf), {DType::kInt16, Array(shape, sizeof(std::int16_t))}};
  std::int64_t i = 0;
  for (const std::int16_t symbol : symbols)
    result.symbols.array.set(i++, static_cast<std::uint16_t>(symbol));
  return result;
}

}  // namespace torchac::fuzz
