// Values of a CDF as stored bits, drawn from any source of numbers: `Random`, or a fuzzer's bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "definition.hpp"

namespace torchac::test {

// Bits of numbers from 0 to 1, most of them near 1 / 2^15 ... 1. Some have so few digits that their
// products with the scale lie in the middle of two integers.
template <class Source>
std::uint64_t random_fraction(Source& random, DType type) {
  const BitFields fields = bit_fields(type);
  if (random.one_in(16)) return random.one_in(2) ? 0 : fields.one();
  const auto largest = static_cast<std::uint64_t>(fields.bias()) - 1;
  const std::uint64_t exponent = largest - random.below(std::min<std::uint64_t>(largest + 1, 17));
  const std::uint64_t mantissa = random.bits() & fields.mantissa_mask();
  const std::int64_t cut = random.one_in(2) ? random.between(0, fields.mantissa_bits) : 0;
  return exponent << fields.mantissa_bits | mantissa >> cut << cut;
}

// Ascending values, many of which can be equal, so that few symbols own almost everything.
template <class Source>
std::vector<std::uint64_t> random_ascent(Source& random, const Kind& kind) {
  const auto draw = [&] {
    if (kind.type != DType::kInt16) return random_fraction(random, kind.type);
    return static_cast<std::uint64_t>(random.between(0, 65536 - kind.symbols));
  };
  const std::initializer_list<std::int64_t> counts{1, 2, 3, kind.symbols};
  std::vector<std::uint64_t> distinct(static_cast<std::size_t>(random.one_of(counts)));
  std::ranges::generate(distinct, draw);
  if (random.one_in(2)) distinct[0] = 0;
  std::vector<std::uint64_t> values(static_cast<std::size_t>(kind.symbols));
  for (auto& value : values) value = distinct[random.below(distinct.size())];
  // Nonnegative floats have the order of their bits.
  std::ranges::sort(values);
  return values;
}

// Arbitrary bits: mostly fractions, and NaNs, infinities, huge, tiny and negative numbers.
template <class Source>
std::uint64_t hostile_value(Source& random, DType type) {
  const BitFields fields = bit_fields(type);
  if (type == DType::kInt16 || random.one_in(100)) return random.bits();
  const std::uint64_t exponents = fields.largest_exponent() << fields.mantissa_bits;
  if (random.one_in(100)) return random.bits() | exponents;
  if (random.one_in(100)) return random.bits() & ~exponents;
  const std::uint64_t minus = random.one_in(100) ? 1 : 0;
  return random_fraction(random, type) | minus << (8 * fields.bytes() - 1);
}

}  // namespace torchac::test
