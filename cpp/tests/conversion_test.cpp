// Stored values become 16 bits exactly as the definition says.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"

namespace torchac::test {
namespace {

// The value of each of these bits, in each column of a row.
void check_conversion(DType type, const std::vector<std::uint64_t>& values) {
  for (const std::int64_t symbols : {1, 2, 3, 255, 32768}) {
    for (const bool normalize : {false, true}) {
      CAPTURE(symbols);
      CAPTURE(normalize);
      const auto count = (static_cast<std::int64_t>(values.size()) + symbols - 1) / symbols;
      const std::int64_t size = bit_fields(type).bytes();
      StoredCdf cdf({type, normalize, symbols}, count, {size * (symbols + 1), size});
      for (std::size_t k = 0; k < values.size(); ++k) {
        const auto at = static_cast<std::int64_t>(k);
        cdf.set(at / symbols, at % symbols, values[k]);
      }
      for (std::int64_t i = 0; i < count; ++i) REQUIRE(core_row(cdf, i) == cdf.reference_row(i));
    }
  }
}

// A row of one repeated value: the one nearest to 1/2 / scale, whose product with the scale is a
// little above 1/2. In the precision of Real it is 1/2, which is rounded to 0, the even integer.
// Fused with the addition that rounds it to an integer, it would be 1.
template <class Real, class Bits>
void check_not_fused(DType type, std::int64_t symbols) {
  const auto scale = static_cast<Real>(65536 - symbols);
  const Real value = Real{0.5} / scale;
  // From here on, numbers of Real have no bits for a fraction.
  const auto integers =
      static_cast<Real>(std::uint64_t{1} << (std::numeric_limits<Real>::digits - 1));
  const volatile Real product = value * scale;
  REQUIRE(product == Real{0.5});
  REQUIRE(integers + product == integers);
  REQUIRE(std::fma(value, scale, integers) == integers + 1);

  StoredCdf cdf({type, true, symbols}, 1, {0, sizeof(Real)});
  reference::Row expected;
  for (std::int64_t j = 0; j < symbols; ++j) {
    cdf.set(0, j, std::bit_cast<Bits>(value));
    expected.push_back(j);
  }
  expected.push_back(65536);
  CHECK(core_row(cdf, 0) == expected);
  const Bytes stream = reference::encode({expected}, {1}).bytes;
  CHECK(encode(cdf, {1}) == stream);
  CHECK(decode(stream, cdf).symbols == Symbols{1});
}

}  // namespace

TEST_CASE("all half and bfloat16 values are converted by the definition") {
  std::vector<std::uint64_t> all(65536);
  for (std::size_t bits = 0; bits < all.size(); ++bits) all[bits] = bits;
  check_conversion(DType::kFloat16, all);
  check_conversion(DType::kBFloat16, all);
}

// Subnormal, tiny, usual, huge, infinite and NaN.
TEST_CASE("float and double values of every exponent are converted by the definition") {
  Random random(0);
  for (const DType type : {DType::kFloat32, DType::kFloat64}) {
    const BitFields fields = bit_fields(type);
    std::vector<std::uint64_t> values;
    for (std::uint64_t sign_and_exponent = 0;
         sign_and_exponent <= 2 * fields.largest_exponent() + 1; ++sign_and_exponent) {
      const std::uint64_t mask = fields.mantissa_mask();
      for (const std::uint64_t mantissa : {std::uint64_t{0}, std::uint64_t{1}, mask / 2,
                                           mask / 2 + 1, mask, random.bits() & mask}) {
        values.push_back(sign_and_exponent << fields.mantissa_bits | mantissa);
      }
    }
    check_conversion(type, values);
  }
}

TEST_CASE("fractions are converted by the definition") {
  for (const DType type : {DType::kFloat32, DType::kFloat64}) {
    Random random(0);
    std::vector<std::uint64_t> values(100000);
    for (auto& value : values) value = random_fraction(random, type);
    check_conversion(type, values);
  }
}

TEST_CASE("a product is rounded before it is rounded to an integer") {
  check_not_fused<float, std::uint32_t>(DType::kFloat32, 16);
  check_not_fused<double, std::uint64_t>(DType::kFloat64, 9);
}

TEST_CASE("a value in the middle of two integers goes to the even one") {
  const StoredCdf cdf = [] {
    StoredCdf result({DType::kFloat64, false, 32768}, 1, {0, 8});
    for (std::int64_t j = 0; j < 32768; ++j) {
      result.set(0, j, std::bit_cast<std::uint64_t>((static_cast<double>(j) + 0.5) / 65536));
    }
    return result;
  }();
  const reference::Row row = core_row(cdf, 0);
  for (std::size_t j = 0; j < 32768; ++j) CHECK(row[j] == static_cast<std::int64_t>(j + j % 2));
}

}  // namespace torchac::test
