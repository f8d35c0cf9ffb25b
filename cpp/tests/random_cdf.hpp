// CDFs of every type and layout: valid ones, and ones that nobody should pass.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "random_values.hpp"
#include "stored_cdf.hpp"

namespace torchac::test {

// Strides at which no two values share a byte, or at which all rows are the same.
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

// Rows that strictly increase once they are integers.
inline StoredCdf random_cdf(Random& random, const Kind& kind, std::int64_t count) {
  StoredCdf cdf(kind, count, random_strides(random, kind, count));
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t j = 0;
    for (const std::uint64_t value : random_ascent(random, kind)) {
      cdf.set(i, j, kind.type == DType::kInt16 ? value + static_cast<std::uint64_t>(j) : value);
      ++j;
    }
    cdf.set(i, kind.symbols, random.bits());  // has no meaning
  }
  return cdf;
}

inline StoredCdf random_cdf(Random& random, std::int64_t count) {
  const DType type = random.one_of(kRowTypes);
  return random_cdf(random, {type, type != DType::kInt16, random_alphabet(random)}, count);
}

// Arbitrary rows at arbitrary strides: values may overlap and be unaligned.
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

// Symbols, one in a hundred of which can be outside the alphabet.
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
