// Mixtures whose components one row does not serve, coded by zones: docs/format.md, "Zones".
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Numbers below a limit of at most 2^32, all equally probable: a symbol for the highest bits, at
// most 16, and uniform bits for the others.
class UniformNumber {
 public:
  explicit UniformNumber(std::uint64_t limit)
      : bits_(std::max(static_cast<std::uint32_t>(std::bit_width(limit - 1)), kPrecision) -
              kPrecision),
        symbols_(((limit - 1) >> bits_) + 1) {}

  template <class Push>
  void write(std::uint64_t number, const Push& push) const {
    push(interval(number >> bits_));
    push_uniform(static_cast<std::uint32_t>(number) & ((1u << bits_) - 1), bits_, push);
  }

  // May return a number that is not below the limit.
  std::uint64_t read(StepReader& steps) const {
    const std::uint64_t high = steps.symbol([&](std::uint32_t quantile) {
      const std::uint64_t symbol = ((quantile + 1) * symbols_ - 1) >> kPrecision;
      return Found{static_cast<std::uint32_t>(symbol), interval(symbol)};
    });
    return high << bits_ | steps.uniform(bits_);
  }

 private:
  [[nodiscard]] Interval interval(std::uint64_t symbol) const {
    const auto value = [&](std::uint64_t j) {
      return static_cast<std::uint32_t>((j << kPrecision) / symbols_);
    };
    return {value(symbol), value(symbol + 1)};
  }

  std::uint32_t bits_;
  std::uint64_t symbols_;
};

// The zones of a mixture, and the steps of a value: its zone, its cell in the zone, and its place
// in the cell.
class Zones {
 public:
  // The most components that have a window.
  static constexpr std::size_t kMaxWindows = 1024;

  // Prepares the zones of row i.
  TORCHAC_NOINLINE void prepare(const ParameterBlock& block, std::size_t i) {
    bounds_ = block.bounds();
    components_.clear();
    cuts_.clear();
    add_cut(std::int64_t{bounds_.low} + 1);
    add_cut(bounds_.high);
    for (std::size_t k = 0; k < block.size(); ++k) {
      const ComponentBlock& from = block.component(k);
      if (from.weight[i] == 0) continue;
      const double scale = block.scale(k, i);
      Component component{from.table, from.loc[i], 0x1p20 / scale, from.weight[i]};
      if (components_.size() < kMaxWindows) {
        const Family& family = block.family(k);
        const double reach = double{family.half_width} * scale + 1;
        component.shift =
            std::max(exponent(static_cast<float>(scale)) - family.max_exact_exponent, 0);
        component.begin = round_to_integer(component.loc - reach);
        component.end = round_to_integer(component.loc + reach) + 1;
        add_cut(component.begin);
        add_cut(component.end);
      }
      components_.push_back(component);
    }
    std::ranges::sort(cuts_);
    cuts_.erase(std::ranges::unique(cuts_).begin(), cuts_.end());
  }

  template <class Push>
  void write(std::int32_t value, const Push& push) const {
    const auto number = static_cast<std::uint32_t>(
        std::ranges::upper_bound(cuts_, std::int64_t{value}) - cuts_.begin());
    const Zone zone = this->zone(number);
    push({zone_value(number, zone.before), zone_value(number + 1, zone.until)});
    if (zone.gap) return write_in_gap(zone, value, push);
    const auto place = static_cast<std::uint64_t>(value - zone.low);
    const auto cell = static_cast<std::uint32_t>(place >> zone.shift);
    push({cell_value(zone, cell), cell_value(zone, cell + 1)});
    zone.place_in(cell).write(place - zone.start(cell), push);
  }

  [[nodiscard]] TORCHAC_NOINLINE TailResult read(const Decoder& decoder) const {
    StepReader steps(decoder);
    const std::uint32_t number = steps.symbol([&](std::uint32_t quantile) {
      return search(quantile, zones(),
                    [&](std::uint32_t j) { return zone_value(j, sum_at(cuts_[j - 1])); });
    });
    const Zone zone = this->zone(number);
    if (zone.gap) return steps.result(read_in_gap(zone, steps), zone.bounds());
    const std::uint32_t cell = steps.symbol([&](std::uint32_t quantile) {
      return search(quantile, zone.cells, [&](std::uint32_t j) { return cell_value(zone, j); });
    });
    const std::uint64_t place = zone.start(cell) + zone.place_in(cell).read(steps);
    return steps.result(zone.low + static_cast<std::int64_t>(place), zone.bounds());
  }

 private:
  struct Component {
    const std::uint32_t* table;
    double loc;
    double reciprocal;
    std::uint32_t weight;
    std::int32_t shift = 0;
    std::int64_t begin = 0;  // of the window, in values
    std::int64_t end = 0;
  };

  // The values from `low` on, in cells of 2^shift values, the last of which may have fewer. Values
  // in a gap, which no window covers, are counted from its end at a window.
  struct Zone {
    std::int64_t low = 0;
    std::uint64_t size = 0;
    bool gap = false;
    bool from_above = false;
    std::uint32_t shift = 0;
    std::uint32_t cells = 0;
    std::uint64_t before = 0;  // the sums of the components at both ends
    std::uint64_t until = 0;

    [[nodiscard]] std::uint64_t start(std::uint32_t cell) const {
      return std::uint64_t{cell} << shift;
    }
    [[nodiscard]] UniformNumber place_in(std::uint32_t cell) const {
      return UniformNumber(std::min(std::uint64_t{1} << shift, size - start(cell)));
    }
    [[nodiscard]] std::int64_t last() const { return low + static_cast<std::int64_t>(size) - 1; }
    [[nodiscard]] Bounds bounds() const {
      return {static_cast<std::int32_t>(low), static_cast<std::int32_t>(last())};
    }
  };

  // Rounds to an integer, halves to even.
  static std::int64_t round_to_integer(double x) {
    return static_cast<std::int64_t>((x + 0x1.8p52) - 0x1.8p52);
  }

  void add_cut(std::int64_t at) {
    if (at > bounds_.low && at <= bounds_.high) cuts_.push_back(at);
  }

  [[nodiscard]] std::uint32_t zones() const { return static_cast<std::uint32_t>(cuts_.size()) + 1; }

  // The sum of the components at the lower edge of a value.
  [[nodiscard]] std::uint32_t sum_at(std::int64_t value) const {
    const double edge = static_cast<double>(value) - 0.5;
    std::uint32_t sum = 0;
    for (const Component& c : components_)
      sum += part_of_sum<true>(evaluate(c.table, (edge - c.loc) * c.reciprocal), c.weight);
    return sum;
  }

  // The row of zones, from the sum of the components up to zone j.
  [[nodiscard]] std::uint32_t zone_value(std::uint32_t j, std::uint64_t sum) const {
    return bound(static_cast<std::uint32_t>(sum), j, zones() - 1);
  }

  [[nodiscard]] Zone zone(std::uint32_t number) const {
    const std::int64_t low = number == 0 ? bounds_.low : cuts_[number - 1];
    const std::int64_t end =
        number == cuts_.size() ? std::int64_t{bounds_.high} + 1 : cuts_[number];
    Zone zone;
    zone.low = low;
    zone.size = static_cast<std::uint64_t>(end - low);
    std::int32_t shift = INT32_MAX;
    for (const Component& c : components_)
      if (c.begin <= low && low < c.end) shift = std::min(shift, c.shift);
    zone.before = number == 0 ? 0 : sum_at(low);
    zone.until = number == cuts_.size() ? std::uint64_t{1} << 32 : sum_at(end);
    zone.gap = shift == INT32_MAX;
    zone.from_above = number <= 1;
    if (zone.gap) return zone;
    zone.shift = static_cast<std::uint32_t>(shift);
    zone.cells = static_cast<std::uint32_t>((zone.size - 1) >> shift) + 1;
    return zone;
  }

  // The row of a zone's cells.
  [[nodiscard]] std::uint32_t cell_value(const Zone& zone, std::uint32_t j) const {
    if (j == 0) return 0;
    if (j >= zone.cells) return kTotalFrequency;
    const std::uint64_t sum = sum_at(zone.low + static_cast<std::int64_t>(zone.start(j)));
    const std::uint64_t whole = std::max(zone.until - zone.before, std::uint64_t{1});
    return static_cast<std::uint32_t>((sum - zone.before) * (kTotalFrequency - zone.cells) /
                                      whole) +
           j;
  }

  // The symbol of `quantile` in a row whose inner values are `value(j)`, by interpolation. Every
  // fourth step halves, so that the search ends soon in any row.
  template <class Value>
  static Found search(std::uint32_t quantile, std::uint32_t symbols, const Value& value) {
    std::uint32_t low = 0;
    std::uint32_t high = symbols;
    Interval found{0, kTotalFrequency};
    for (std::uint32_t step = 1; high - low > 1; ++step) {
      const std::uint32_t places = high - low;
      const std::uint32_t part = (quantile - found.low) * places / (found.high - found.low);
      const std::uint32_t more = step % 4 == 0 ? places / 2 : std::clamp(part, 1u, places - 1);
      const std::uint32_t inner = value(low + more);
      if (inner <= quantile) {
        low += more;
        found.low = inner;
      } else {
        high = low + more;
        found.high = inner;
      }
    }
    return {low, found};
  }

  // In a gap, a value's distance plus one is written: the number of its bits, and the bits after
  // the first one.
  template <class Push>
  static void write_in_gap(const Zone& zone, std::int32_t value, const Push& push) {
    const auto number =
        static_cast<std::uint64_t>(zone.from_above ? zone.last() - value : value - zone.low) + 1;
    const auto bits = static_cast<std::uint32_t>(std::bit_width(number)) - 1;
    bits_in_gap(zone).write(bits, push);
    rest_in_gap(zone, bits).write(number - (std::uint64_t{1} << bits), push);
  }

  static std::int64_t read_in_gap(const Zone& zone, StepReader& steps) {
    const auto bits = static_cast<std::uint32_t>(bits_in_gap(zone).read(steps));
    const std::uint64_t number = (std::uint64_t{1} << bits) + rest_in_gap(zone, bits).read(steps);
    const auto distance = static_cast<std::int64_t>(number) - 1;
    return zone.from_above ? zone.last() - distance : zone.low + distance;
  }

  static UniformNumber bits_in_gap(const Zone& zone) {
    return UniformNumber(static_cast<std::uint64_t>(std::bit_width(zone.size)));
  }
  static UniformNumber rest_in_gap(const Zone& zone, std::uint32_t bits) {
    const std::uint64_t numbers = std::uint64_t{1} << bits;
    return UniformNumber(std::min(numbers, zone.size + 1 - numbers));
  }

  Bounds bounds_;
  std::vector<Component> components_;
  std::vector<std::int64_t> cuts_;  // where zones begin, except the first one
};

TORCHAC_END_TARGET
