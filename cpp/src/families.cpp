#include "torchac/models/families.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "torchac/models/family_tables.hpp"

namespace torchac {
namespace {

constexpr std::uint32_t kWhole = 1u << kCdfBits;

using Table = std::array<std::uint32_t, 2 * kHalfValues + 2>;

// The whole table, symmetric around one half. Values are less than 2^24, to fit the bits.
constexpr Table whole(const HalfTable& half) {
  Table table{};
  for (std::size_t i = 0; i <= kHalfValues; ++i) {
    table[kHalfValues + i] = std::min(kWhole / 2 + half[i], kWhole - 1);
    table[kHalfValues - i] = kWhole / 2 - half[i];
  }
  table.back() = table[2 * kHalfValues];
  return table;
}

// The list of families: each is a line here, and a half table in family_tables.hpp.
struct Listed {
  std::string_view name;
  float half_width;
  std::int32_t max_exact_exponent;
  Table table;
};
constexpr std::array kListed{Listed{"normal", 4.25f, 4, whole(kNormalHalf)},
                             Listed{"laplace", 9, 3, whole(kLaplaceHalf)},
                             Listed{"logistic", 9.5f, 3, whole(kLogisticHalf)}};

// Squares through both ends and the middle of each part.
Approximation approximate(const Listed& listed) {
  const double part = listed.half_width > 8 ? 1 : 0.5;
  const auto cdf = [&](double z) {
    return listed.table[kHalfValues + static_cast<std::size_t>(z * 128)] * 0x1p-24 - 0.5;
  };
  Approximation made{};
  for (std::size_t i = 0; i < Approximation::kParts; ++i) {
    const auto first = static_cast<double>(i);
    const double low = cdf(part * first);
    const double middle = cdf(part * (first + 0.5));
    const double high = cdf(part * (first + 1));
    const double square = 2 * (low - 2 * middle + high);
    const double linear = high - low - square;  // from the beginning of the part on
    made.square[i] = static_cast<float>(square);
    made.linear[i] = static_cast<float>(linear - 2 * square * first);
    made.constant[i] = static_cast<float>(low - linear * first + square * first * first);
  }
  made.parts_in_unit = static_cast<float>(1 / (part * 0x1p20));
  return made;
}

Family make(const Listed& listed) {
  const Table& table = listed.table;
  Family made{listed.name, listed.half_width, listed.max_exact_exponent, table.data(), {}, {}};
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
  made.approximation = approximate(listed);
  return made;
}

}  // namespace

std::span<const Family> families() {
  // Made on first use, in less than a millisecond.
  static const auto made = [] {
    std::array<Family, kListed.size()> result{};
    std::ranges::transform(kListed, result.begin(), make);
    return result;
  }();
  return made;
}

const Family* find_family(std::string_view name) {
  const auto found = std::ranges::find(families(), name, &Family::name);
  return found == families().end() ? nullptr : &*found;
}

}  // namespace torchac
