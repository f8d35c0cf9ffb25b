// A target is found in the symbol that owns it, also where symbols meet.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <variant>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "torchac/coding.hpp"
#include "torchac/decoder.hpp"
#include "torchac/range.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"

namespace torchac::test {
namespace {

// `expected` is the row at `from` as integers that do not decrease.
template <class Format>
void check_find(const Format& format, const std::byte* from, const reference::Row& expected) {
  for (const std::int64_t value : expected) {
    for (const std::int64_t quantile : {value - 1, value, value + 1}) {
      if (quantile < 0 || quantile > 65535) continue;
      CAPTURE(quantile);
      const auto above = std::ranges::upper_bound(expected, quantile) - expected.begin();
      const auto symbol = static_cast<std::size_t>(std::max<std::ptrdiff_t>(above - 1, 0));
      // All of the window is the row, and the target is in its part number `quantile`.
      const Found found =
          format.find(from, Target::at(0, kFullSpan, static_cast<std::uint64_t>(quantile) << 16));
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
      const auto tables =
          Tables::prepare(format, {cdf.row(0), cdf.row(1) - cdf.row(0), cdf.count()});
      REQUIRE(tables.has_value() == searchable);
      if (!searchable) return;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        check_find(format, cdf.row(static_cast<std::int64_t>(i)), expected[i]);
        check_find(tables->format(), tables->data() + i * tables->size() * Tables::kPlace,
                   expected[i]);
      }
    };
    std::visit(check, cdf.format());
  });
}

}  // namespace torchac::test
