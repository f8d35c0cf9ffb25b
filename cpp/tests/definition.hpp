// The meaning of a stored CDF value, by the definitions of the IEEE formats and docs/format.md.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "torchac/core.hpp"

namespace torchac::test {

// The properties of a row that are needed to read its values.
struct Kind {
  DType type;
  bool normalize;
  std::int64_t symbols;
};

inline constexpr std::initializer_list<DType> kFloatTypes{DType::kFloat16, DType::kBFloat16,
                                                          DType::kFloat32, DType::kFloat64};
inline constexpr std::initializer_list<DType> kRowTypes{
    DType::kInt16, DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kFloat64};

// A stored value from the most significant bit down: sign, exponent, mantissa.
struct BitFields {
  int exponent_bits;
  int mantissa_bits;

  [[nodiscard]] int bytes() const { return (1 + exponent_bits + mantissa_bits) / 8; }
  [[nodiscard]] int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  [[nodiscard]] std::uint64_t one() const {
    return static_cast<std::uint64_t>(bias()) << mantissa_bits;
  }
  [[nodiscard]] std::uint64_t largest_exponent() const { return (1u << exponent_bits) - 1; }
  [[nodiscard]] std::uint64_t mantissa_mask() const {
    return (std::uint64_t{1} << mantissa_bits) - 1;
  }
};

inline BitFields bit_fields(DType type) {
  switch (type) {
    case DType::kFloat16:
      return {5, 10};
    case DType::kBFloat16:
      return {8, 7};
    case DType::kFloat32:
      return {8, 23};
    case DType::kFloat64:
      return {11, 52};
    default:
      return {0, 15};
  }
}

// The real number that the bits of a float stand for. A double can hold each of them.
inline double real_value(DType type, std::uint64_t bits) {
  const BitFields fields = bit_fields(type);
  const std::uint64_t mantissa = bits & fields.mantissa_mask();
  const std::uint64_t exponent = bits >> fields.mantissa_bits & fields.largest_exponent();
  const bool negative = (bits >> (8 * fields.bytes() - 1) & 1) != 0;
  double magnitude = std::nan("");
  if (exponent < fields.largest_exponent()) {
    const std::uint64_t hidden = exponent == 0 ? 0 : fields.mantissa_mask() + 1;
    const int power = (exponent == 0 ? 1 : static_cast<int>(exponent)) - fields.bias();
    magnitude = std::ldexp(static_cast<double>(hidden + mantissa), power - fields.mantissa_bits);
  } else if (mantissa == 0) {
    magnitude = std::numeric_limits<double>::infinity();
  }
  return negative ? -magnitude : magnitude;
}

// Rounds to an integer, half to even.
inline double rounded(double value) {
  const double floor = std::floor(value);
  const double fraction = value - floor;
  const bool odd = std::fmod(floor, 2) != 0;
  return fraction > 0.5 || (fraction == 0.5 && odd) ? floor + 1 : floor;
}

// Computes in the precision of Real. Volatile, so that the compiler does not fuse it with the next
// operation, which the core must not do either.
template <class Real>
double product(double a, std::int64_t b) {
  const volatile Real result = static_cast<Real>(a) * static_cast<Real>(b);
  return static_cast<double>(result);
}

// Value j of a row as 16 bits, or -1 if it is not finite.
inline std::int64_t converted(const Kind& kind, std::uint64_t bits, std::int64_t j) {
  if (kind.type == DType::kInt16) return static_cast<std::int64_t>(bits);
  const double value = real_value(kind.type, bits);
  const std::int64_t scale = kind.normalize ? 65536 - kind.symbols : 65536;
  const double scaled =
      kind.type == DType::kFloat64 ? product<double>(value, scale) : product<float>(value, scale);
  if (!std::isfinite(scaled)) return -1;
  const auto integer = static_cast<std::int64_t>(std::fmod(rounded(scaled), 65536));
  return (integer + 65536 + (kind.normalize ? j : 0)) % 65536;
}

}  // namespace torchac::test
