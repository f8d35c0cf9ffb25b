// A target is found in the symbol that owns it, also at the borders of symbols.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/cdf_value.hpp"
#include "torchac/models/decode_lut.hpp"
#include "torchac/models/simd_short_row.hpp"
#include "torchac/models/simd_two_level.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/poll.hpp"

namespace torchac::test {
namespace {

// All of the range is the row, and the target is in its part number `quantile`.
Target target_at(std::int64_t quantile) {
  const auto offset = static_cast<std::uint64_t>(quantile) << 16;
  return Target::of<false>(DecoderState<std::uint64_t>::at(0, kFullRange, offset));
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

TEST_CASE("quantiles around every value, in rows and in lookup tables") {
  for_seeds(300, [](Random& random) {
    // Without normalization, float rows can have equal values.
    const std::int64_t most = random.one_in(4) ? 5000 : 300;
    const Kind kind{random.one_of(kRowTypes), random.one_in(2), random.between(1, most)};
    const StoredCdf cdf = random_cdf(random, kind, 2);
    const auto expected = cdf.reference_rows();
    const bool searchable = std::ranges::all_of(expected, [](const auto& row) {
      return std::ranges::is_sorted(row) && (row[0] == 0 || row[0] < row[1]);
    });
    with_cdf(cdf.layout(), [&](const auto& model) {
      Poll never;
      const TableView view{cdf.row(0), cdf.row(1) - cdf.row(0), cdf.count()};
      const auto tables = DecodeTables::prepare(model, view, never);
      REQUIRE(tables.has_value() == searchable);
      if (!searchable) return;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const std::byte* row = cdf.row(static_cast<std::int64_t>(i));
        const auto table = tables->first() + static_cast<std::uint32_t>(i) * tables->step();
        check_find([&](const Target& target) { return model.find(row, target); }, expected[i]);
        check_find([&](const Target& target) { return tables->model().find(table, target); },
                   expected[i]);
      }
    });
  });
}

TEST_CASE("in long rows that decrease, the search goes by sections") {
  for_seeds(300, [](Random& random) {
    const Kind kind{random.one_of({DType::kInt16, DType::kFloat32}), false,
                    random.between(257, 5000)};
    StoredCdf cdf = random_cdf(random, kind, 1);
    for (int changes = 0; changes < 100; ++changes) {
      const auto real = random.one_of<float>({-2, 0, 0.25, 0.75, 2, NAN, INFINITY});
      const auto integer = static_cast<std::uint64_t>(random.between(0, 65535));
      const bool is_float = kind.type == DType::kFloat32;
      cdf.set(0, random.between(1, kind.symbols - 1),
              is_float ? std::bit_cast<std::uint32_t>(real) : integer);
    }
    const auto row = cdf.reference_row(0);
    with_cdf(cdf.layout(), [&](const auto& model) {
      for (int i = 0; i < 100; ++i) {
        const std::int64_t quantile = random.between(0, 65535);
        CAPTURE(quantile);
        const Found found = model.find(cdf.row(0), target_at(quantile));
        REQUIRE(found.symbol == reference::search(row, static_cast<std::uint64_t>(quantile)));
      }
    });
  });
}

#ifdef TORCHAC_HAS_SIMD

namespace {

// A contiguous row and its search.
template <class Search>
struct SearchedRow {
  StoredCdf cdf;
  reference::Row expected;
  Search search;

  explicit SearchedRow(StoredCdf stored)
      : cdf(std::move(stored)),
        expected(cdf.reference_row(0)),
        search(CdfRow<typename Search::Value>(cdf.layout()).value(), cdf.layout().symbols) {}

  [[nodiscard]] bool is_monotone() const { return search.is_monotone(cdf.row(0)); }
};

StoredCdf contiguous(const StoredCdf& any) {
  const Kind& kind = any.kind();
  const std::int64_t size = bit_fields(kind.type).bytes();
  StoredCdf result(kind, 1, {size * (kind.symbols + 1), size});
  for (std::int64_t j = 0; j <= kind.symbols; ++j) result.set(0, j, any.bits(0, j));
  return result;
}

template <class Search>
std::int64_t random_size(Random& random) {
  std::int64_t symbols = 0;
  while (!Search::fits(static_cast<std::uint32_t>(symbols))) symbols = random.between(1, 300);
  return symbols;
}

template <class Search>
void check_search(Random& random, DType type, bool normalize) {
  const Kind kind{type, normalize, random_size<Search>(random)};
  const StoredCdf cdf = contiguous(random_cdf(random, kind, 1));
  const SearchedRow<Search> row(cdf);
  // Rows of random_cdf never decrease as they are stored. Without normalization, values may wrap.
  if (!row.is_monotone()) {
    REQUIRE(type == DType::kFloat32);
    REQUIRE_FALSE(normalize);
    return;
  }
  REQUIRE(std::ranges::is_sorted(row.expected));
  const auto find = [&](const Target& target) {
    return row.search.find(row.cdf.row(0), row.search.sample(row.cdf.row(0)), target);
  };
  check_find(find, row.expected, row.expected[0]);
  if (row.expected[0] == 0) return;
  const std::int64_t before = row.expected[0] - 1;
  CHECK(find(target_at(before)).symbol == 0);
  CHECK(find(target_at(before)).interval.low > before);
}

template <class Search>
void check_monotone(Random& random) {
  const Kind kind{DType::kFloat32, true, random_size<Search>(random)};
  StoredCdf cdf = contiguous(random_cdf(random, kind, 1));
  REQUIRE(SearchedRow<Search>(cdf).is_monotone());
  const std::int64_t j = random.between(0, kind.symbols - 1);
  const auto bad = random.one_of<float>({-2, 2, NAN, INFINITY, -INFINITY});
  cdf.set(0, j, std::bit_cast<std::uint32_t>(bad));
  CAPTURE(j);
  CAPTURE(bad);
  REQUIRE_FALSE(SearchedRow<Search>(cdf).is_monotone());
  // The last value has no meaning.
  StoredCdf same = contiguous(random_cdf(random, kind, 1));
  same.set(0, kind.symbols, std::bit_cast<std::uint32_t>(bad));
  REQUIRE(SearchedRow<Search>(same).is_monotone());
}

}  // namespace

TEST_CASE("quantiles around every value, by SIMD") {
  for_seeds(300, [](Random& random) {
    const bool normalize = random.one_in(2);
    check_search<SimdShortRow<Float32>>(random, DType::kFloat32, normalize);
    check_search<SimdShortRow<Integer16>>(random, DType::kInt16, false);
    check_search<SimdTwoLevel<Float32>>(random, DType::kFloat32, normalize);
    check_search<SimdTwoLevel<Integer16>>(random, DType::kInt16, false);
  });
}

TEST_CASE("a row is not monotone if a single value is less than the one before or not finite") {
  for_seeds(300, [](Random& random) {
    check_monotone<SimdShortRow<Float32>>(random);
    check_monotone<SimdTwoLevel<Float32>>(random);
  });
}

#endif

}  // namespace torchac::test
