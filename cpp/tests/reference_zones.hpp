// Zones of mixtures, as docs/format.md defines them: the intervals of a value.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "reference_values.hpp"
#include "torchac/models/families.hpp"

namespace torchac::test::reference {

struct ZonePart {
  const Family* family;
  double loc, scale;  // after the limits to them
  std::int64_t weight;

  [[nodiscard]] int bits() const {
    return std::max(std::ilogb(scale) - family->max_exact_exponent, 0);
  }
  [[nodiscard]] double reach() const { return family->half_width * scale + 1; }
  [[nodiscard]] std::int64_t begin() const { return std::llrint(loc - reach()); }
  [[nodiscard]] std::int64_t end() const { return std::llrint(loc + reach()) + 1; }

  [[nodiscard]] std::int64_t below(std::int64_t value) const {
    const double edge = static_cast<double>(value) - 0.5;
    const double t = (edge - loc) * (0x1p20 / scale);
    const auto x = static_cast<std::int64_t>(std::clamp(t, -12 * 0x1p20, 12 * 0x1p20)) + (12 << 20);
    const std::int64_t from = family->table[x >> 13];
    const std::int64_t to = family->table[(x >> 13) + 1];
    return weight * ((from + ((to - from) * (x & 8191) >> 13)) >> 7);
  }
};

inline void add_number(std::vector<Step>& steps, std::uint64_t number, std::uint64_t limit) {
  int bits = 0;
  while (limit > std::uint64_t{65536} << bits) ++bits;
  const auto symbols = static_cast<std::int64_t>(((limit - 1) >> bits) + 1);
  const auto symbol = static_cast<std::int64_t>(number >> bits);
  steps.push_back({65536 * symbol / symbols, 65536 * (symbol + 1) / symbols});
  add_uniform(steps, static_cast<std::int64_t>(number % (std::uint64_t{1} << bits)), bits);
}

// The steps of a value of a mixture that is coded by zones.
inline std::vector<Step> steps_in_zones(const std::vector<ZonePart>& parts, std::int64_t low,
                                        std::int64_t high, std::int64_t value) {
  std::set<std::int64_t> begins{low, low + 1, high, high + 1};
  for (const ZonePart& part : parts) {
    for (const std::int64_t at : {part.begin(), part.end()})
      if (low < at && at <= high) begins.insert(at);
  }
  const std::vector<std::int64_t> zones(begins.begin(), begins.end());
  const auto count = static_cast<std::int64_t>(zones.size()) - 1;
  const auto sum = [&](std::int64_t at) {
    if (at == low) return std::int64_t{0};
    if (at > high) return std::int64_t{1} << 32;
    std::int64_t result = 0;
    for (const ZonePart& part : parts) result += part.below(at);
    return result;
  };
  std::int64_t i = 0;
  while (zones[static_cast<std::size_t>(i) + 1] <= value) ++i;
  const std::int64_t begin = zones[static_cast<std::size_t>(i)];
  const std::int64_t end = zones[static_cast<std::size_t>(i) + 1];
  const auto row = [&](std::int64_t k, std::int64_t at) {
    return k == count ? 65536 : (sum(at) * (65536 - count) >> 32) + k;
  };
  std::vector<Step> steps{{row(i, begin), row(i + 1, end)}};
  int bits = INT32_MAX;
  for (const ZonePart& part : parts)
    if (part.begin() <= begin && begin < part.end()) bits = std::min(bits, part.bits());
  if (bits == INT32_MAX) {
    const auto size = static_cast<std::uint64_t>(end - begin);
    const auto number = static_cast<std::uint64_t>(i <= 1 ? end - value : value - begin + 1);
    const std::uint64_t first = std::bit_floor(number);
    add_number(steps, static_cast<std::uint64_t>(std::bit_width(number)) - 1,
               static_cast<std::uint64_t>(std::bit_width(size)));
    add_number(steps, number - first, std::min(first, size + 1 - first));
    return steps;
  }
  const std::int64_t cells = ((end - begin - 1) >> bits) + 1;
  const std::int64_t cell = (value - begin) >> bits;
  const auto place = [&](std::int64_t k) { return begin + (k << bits); };
  const auto inner = [&](std::int64_t k) {
    if (k == 0 || k == cells) return k == 0 ? std::int64_t{0} : std::int64_t{65536};
    const std::int64_t whole = std::max(sum(end) - sum(begin), std::int64_t{1});
    return (sum(place(k)) - sum(begin)) * (65536 - cells) / whole + k;
  };
  steps.push_back({inner(cell), inner(cell + 1)});
  add_number(steps, static_cast<std::uint64_t>(value - place(cell)),
             static_cast<std::uint64_t>(std::min(place(cell + 1), end) - place(cell)));
  return steps;
}

}  // namespace torchac::test::reference
