#include "torchac/models/standard_cdf.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/models/standard_tables.hpp"

namespace torchac {
namespace {

constexpr std::uint32_t kWhole = 1u << kCdfBits;

using Table = std::array<std::uint32_t, kTableValues>;

// Symmetric around one half; all of it does not fit the bits.
constexpr Table whole(const HalfTable& half) {
  Table table{};
  for (std::size_t i = 0; i <= kHalfValues; ++i) {
    table[kHalfValues + i] = std::min(kWhole / 2 + half[i], kWhole - 1);
    table[kHalfValues - i] = kWhole / 2 - half[i];
  }
  table.back() = table[2 * kHalfValues];
  return table;
}

constexpr std::array kTables{whole(kNormalHalf), whole(kLaplaceHalf), whole(kLogisticHalf)};

// Made when the program starts, in less than a millisecond.
StandardCdf make(Family family, float half_width, std::int32_t max_exact_exponent) {
  const Table& table = kTables[static_cast<std::size_t>(family)];
  StandardCdf made{half_width,
                   max_exact_exponent,
                   static_cast<std::uint32_t>(table.data() - kTables[0].data()),
                   {}};
  std::size_t i = 0;
  for (std::size_t k = 0; k < made.quantiles.size(); ++k) {
    const auto wanted =
        std::min(kWhole / std::uint32_t{kQuantiles} * static_cast<std::uint32_t>(k), kWhole - 1);
    while (i + 1 < 2 * kHalfValues && table[i + 1] < wanted) ++i;
    const auto step = static_cast<float>(table[i + 1] - table[i]);
    const float rest =
        step > 0 ? (static_cast<float>(wanted) - static_cast<float>(table[i])) / step : 0;
    made.quantiles[k] = (static_cast<float>(i) + rest) / 128 - 12;
  }
  return made;
}

}  // namespace

const StandardCdf& standard_cdf(Family family) {
  static const std::array standard{make(Family::kNormal, 4.25f, 4), make(Family::kLaplace, 9, 3),
                                   make(Family::kLogistic, 9.5f, 3)};
  return standard[static_cast<std::size_t>(family)];
}

const std::uint32_t* standard_tables() { return kTables[0].data(); }

}  // namespace torchac
