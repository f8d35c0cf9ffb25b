// Chooses how to code values that share elements, from the time that making rows and lookup tables
// takes, and the time that they save.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>

#include "torchac/arrays/block.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/tabulate.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/lut_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Without shared elements, with rows of the elements, or with lookup tables of these rows.
enum class Way : std::uint8_t { kPlain, kParameterRows, kLuts };

// The total sizes of the rows of elements.
struct RowSizes {
  double rows = 0;
  double symbols = 0;
  double buckets = 0;  // of lookup tables

  void add(std::uint32_t length, double times = 1) {
    rows += times;
    symbols += times * length;
    buckets += times * LutLayout::of(length).buckets();
  }
  [[nodiscard]] double bits() const { return std::log2(symbols / rows); }  // of a symbol's number
  [[nodiscard]] double row_bytes() const { return 2 * symbols + 24 * rows; }
  [[nodiscard]] double lut_bytes() const { return 8 * buckets + 2 * symbols + 64 * rows; }
};

// The times of coding a value and of making rows, in nanoseconds. The numbers were fitted to
// measurements of benchmarks/cliffs.py: see "Cliffs" in benchmarks/notes.md.
struct Costs {
  bool decode;

  // The time of a value without shared elements, if symbols have `bits` bits.
  [[nodiscard]] double plain(const Parameters& parameters, double bits) const {
    const auto components = static_cast<double>(parameters.components.size());
    if (!parameters.mixture()) return decode ? 23 + 1.6 * bits : 9;
    return decode ? 25 + 3.7 * components * bits : 7 + 4.2 * components;
  }
  [[nodiscard]] double plain(const Categories& categories, double) const {
    const auto count = static_cast<double>(categories.layout.categories());
    if (count <= kMaxTransposedCategories) return decode ? 10 + 1.25 * count : 6 + count;
    return (decode ? 70 : 40) + 0.25 * count;
  }
  [[nodiscard]] double by_rows(const RowSizes& sizes) const {
    const double missed = 8 * doublings(sizes.row_bytes(), 2.4e6);
    if (!decode) return 5.5 + missed / 5;
    const double lines = std::max(sizes.bits() - 5, 1.0);  // cache lines that a search touches
    return 11.5 + 1.8 * sizes.bits() + lines * missed;
  }
  [[nodiscard]] static double by_luts(const RowSizes& sizes) {
    return 14 + 45 * doublings(sizes.lut_bytes(), 0.8e6);
  }

  [[nodiscard]] static double windows(const Parameters& parameters, std::int64_t elements) {
    return (300 + 3 * static_cast<double>(elements)) *
           static_cast<double>(parameters.components.size());
  }
  [[nodiscard]] static double rows(const Parameters& parameters, const RowSizes& sizes) {
    const auto components = static_cast<double>(parameters.components.size());
    return 600 + (15 * sizes.rows + 0.76 * sizes.symbols) * components + 0.45 * sizes.symbols;
  }
  [[nodiscard]] static double rows(const Categories&, const RowSizes& sizes) {
    return 600 + 50 * sizes.rows + sizes.symbols;
  }
  [[nodiscard]] static double luts(const RowSizes& sizes) {
    return 100 + 20 * sizes.rows + 0.6 * sizes.buckets + 1.4 * sizes.symbols;
  }

 private:
  // The ratio to a size that caches hold, in powers of two.
  static double doublings(double bytes, double held) {
    return std::max(std::log2(bytes / held), 0.0);
  }
};

// Chooses for a number of values on each thread.
class WayFinder {
 public:
  WayFinder(bool decode, double values, Poll& poll)
      : costs_{decode}, values_(values), poll_(poll) {}

  [[nodiscard]] Way find(const Job& job) {
    if (const auto* stored = std::get_if<TableRows>(&job.model)) return of_stored(stored->view);
    if (values_ <= static_cast<double>(job.shared->count)) return Way::kPlain;
    return std::visit([&](const auto& elements) { return of(elements, job.shared->count); },
                      *job.shared->elements);
  }

 private:
  [[nodiscard]] Way of_stored(const TableRowsView& view) const {
    if (!costs_.decode || values_ <= static_cast<double>(view.count)) return Way::kPlain;
    RowSizes sizes;
    for (std::int64_t k = 0; k < view.count; ++k)
      sizes.add(
          static_cast<std::uint32_t>(std::clamp<std::int64_t>(view.symbols[k], 1, view.columns)));
    const double saved = values_ * (costs_.by_rows(sizes) - Costs::by_luts(sizes));
    return fits(sizes.lut_bytes()) && Costs::luts(sizes) < saved ? Way::kLuts : Way::kPlain;
  }

  Way of(const Parameters& parameters, std::int64_t count) {
    constexpr double kLeastBits = 3;
    // Looking at the windows must not take long itself.
    if (Costs::windows(parameters, count) > values_ * costs_.plain(parameters, kLeastBits) / 8)
      return Way::kPlain;
    RowSizes sizes;
    const auto add = [&](const ParameterBlock& block, std::size_t i) {
      sizes.add(block.window(i).last() + 1);
      return block.window(i).has_zones() ? Problem::kZones : Problem::kNone;
    };
    if (!for_each_element(parameters, count, poll_, add).ok()) return Way::kPlain;
    return cheapest(parameters, sizes);
  }

  [[nodiscard]] Way of(const Categories& categories, std::int64_t count) const {
    if (categories.layout.categories() > kMaxRowCategories) return Way::kPlain;
    RowSizes sizes;
    sizes.add(categories.layout.categories(), static_cast<double>(count));
    return cheapest(categories, sizes);
  }

  template <class Elements>
  [[nodiscard]] Way cheapest(const Elements& elements, const RowSizes& sizes) const {
    const double plain = values_ * costs_.plain(elements, sizes.bits());
    const double made = Costs::rows(elements, sizes);
    const double rows = made + values_ * costs_.by_rows(sizes);
    const double luts = made + Costs::luts(sizes) + values_ * Costs::by_luts(sizes);
    if (costs_.decode && luts < std::min(plain, rows) && fits(sizes.lut_bytes())) return Way::kLuts;
    return rows < plain && fits(sizes.row_bytes()) ? Way::kParameterRows : Way::kPlain;
  }

  // Whether this much memory is in proportion to the number of values.
  [[nodiscard]] bool fits(double bytes) const { return bytes <= 0x1p26 + 8 * values_; }

  Costs costs_;
  double values_;
  Poll& poll_;
};

TORCHAC_END_TARGET
