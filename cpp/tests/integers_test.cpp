// Symbols and indices may have any integer type, and any value.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "random.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/support/load.hpp"

namespace torchac::test {
namespace {

struct ReadResult {
  std::size_t good;
  std::vector<std::uint32_t> values;
};

template <class T>
ReadResult read(const std::vector<T>& from, std::int64_t limit, bool clamp) {
  const StridedWalk walk(std::as_bytes(std::span(from)).data(),
                         {{static_cast<std::int64_t>(from.size()), sizeof(T)}});
  Numbers integers{kDType<T>, walk};
  ReadResult result{0, std::vector<std::uint32_t>(from.size())};
  std::uint32_t* values = result.values.data();
  read_integers(integers, from.size(), values, clamp);
  result.good = count_below(values, from.size(), [&](std::size_t) { return limit; });
  return result;
}

// The ends of the type and of the range, and what 32 bits would make of larger numbers.
template <class T>
std::vector<T> corners(std::int64_t limit) {
  std::vector<T> result{std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  for (const std::int64_t value : {std::int64_t{-1}, std::int64_t{0}, limit - 1, limit,
                                   std::int64_t{1} << 32, (std::int64_t{1} << 32) + limit - 1}) {
    if (std::in_range<T>(value)) result.push_back(static_cast<T>(value));
  }
  return result;
}

}  // namespace

TEST_CASE_TEMPLATE("values outside the range end a read or are clamped", T, std::int8_t,
                   std::int16_t, std::int32_t, std::int64_t, std::uint8_t, std::uint16_t,
                   std::uint32_t, std::uint64_t) {
  for (const std::int64_t limit : {1, 2, 100, 127, 256, 32768}) {
    for (const T value : corners<T>(limit)) {
      CAPTURE(limit);
      CAPTURE(std::to_string(value));
      const bool inside = std::cmp_greater_equal(value, 0) && std::cmp_less(value, limit);
      const ReadResult plain = read<T>({0, value, 0}, limit, false);
      CHECK(plain.good == (inside ? 3 : 1));

      const ReadResult clamped = read<T>({0, value, 0}, limit, true);
      const bool negative = std::cmp_less(value, 0);
      CHECK(clamped.good == (inside || negative ? 3 : 1));
      if (negative) CHECK(clamped.values[1] == 0);
    }
  }
}

TEST_CASE("several reads go over an array of any layout") {
  for_seeds(300, [](Random& random) {
    // Columns of bytes, read backwards as numbers of two bytes that overlap.
    const std::int64_t rows = random.between(1, 20);
    const std::int64_t columns = random.between(1, 20);
    const auto memory = random.bytes(static_cast<std::size_t>(rows * columns) + 1);
    const std::byte* last = std::as_bytes(std::span(memory)).data() + rows * columns - 1;
    std::vector<std::uint32_t> expected;
    for (std::int64_t column = 0; column < columns; ++column) {
      for (std::int64_t row = 0; row < rows; ++row) {
        expected.push_back(load<std::uint16_t>(last - column - row * columns));
      }
    }

    const StridedWalk walk(last, {{columns, -1}, {rows, -columns}});
    Numbers integers{DType::kUint16, walk};
    std::vector<std::uint32_t> values(expected.size());
    for (std::size_t done = 0; done < values.size();) {
      const std::size_t count = std::min<std::size_t>(values.size() - done, 1 + random.below(50));
      read_integers(integers, count, values.data() + done);
      done += count;
    }
    CHECK(values == expected);
  });
}

}  // namespace torchac::test
