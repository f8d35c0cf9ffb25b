// CDFs of every type and layout: those that can be coded with, and those that nobody should pass.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "stored_cdf.hpp"

namespace torchac::test {

// Strides at which no two values share a byte, or at which all rows are one.
inline Strides random_strides(Random& random, const Kind& kind, std::int64_t count) {
  const std::int64_t size = bit_fields(kind.type).bytes();
  const std::int64_t step = size + random.one_of<std::int64_t>({0, 0, size, 1});
  Strides strides{step * (kind.symbols + 1), step};
  if (random.one_in(4)) strides = {step, step * count};  // transposed
  if (random.one_in(4)) strides.row *= -1;
  if (random.one_in(4)) strides.value *= -1;
  if (random.one_in(4)) strides = {0, size};  // expanded
  return strides;
}

inline std::int64_t random_alphabet(Random& random) {
  if (random.one_in(500)) return kMaxSymbols;
  return random.one_in(2) ? random.between(1, 4) : random.between(1, 300);
}

// Bits of numbers from 0 to 1, most of them near 1 / 2^15 ... 1. Some have so few digits that their
// products with the scale lie in the middle of two integers.
inline std::uint64_t random_fraction(Random& random, RowType type) {
  const BitFields fields = bit_fields(type);
  if (random.one_in(16)) return random.one_in(2) ? 0 : fields.one();
  const auto largest = static_cast<std::uint64_t>(fields.bias()) - 1;
  const std::uint64_t exponent = largest - random.below(std::min<std::uint64_t>(largest + 1, 17));
  const std::uint64_t mantissa = random.bits() & fields.mantissa_mask();
  const std::int64_t cut = random.one_in(2) ? random.between(0, fields.mantissa_bits) : 0;
  return exponent << fields.mantissa_bits | mantissa >> cut << cut;
}

// Ascending values of which many can be equal, so that few symbols own almost everything.
inline std::vector<std::uint64_t> random_ascent(Random& random, const Kind& kind) {
  const auto draw = [&] {
    if (kind.type != RowType::kInt16) return random_fraction(random, kind.type);
    return static_cast<std::uint64_t>(random.between(0, 65536 - kind.symbols));
  };
  std::vector<std::uint64_t> distinct(
      static_cast<std::size_t>(random.one_of<std::int64_t>({1, 2, 3, kind.symbols})));
  std::ranges::generate(distinct, draw);
  if (random.one_in(2)) distinct[0] = 0;
  std::vector<std::uint64_t> values(static_cast<std::size_t>(kind.symbols));
  for (auto& value : values) value = distinct[random.below(distinct.size())];
  // Floats that are not negative have the order of their bits.
  std::ranges::sort(values);
  return values;
}

// Rows that strictly increase once they are integers.
inline StoredCdf random_cdf(Random& random, const Kind& kind, std::int64_t count) {
  StoredCdf cdf(kind, count, random_strides(random, kind, count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t j = 0;
    for (const std::uint64_t value : random_ascent(random, kind)) {
      cdf.set(i, j, kind.type == RowType::kInt16 ? value + static_cast<std::uint64_t>(j) : value);
      ++j;
    }
    cdf.set(i, kind.symbols, random.bits());  // has no meaning
  }
  return cdf;
}

inline StoredCdf random_cdf(Random& random, std::int64_t count) {
  const RowType type = random.one_of(kRowTypes);
  return random_cdf(random, {type, type != RowType::kInt16, random_alphabet(random)}, count);
}

// Bits of anything: mostly fractions, and NaNs, infinities, huge, tiny and negative numbers.
inline std::uint64_t hostile_value(Random& random, RowType type) {
  const BitFields fields = bit_fields(type);
  if (type == RowType::kInt16 || random.one_in(100)) return random.bits();
  const std::uint64_t exponents = fields.largest_exponent() << fields.mantissa_bits;
  if (random.one_in(100)) return random.bits() | exponents;
  if (random.one_in(100)) return random.bits() & ~exponents;
  const std::uint64_t minus = random.one_in(100) ? 1 : 0;
  return random_fraction(random, type) | minus << (8 * fields.bytes() - 1);
}

// Rows of anything at strides of anything: values may overlap and be unaligned.
inline StoredCdf hostile_cdf(Random& random, std::int64_t count) {
  const Kind kind{random.one_of(kRowTypes), random.one_in(2), random_alphabet(random)};
  const Strides anything{random.between(-40, 40), random.between(-20, 20)};
  StoredCdf cdf(kind, count, random.one_in(2) ? anything : random_strides(random, kind, count));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::int64_t j = 0; j <= kind.symbols; ++j)
      cdf.set(i, j, hostile_value(random, kind.type));
  }
  return cdf;
}

// A symbol for each row: as likely as the row says, or all equally likely, which takes many bits.
inline std::vector<std::int16_t> random_symbols(Random& random, const StoredCdf& cdf) {
  const bool likely = random.one_in(2);
  std::vector<std::int16_t> symbols;
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    const reference::Row row = cdf.reference_row(i);
    const auto quantile = static_cast<std::int64_t>(random.below(65536));
    const auto above = std::ranges::upper_bound(row, quantile) - row.begin();
    const std::int64_t symbol =
        likely ? std::max<std::int64_t>(above - 1, 0) : random.between(0, cdf.kind().symbols - 1);
    symbols.push_back(static_cast<std::int16_t>(symbol));
  }
  return symbols;
}

// Symbols of which one in a hundred can be outside the alphabet.
inline std::vector<std::int16_t> hostile_symbols(Random& random, const Kind& kind,
                                                 std::int64_t count) {
  std::vector<std::int16_t> symbols;
  for (std::int64_t i = 0; i < count; ++i) {
    const bool any = random.one_in(100);
    const std::int64_t symbol =
        any ? random.between(-32768, 32767) : random.between(0, kind.symbols - 1);
    symbols.push_back(static_cast<std::int16_t>(symbol));
  }
  return symbols;
}

}  // namespace torchac::test
