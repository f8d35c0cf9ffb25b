// A target is found in the symbol that owns it, also where symbols meet.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "torchac/coding.hpp"
#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/one_window.hpp"
#include "torchac/range.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"
#include "torchac/values.hpp"
#include "torchac/windows.hpp"

namespace torchac::test {
namespace {

// All of the range is the row, and the target is in its part number `quantile`.
Target target_at(std::int64_t quantile) {
  const auto offset = static_cast<std::uint64_t>(quantile) << 16;
  return Target(DecoderRange<std::uint64_t>::at(0, kFullSpan, offset));
}

// `find` looks for a target in a row, from quantile `least` on; `expected` is that row, as integers
// that do not decrease.
template <class Find>
void check_find(const Find& find, const reference::Row& expected, std::int64_t least = 0) {
  for (const std::int64_t value : expected) {
    for (const std::int64_t quantile : {value - 1, value, value + 1}) {
      if (quantile < least || quantile > 65535) continue;
      CAPTURE(quantile);
      const auto above = std::ranges::upper_bound(expected, quantile) - expected.begin();
      const auto symbol = static_cast<std::size_t>(std::max<std::ptrdiff_t>(above - 1, 0));
      const Found found = find(target_at(quantile));
      REQUIRE(found.symbol == symbol);
      REQUIRE(found.interval.low == expected[symbol]);
      REQUIRE(found.interval.high == expected[symbol + 1]);
    }
  }
}

}  // namespace

TEST_CASE("quantiles around every value, in rows and in prepared tables") {
  for_seeds(300, [](Random& random) {
    // Without normalization, float rows can have equal values.
    const Kind kind{random.one_of(kRowTypes), random.one_in(2), random.between(1, 300)};
    const StoredCdf cdf = random_cdf(random, kind, 2);
    const auto expected = cdf.reference_rows();
    const bool searchable = std::ranges::all_of(expected, [](const auto& row) {
      return std::ranges::is_sorted(row) && (row[0] == 0 || row[0] < row[1]);
    });
    const auto check = [&](const auto& format) {
      Poll never;
      const auto tables =
          Tables::prepare(format, {cdf.row(0), cdf.row(1) - cdf.row(0), cdf.count()}, never);
      REQUIRE(tables.has_value() == searchable);
      if (!searchable) return;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::byte* row = cdf.row(static_cast<std::int64_t>(i));
        const std::byte* table = tables->data() + i * tables->size() * Tables::kPlace;
        check_find([&](const Target& target) { return format.find(row, target); }, expected[i]);
        check_find([&](const Target& target) { return tables->format().find(table, target); },
                   expected[i]);
      }
    };
    std::visit(check, cdf.format());
  });
}

#ifdef TORCHAC_HAS_VECTORS

namespace {

// A row, its values one after the other, and the windows it is searched in.
template <class Windows>
struct WindowsRow {
  StoredCdf cdf;
  reference::Row expected;
  Windows windows;

  explicit WindowsRow(StoredCdf stored)
      : cdf(std::move(stored)),
        expected(cdf.reference_row(0)),
        windows(std::get<RowFormat<typename Windows::Value>>(cdf.format()).value(),
                static_cast<std::uint32_t>(cdf.kind().symbols)) {}

  [[nodiscard]] bool rises() const { return windows.rises(cdf.row(0)); }
};

StoredCdf contiguous(const StoredCdf& any) {
  const Kind& kind = any.kind();
  const std::int64_t size = bit_fields(kind.type).bytes();
  StoredCdf result(kind, 1, {size * (kind.symbols + 1), size});
  for (std::int64_t j = 0; j <= kind.symbols; ++j) result.set(0, j, any.bits(0, j));
  return result;
}

template <class Windows>
std::int64_t random_size(Random& random) {
  std::int64_t symbols = 0;
  while (!Windows::fit(static_cast<std::uint32_t>(symbols))) symbols = random.between(1, 300);
  return symbols;
}

template <class Windows>
void check_windows(Random& random, RowType type, bool normalize) {
  const Kind kind{type, normalize, random_size<Windows>(random)};
  const StoredCdf cdf = contiguous(random_cdf(random, kind, 1));
  const WindowsRow<Windows> row(cdf);
  // Rows of random_cdf never decrease as they are stored. Without normalization, values may wrap.
  if (!row.rises()) {
    REQUIRE(type == RowType::kFloat32);
    REQUIRE_FALSE(normalize);
    return;
  }
  REQUIRE(std::ranges::is_sorted(row.expected));
  const auto find = [&](const Target& target) {
    return row.windows.find(row.cdf.row(0), row.windows.sample(row.cdf.row(0)), target);
  };
  check_find(find, row.expected, row.expected[0]);
  if (row.expected[0] == 0) return;
  const std::int64_t before = row.expected[0] - 1;
  CHECK(find(target_at(before)).symbol == 0);
  CHECK(find(target_at(before)).interval.low > before);
}

template <class Windows>
void check_rises(Random& random) {
  const Kind kind{RowType::kFloat32, true, random_size<Windows>(random)};
  StoredCdf cdf = contiguous(random_cdf(random, kind, 1));
  REQUIRE(WindowsRow<Windows>(cdf).rises());
  const std::int64_t j = random.between(0, kind.symbols - 1);
  const auto bad = random.one_of<float>({-2, 2, NAN, INFINITY, -INFINITY});
  cdf.set(0, j, std::bit_cast<std::uint32_t>(bad));
  CAPTURE(j);
  CAPTURE(bad);
  REQUIRE_FALSE(WindowsRow<Windows>(cdf).rises());
  // The last value has no meaning.
  StoredCdf same = contiguous(random_cdf(random, kind, 1));
  same.set(0, kind.symbols, std::bit_cast<std::uint32_t>(bad));
  REQUIRE(WindowsRow<Windows>(same).rises());
}

}  // namespace

TEST_CASE("quantiles around every value, in windows") {
  for_seeds(300, [](Random& random) {
    const bool normalize = random.one_in(2);
    check_windows<OneWindow<Float32>>(random, RowType::kFloat32, normalize);
    check_windows<OneWindow<Integer16>>(random, RowType::kInt16, false);
    check_windows<Windows<Float32>>(random, RowType::kFloat32, normalize);
    check_windows<Windows<Integer16>>(random, RowType::kInt16, false);
  });
}

TEST_CASE("a row does not rise if a single value is less than the one before or not finite") {
  for_seeds(300, [](Random& random) {
    check_rises<OneWindow<Float32>>(random);
    check_rises<Windows<Float32>>(random);
  });
}

#endif

}  // namespace torchac::test
