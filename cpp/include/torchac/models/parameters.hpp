// Parameters of distributions, and the rows computed from them: docs/format.md, "Models".
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/row_lanes.hpp"
#include "torchac/models/row_values.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The parameters of a component. Only components of mixtures have a weight.
enum class Parameter : std::uint8_t { kLoc, kScale, kWeight };
inline constexpr std::array<std::string_view, 3> kParameterNames{"loc", "scale", "weight"};

struct Component {
  const Family* family;
  std::array<std::optional<Numbers>, kParameterNames.size()> arrays;  // by Parameter

  bool operator==(const Component&) const = default;

  [[nodiscard]] const std::optional<Numbers>& operator[](Parameter parameter) const {
    return arrays[static_cast<std::size_t>(parameter)];
  }
  [[nodiscard]] std::optional<Numbers>& operator[](Parameter parameter) {
    return arrays[static_cast<std::size_t>(parameter)];
  }
};

// One distribution for each value, or those that an index selects from one-dimensional arrays.
// There is one component without a weight, or several with weights.
struct Parameters {
  std::vector<Component> components;
  Bounds bounds;
  std::optional<Numbers> index = std::nullopt;

  bool operator==(const Parameters&) const = default;

  [[nodiscard]] bool mixture() const { return components.front()[Parameter::kWeight].has_value(); }
};

inline constexpr double kMaxScale = 0x1p24;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// 2^n, for exponents of normal numbers.
TORCHAC_INLINE float power_of_two(std::int32_t n) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(n + 127) << 23);
}
TORCHAC_INLINE double power_of_two_as_double(std::int32_t n) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}
TORCHAC_INLINE std::int32_t exponent(float x) {
  return static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(x) >> 23) - 127;
}

// a + b and a - b for b >= 0, or the nearest 32-bit integer.
TORCHAC_INLINE std::int32_t add_saturated(std::int32_t a, std::int32_t b) {
  return std::min(a, INT32_MAX - b) + b;
}
TORCHAC_INLINE std::int32_t subtract_saturated(std::int32_t a, std::int32_t b) {
  return std::max(a, INT32_MIN + b) - b;
}

// The most rows in a block of parameters: few enough for their data to stay in the L1 cache.
inline constexpr std::size_t kParameterRows = 128;

// Numbers after the last row, so that reading whole vectors stays in an array.
inline constexpr std::size_t kRoom = 16;

// The parameters of a component in a block, as they were read.
struct ComponentColumns {
  // By Parameter, if they are narrow floats.
  std::array<std::array<float, kParameterRows + kRoom>, kParameterNames.size()> narrow;
  std::array<std::uint32_t, kParameterRows + kRoom> weight;  // as an integer
  std::array<double, kParameterRows> cumulative_weight;      // the sum of those up to this one

  [[nodiscard]] const float* get(Parameter parameter) const {
    return narrow[static_cast<std::size_t>(parameter)].data();
  }
};

// The parameters of a component in a block, in units of 2^shift values.
struct ComponentBlock {
  const std::uint32_t* table;                       // of the family
  const std::uint32_t* weight;                      // as in ComponentColumns
  std::array<std::int32_t, kParameterRows> offset;  // first symbol - center
  std::array<float, kParameterRows>
      center_error;  // from the lower edge of the center's symbol to the center
  std::array<float, kParameterRows> scale;
  std::array<float, kParameterRows> reciprocal;  // 1 / scale, in units of the CDF's argument
  std::array<std::int32_t, kParameterRows> center;
  std::array<double, kParameterRows> loc;  // in units of 1

  // The component's contribution to the sum of row i at the lower edge of symbol j.
  template <bool kMixture>
  [[nodiscard]] TORCHAC_INLINE std::uint32_t part(std::size_t i, std::uint32_t j) const {
    const auto at = static_cast<float>(static_cast<std::int32_t>(j) + offset[i]);
    return part_of_sum<kMixture>(evaluate(table, (at - center_error[i]) * reciprocal[i]),
                                 weight[i]);
  }
};

#ifdef TORCHAC_TARGET_AVX2
// The sums of components of row i at the lower edges of eight symbols.
template <bool kMixture>
TORCHAC_INLINE Vec8<std::uint32_t> sums_at(const ComponentBlock* components, std::size_t count,
                                           std::size_t i, const Vec8<std::uint32_t>& symbols) {
  const auto places = __builtin_bit_cast(Vec8<std::int32_t>, symbols);
  Vec8<std::uint32_t> sum{};
  for (std::size_t k = 0; k < count; ++k) {
    const ComponentBlock& c = components[k];
    const auto at = __builtin_convertvector(places + c.offset[i], Vec8<float>);
    const Vec8<std::uint32_t> cdf = evaluate(c.table, (at - c.center_error[i]) * c.reciprocal[i]);
    sum += part_of_sum<kMixture>(cdf, Vec8<std::uint32_t>{} + c.weight[i]);
  }
  return sum;
}
#endif

// What a block's values have.
struct ValueFlags {
  bool tails;
  bool outside;        // outside the bounds
  bool zones = false;  // in a row with zones, so nothing else is meaningful
};

// Reads parameters block by block, and prepares the windows of the rows. Each loop over a block
// uses numbers of one size, so compilers vectorize it.
class ParameterBlock {
 public:
  explicit ParameterBlock(Parameters parameters)
      : parameters_(std::move(parameters)),
        elements_(static_cast<std::uint32_t>(std::min<std::int64_t>(
            parameters_.components.front()[Parameter::kLoc]->walk.run(), UINT32_MAX))),
        columns_(new ComponentColumns[size()]) {
    for (std::size_t k = 0; k < size(); ++k) {
      for (const auto& numbers : parameters_.components[k].arrays) {
        if (numbers && !is_narrow_float(numbers->type)) narrow_ = false;
      }
    }
  }

  [[nodiscard]] const Bounds& bounds() const { return parameters_.bounds; }
  [[nodiscard]] bool mixture() const { return parameters_.mixture(); }
  [[nodiscard]] std::size_t size() const { return parameters_.components.size(); }
  // What was read, and what `prepare` has made of it.
  [[nodiscard]] const ComponentColumns& columns(std::size_t k) const { return columns_[k]; }
  [[nodiscard]] const ComponentBlock& component(std::size_t k) const { return blocks_[k]; }
  [[nodiscard]] const Family& family(std::size_t k) const {
    return *parameters_.components[k].family;
  }
  [[nodiscard]] const Window& window(std::size_t i) const { return windows_[i]; }
  // The scale of component k of row i, in units of 1.
  [[nodiscard]] double scale(std::size_t k, std::size_t i) const {
    return double{blocks_[k].scale[i]} * power_of_two_as_double(shifts_[i]);
  }

  // Reads at most `most` rows, and prepares them.
  [[nodiscard]] ReadableBlock read(std::size_t most) {
    const ReadableBlock readable = read_parameters(most);
    prepare(readable.count);
    return readable;
  }

  // Only reads parameters. Their rows are computed by `pack_values` if they are `usual`, and else
  // need `prepare`.
  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read_parameters(std::size_t most) {
    constexpr std::size_t kComponents = 256;  // at once, or those of 32 rows if these are more
    const std::size_t rows = std::max(kComponents / size() / 8 * 8, std::size_t{32});
    const std::size_t count = std::min({most, rows, kParameterRows});
    ReadableBlock readable{count};
    if (parameters_.index) {
      read_integers(*parameters_.index, count, which_.data());
      const auto limit = [&](std::size_t) { return elements_; };
      readable.truncate(count_below(which_.data(), count, limit), {Problem::kIndex});
    }
    usual_ = narrow_ && are_usual(bounds());
    if (narrow_) {
      read_narrow(readable);
    } else {
      make_blocks();
      for (std::size_t k = 0; k < size(); ++k) read_component(k, readable.count, readable);
    }
    if (mixture()) {
      weigh(readable);
    } else {
      std::fill_n(columns_[0].weight.data(), count, 1u);
    }
    return readable;
  }

  // Whether the parameters that were read are usual: see row_lanes.hpp.
  [[nodiscard]] bool usual() const { return usual_; }

  [[nodiscard]] bool same_families(const ParameterBlock& other) const {
    if (size() != other.size()) return false;
    for (std::size_t k = 0; k < size(); ++k) {
      if (&family(k) != &other.family(k)) return false;
    }
    return true;
  }

  // Computes what `window`, `pack` and searches need.
  TORCHAC_NOINLINE void prepare(std::size_t count) {
    make_blocks();
    if (narrow_) {
      for (std::size_t k = 0; k < size(); ++k) {
        ComponentBlock& block = blocks_[k];
        for (std::size_t i = 0; i < count; ++i) {
          block.loc[i] = static_cast<double>(columns_[k].narrow[kLocColumn][i]);
          block.scale[i] = columns_[k].narrow[kScaleColumn][i];
        }
      }
    }
    for (std::size_t k = 0; k < size(); ++k) limit(blocks_[k], count);
    choose_shifts(count);
    choose_windows(count);
    place_components(count);
  }

#ifdef TORCHAC_TARGET_AVX2
  // Finds the symbols and packs the intervals of values, eight at a time, in rows of usual
  // parameters. All arrays have room for a multiple of eight.
  [[nodiscard]] ValueFlags pack_values(const std::int32_t* values, std::size_t count,
                                       std::uint32_t* symbols, std::uint32_t* packed) {
    return mixture() ? pack_values_as<true>(values, count, symbols, packed)
                     : pack_values_as<false>(values, count, symbols, packed);
  }
#endif

  // Packs the interval of each symbol.
  void pack(const std::uint32_t* symbols, std::size_t count, std::uint32_t* packed) const {
    std::array<std::uint32_t, kParameterRows> low;
    std::array<std::uint32_t, kParameterRows> high;
    sum(symbols, count, low.data(), high.data());
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t last = window(i).last();
      packed[i] = bound(low[i], symbols[i], last) | (bound(high[i], symbols[i] + 1, last) - 1)
                                                        << kPrecision;
    }
  }

  // For each row, the sums of its components at both edges of symbol j[i], in units of 2^-32.
  void sum(const std::uint32_t* j, std::size_t count, std::uint32_t* low,
           std::uint32_t* high) const {
    if (mixture()) {
      sum_as<true>(j, count, low, high);
    } else {
      sum_as<false>(j, count, low, high);
    }
  }

  // Writes the values of row i, without the last one.
  void write_row(std::size_t i, std::uint16_t* to) const {
    mixture() ? write_row_as<true>(i, to) : write_row_as<false>(i, to);
  }

 private:
  void make_blocks() {
    if (blocks_ != nullptr) return;
    blocks_.reset(new ComponentBlock[size()]);  // NOLINT(modernize-make-unique): not cleared
    for (std::size_t k = 0; k < size(); ++k) {
      blocks_[k].table = family(k).table;
      blocks_[k].weight = columns_[k].weight.data();
    }
  }

  TORCHAC_NOINLINE void read_component(std::size_t k, std::size_t count, ReadableBlock& readable) {
    Component& from = parameters_.components[k];
    ComponentBlock& block = blocks_[k];
    std::array<double, kParameterRows> scales;
    read_column(*from[Parameter::kLoc], count, block.loc.data());
    read_column(*from[Parameter::kScale], count, scales.data());
    double bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      bad = is_finite(block.loc[i]) ? bad : 1;
      bad = is_scale(scales[i]) ? bad : 1;
    }
    if (bad > 0) [[unlikely]]
      find_bad(k, block.loc.data(), scales.data(), readable);
    for (std::size_t i = 0; i < readable.count; ++i) block.scale[i] = static_cast<float>(scales[i]);
  }

  // Replaces parameters beyond those that rows are computed from by the nearest ones.
  static void limit(ComponentBlock& block, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      constexpr float kMinScale = 0x1p-20f;
      block.scale[i] = block.scale[i] < kMinScale ? kMinScale : block.scale[i];
      const double loc = block.loc[i];
      const double above = loc < -0x1p31 ? -0x1p31 : loc;
      block.loc[i] = above > 0x1p31 - 128 ? 0x1p31 - 128 : above;
    }
  }

  // Reads the next numbers, or those of the elements that the index selects.
  void read_column(Numbers& from, std::size_t count, double* to) const {
    if (parameters_.index) return gather_doubles(from, which_.data(), count, to);
    read_doubles(from, count, to);
  }

  static bool is_finite(double x) { return std::abs(x) <= std::numeric_limits<double>::max(); }
  static bool is_scale(double x) { return x >= 0 && x <= kMaxScale; }

  static constexpr auto kLocColumn = static_cast<std::size_t>(Parameter::kLoc);
  static constexpr auto kScaleColumn = static_cast<std::size_t>(Parameter::kScale);
  static constexpr auto kWeightColumn = static_cast<std::size_t>(Parameter::kWeight);

  // Reads means and scales that are narrow floats, and weights.
  void read_narrow(ReadableBlock& readable) {
    const std::size_t count = readable.count;
    for (std::size_t column = 0; column <= (mixture() ? kWeightColumn : kScaleColumn); ++column)
      read_narrow_column(column, count);
    for (std::size_t k = 0; k < size(); ++k) {
      const ComponentColumns& columns = columns_[k];
      // The bits of floats without a sign are integers in the same order. NaN is beyond infinity.
      std::int32_t farthest = 0;
      std::uint32_t widest = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const auto loc = std::bit_cast<std::uint32_t>(columns.narrow[kLocColumn][i]) & INT32_MAX;
        farthest = std::max(farthest, static_cast<std::int32_t>(loc));
        widest = std::max(widest, std::bit_cast<std::uint32_t>(columns.narrow[kScaleColumn][i]));
      }
      const auto is_below = [](std::uint32_t bits, float limit) {
        return bits <= std::bit_cast<std::uint32_t>(limit);
      };
      const auto far = static_cast<std::uint32_t>(farthest);
      if (is_below(far, kUsualParameter) && is_below(widest, kUsualParameter)) continue;
      usual_ = false;
      find_bad(k, columns.get(Parameter::kLoc), columns.get(Parameter::kScale), readable);
    }
  }

  void read_narrow_column(std::size_t column, std::size_t count) {
    std::size_t done = 0;  // NOLINT(misc-const-correctness): not with AVX2
#ifdef TORCHAC_TARGET_AVX2
    while (done < count && side_by_side(column)) done += read_side_by_side(column, done, count);
#endif
    for (std::size_t k = 0; done < count && k < size(); ++k) {
      Numbers& from = *parameters_.components[k].arrays[column];
      float* const to = columns_[k].narrow[column].data();
      if (parameters_.index) {
        gather_floats(from, which_.data(), count, to);
      } else {
        read_floats(from, count - done, to + done);
        if (from.walk.stride() == sizeof(float))
          prefetch_bytes(from.walk.at(), 0,
                         static_cast<std::ptrdiff_t>((count - done) * sizeof(float)));
      }
    }
  }

#ifdef TORCHAC_TARGET_AVX2
  // Whether the components' next numbers lie side by side, and those of the rows as well.
  [[nodiscard]] bool side_by_side(std::size_t column) const {
    if (parameters_.index || size() == 1) return false;
    const Numbers& first = *parameters_.components.front().arrays[column];
    const auto bytes = static_cast<std::int64_t>(first.type == DType::kFloat32 ? 4 : 2);
    if (first.walk.stride() != bytes * static_cast<std::int64_t>(size())) return false;
    for (std::size_t k = 1; k < size(); ++k) {
      const Numbers& other = *parameters_.components[k].arrays[column];
      const bool next = other.type == first.type && other.walk.stride() == first.walk.stride() &&
                        other.walk.run() == first.walk.run() &&
                        other.walk.at() == first.walk.at() + static_cast<std::int64_t>(k) * bytes;
      if (!next) return false;
    }
    return true;
  }

  // Reads them, up to row `count`, and returns the number of rows.
  std::size_t read_side_by_side(std::size_t column, std::size_t done, std::size_t count) {
    const Numbers& first = *parameters_.components.front().arrays[column];
    const std::size_t rows = std::min(count - done, static_cast<std::size_t>(first.walk.run()));
    table_.resize(kParameterRows * size() + (kLanes + 1) * size() + kTileRows);
    read_floats(first.type, first.walk.at(), rows * size(), table_.data());
    for (std::size_t k = 0; k < size(); k += kTileRows) {
      const std::size_t columns = std::min(size() - k, kTileRows);
      for (std::size_t i = 0; i < rows; i += kLanes) {
        LaneArray<const std::byte*> from;
        for (std::size_t p = 0; p < kLanes; ++p)
          from[p] = reinterpret_cast<const std::byte*>(&table_[(i + p) * size() + k]);
        std::array<LaneArray<float>, kTileRows> tile;
        load_columns(from, reinterpret_cast<std::byte*>(tile.data()));
        for (std::size_t j = 0; j < columns; ++j)
          std::copy_n(tile[j].data(), kLanes, &columns_[k + j].narrow[column][done + i]);
      }
    }
    for (Component& component : parameters_.components)
      component.arrays[column]->walk.advance(static_cast<std::int64_t>(rows));
    prefetch_bytes(first.walk.at(), 0, static_cast<std::ptrdiff_t>(rows) * first.walk.stride());
    return rows;
  }
#endif

  template <class T>
  TORCHAC_COLD static void find_bad(std::size_t k, const T* locs, const T* scales,
                                    ReadableBlock& readable) {
    const auto column = static_cast<std::int64_t>(k);
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (!is_finite(static_cast<double>(locs[i]))) readable.truncate(i, {Problem::kLoc, column});
      if (!is_scale(static_cast<double>(scales[i])))
        readable.truncate(i, {Problem::kScale, column});
    }
  }

  // Converts weights to integers, by rounding their cumulative sums.
  TORCHAC_NOINLINE void weigh(ReadableBlock& readable) {
    std::array<double, kParameterRows> sum;
    const std::size_t count = readable.count;
    std::fill_n(sum.data(), count, 0.0);
    for (std::size_t k = 0; k < size(); ++k) add_weights(k, count, sum.data(), readable);
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (!(sum[i] > 0 && is_finite(sum[i]))) readable.truncate(i, {Problem::kWeight, -1});
    }
    std::array<std::uint32_t, kParameterRows> before;
    std::fill_n(before.data(), count, 0u);
    for (std::size_t i = 0; i < readable.count; ++i) sum[i] = (1u << kWeightBits) / sum[i];
    for (std::size_t k = 0; k < size(); ++k) {
      const bool last = k + 1 == size();
      for (std::size_t i = 0; i < readable.count; ++i) {
        const double rounded_up = columns_[k].cumulative_weight[i] * sum[i] + 0.5;
        const auto part = static_cast<std::int32_t>(rounded_up);
        const std::uint32_t until = last ? 1u << kWeightBits : static_cast<std::uint32_t>(part);
        columns_[k].weight[i] = until - before[i];
        before[i] = until;
      }
    }
  }

  // Adds a component's weights to the sums of those before it.
  void add_weights(std::size_t k, std::size_t count, double* sum, ReadableBlock& readable) {
    std::array<double, kParameterRows> weights;
    if (narrow_) {
      std::copy_n(columns_[k].narrow[kWeightColumn].data(), count, weights.data());
    } else {
      read_column(*parameters_.components[k][Parameter::kWeight], count, weights.data());
    }
    double bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = weights[i];
      bad = weight >= 0 ? bad : 1;
      sum[i] += weight < 0x1p-126 ? 0 : weight;
      columns_[k].cumulative_weight[i] = sum[i];
    }
    for (std::size_t i = 0; bad > 0 && i < count; ++i) {
      if (!(weights[i] >= 0))
        readable.truncate(i, {Problem::kWeight, static_cast<std::int64_t>(k)});
    }
  }

  TORCHAC_NOINLINE void choose_shifts(std::size_t count) {
    std::fill_n(shifts_.data(), count, INT32_MAX);
    for (std::size_t k = 0; k < size(); ++k) {
      const std::int32_t exact = family(k).max_exact_exponent;
      const ComponentBlock& block = blocks_[k];
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t shift = std::max(exponent(block.scale[i]) - exact, 0);
        shifts_[i] = block.weight[i] != 0 ? std::min(shifts_[i], shift) : shifts_[i];
      }
    }
    for (std::size_t i = 0; i < count; ++i) units_[i] = power_of_two_as_double(-shifts_[i]);
  }

  // Uses only 32-bit integers: windows beyond them would be cut to the bounds anyway.
  // NOLINTNEXTLINE(readability-function-cognitive-complexity): loops over components and rows
  TORCHAC_NOINLINE void choose_windows(std::size_t count) {
    std::array<std::int32_t, kParameterRows> last;
    std::fill_n(first_.data(), count, INT32_MAX);
    std::fill_n(last.data(), count, INT32_MIN);
    for (std::size_t k = 0; k < size(); ++k) {
      std::array<std::int32_t, kParameterRows> reach;
      scale_component(blocks_[k], family(k).half_width, count, reach.data());
      const ComponentBlock& block = blocks_[k];
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t center = block.center[i];
        const std::int32_t begin = subtract_saturated(center, reach[i]);
        const std::int32_t end = add_saturated(center, reach[i]);
        first_[i] = std::min(first_[i], block.weight[i] != 0 ? begin : INT32_MAX);
        last[i] = std::max(last[i], block.weight[i] != 0 ? end : INT32_MIN);
      }
    }
    const bool mixed = mixture();
    for (std::size_t i = 0; i < count; ++i) {
      const std::int32_t least = bounds().low >> shifts_[i];
      const std::int32_t end = bounds().high >> shifts_[i];
      const bool cut = first_[i] < least || last[i] > end;
      first_[i] = std::clamp(first_[i], least, end);
      last[i] = std::clamp(last[i], least, end);
      const std::uint32_t more =
          static_cast<std::uint32_t>(last[i]) - static_cast<std::uint32_t>(first_[i]);
      const bool zones = more >= kMaxRowSymbols || (mixed && cut && (more == 0 || shifts_[i] > 0));
      const std::uint32_t below = first_[i] > least ? Window::kBelow : 0;
      const std::uint32_t above = last[i] < end ? Window::kAbove : 0;
      first_[i] = zones ? 0 : first_[i];
      windows_[i] = Window(first_[i], zones ? 0 : more,
                           zones ? Window::kZonesShift : static_cast<std::uint32_t>(shifts_[i]),
                           zones ? 0 : below + above);
    }
  }

  // Converts a component to units of 2^shift, and computes its half width.
  void scale_component(ComponentBlock& block, float half_width, std::size_t count,
                       std::int32_t* reach) const {
    for (std::size_t i = 0; i < count; ++i) {
      const double loc = block.loc[i] * units_[i];
      const double center = rounded(loc);
      block.center[i] = static_cast<std::int32_t>(center);
      block.center_error[i] = static_cast<float>(loc - center);
    }
    for (std::size_t i = 0; i < count; ++i) {
      block.center_error[i] += power_of_two(-shifts_[i] - 1);
      const float scale = block.scale[i] * power_of_two(-shifts_[i]);
      block.scale[i] = scale;
      block.reciprocal[i] = 0x1p20f / scale;
      const float half = half_width * scale;
      const auto whole = static_cast<std::int32_t>(half);
      const std::int32_t more = static_cast<float>(whole) < half ? 1 : 0;
      reach[i] = whole + more + 1;
    }
  }

  // Rounds to an integer, halves to even: the sum leaves no bits for a fraction.
  TORCHAC_INLINE static double rounded(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

  TORCHAC_NOINLINE void place_components(std::size_t count) {
    constexpr std::int32_t kFar = 1 << 24;
    for (std::size_t k = 0; k < size(); ++k) {
      ComponentBlock& block = blocks_[k];
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t above = std::max(block.center[i], subtract_saturated(first_[i], kFar));
        block.offset[i] = first_[i] - std::min(above, add_saturated(first_[i], kFar));
      }
    }
  }

#ifdef TORCHAC_TARGET_AVX2
  // The parameters of eight rows, from row i on.
  struct EightRows {
    const ParameterBlock& block;
    std::size_t i;

    [[nodiscard]] TORCHAC_INLINE const Family& family(std::size_t k) const {
      return block.family(k);
    }
    [[nodiscard]] TORCHAC_INLINE Floats8 loc(std::size_t k) const {
      return load_vec8(&block.columns_[k].narrow[kLocColumn][i]);
    }
    [[nodiscard]] TORCHAC_INLINE Floats8 scale(std::size_t k) const {
      return load_vec8(&block.columns_[k].narrow[kScaleColumn][i]);
    }
    [[nodiscard]] TORCHAC_INLINE Words8 weight(std::size_t k) const {
      return load_vec8(&block.columns_[k].weight[i]);
    }
  };

  template <bool kMixture>
  TORCHAC_NOINLINE ValueFlags pack_values_as(const std::int32_t* values, std::size_t count,
                                             std::uint32_t* symbols, std::uint32_t* packed) {
    Ints8 tails{};
    Ints8 outside{};
    Ints8 zones{};  // NOLINT(misc-const-correctness): not of mixtures
    const Ints8 lowest = Ints8{} + bounds().low;
    const Ints8 highest = Ints8{} + bounds().high;
    for (std::size_t k = 0; k < size(); ++k) fill_vector(columns_[k], count);
    if constexpr (kMixture) lanes_.resize(size());
    LaneComponent single;
    LaneComponent* const components = kMixture ? lanes_.data() : &single;
    for (std::size_t i = 0; i < count; i += 8) {
      const LaneWindows rows =
          prepare_lanes<kMixture>(EightRows{*this, i}, size(), lowest, highest, components);
      const Ints8 value = load_vec8(values + i);
      const Ints8 counts = Ints8{0, 1, 2, 3, 4, 5, 6, 7} < static_cast<std::int32_t>(count - i);
      outside |= counts & ((value < lowest) | (value > highest));
      if constexpr (kMixture) zones |= counts & rows.zones;
      const Ints8 place = value >> rows.shift;
      const Ints8 symbol = smaller(larger(place, rows.first), rows.first + rows.last) - rows.first;
      const Floats8 at = floats(symbol);
      const Words8 low_sums = lane_sums<kMixture>(components, size(), at);
      const Words8 high_sums = lane_sums<kMixture>(components, size(), at + 1.0f);
      const Words8 last = words(rows.last);
      const Words8 below = lane_bounds(low_sums, words(symbol), last);
      const Words8 above = lane_bounds(high_sums, words(symbol) + 1, last);
      const Words8 low = words(symbol != 0) & below;
      const Words8 high = symbol == rows.last ? Words8{} + (kTotalFrequency - 1) : above - 1;
      store_vec8(low | high << kPrecision, packed + i);
      store_vec8(words(symbol), symbols + i);
      tails |= counts & (rows.shift | ((symbol == 0) & rows.open_below) |
                         ((symbol == rows.last) & rows.open_above));
      store_windows(rows, &windows_[i]);
    }
    return {any_set(tails), any_set(outside), any_set(zones)};
  }

  // Fills the last vector of eight rows with usual parameters.
  static void fill_vector(ComponentColumns& columns, std::size_t count) {
    const std::size_t rest = (kLanes - count % kLanes) % kLanes;
    std::fill_n(&columns.narrow[kLocColumn][count], rest, 0.0f);
    std::fill_n(&columns.narrow[kScaleColumn][count], rest, 1.0f);
    std::fill_n(&columns.weight[count], rest, 1u);
  }

  TORCHAC_INLINE static void store_windows(const LaneWindows& rows, Window* to) {
    std::array<std::int32_t, 8> first;
    std::array<std::int32_t, 8> rest;
    const Ints8 open = (rows.open_below & static_cast<std::int32_t>(Window::kBelow)) |
                       (rows.open_above & static_cast<std::int32_t>(Window::kAbove));
    store_vec8(rows.first, first.data());
    store_vec8(rows.last | rows.shift << 16 | open << 24, rest.data());
    for (std::size_t p = 0; p < 8; ++p)
      to[p] = Window::from_packed(first[p], static_cast<std::uint32_t>(rest[p]));
  }
#endif

  template <bool kMixture>
  [[nodiscard]] TORCHAC_INLINE std::uint32_t sum_at(std::size_t i, std::uint32_t j) const {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < size(); ++k) sum += blocks_[k].part<kMixture>(i, j);
    return sum;
  }

  template <bool kMixture>
  TORCHAC_NOINLINE void sum_as(const std::uint32_t* j, std::size_t count, std::uint32_t* low,
                               std::uint32_t* high) const {
    std::size_t i = 0;
#ifdef TORCHAC_TARGET_AVX2
    for (; i + 8 <= count; i += 8) {
      Vec8<std::uint32_t> sum{};
      Vec8<std::uint32_t> next_sum{};
      for (std::size_t k = 0; k < size(); ++k) {
        const ComponentBlock& block = blocks_[k];
        const auto part = [&](const Vec8<std::int32_t>& place) {
          const auto at = __builtin_convertvector(place, Vec8<float>);
          const Vec8<float> t =
              (at - load_vec8(&block.center_error[i])) * load_vec8(&block.reciprocal[i]);
          return part_of_sum<kMixture>(evaluate(block.table, t), load_vec8(&block.weight[i]));
        };
        const auto symbol = __builtin_bit_cast(Vec8<std::int32_t>, load_vec8(j + i));
        const Vec8<std::int32_t> place = symbol + load_vec8(&block.offset[i]);
        sum += part(place);
        next_sum += part(place + 1);
      }
      store_vec8(sum, low + i);
      store_vec8(next_sum, high + i);
    }
#endif
    for (; i < count; ++i) {
      low[i] = sum_at<kMixture>(i, j[i]);
      high[i] = sum_at<kMixture>(i, j[i] + 1);
    }
  }

  template <bool kMixture>
  TORCHAC_NOINLINE void write_row_as(std::size_t i, std::uint16_t* to) const {
    const std::uint32_t last = window(i).last();
    std::uint32_t j = 0;
#ifdef TORCHAC_TARGET_AVX2
    for (; j + 8 <= last + 1; j += 8) {
      const Vec8<std::uint32_t> symbols = Vec8<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7} + j;
      const Vec8<std::uint32_t> values =
          bound(sums_at<kMixture>(blocks_.get(), size(), i, symbols), symbols, last);
      std::array<std::uint32_t, 8> each;
      store_vec8(values, each.data());
      for (std::size_t p = 0; p < each.size(); ++p) to[j + p] = static_cast<std::uint16_t>(each[p]);
    }
#endif
    for (; j <= last; ++j)
      to[j] = static_cast<std::uint16_t>(bound(sum_at<kMixture>(i, j), j, last));
  }

  Parameters parameters_;
  bool narrow_ = true;  // whether all parameters are floats of at most 32 bits
  bool usual_ = false;
  std::uint32_t elements_;                           // the number of elements, with an index
  std::array<std::uint32_t, kParameterRows> which_;  // the element of each row, with an index
  // NOLINTBEGIN(modernize-avoid-c-arrays): not cleared, which takes longer than a few values
  std::unique_ptr<ComponentColumns[]> columns_;
  std::unique_ptr<ComponentBlock[]> blocks_;  // made when they are needed
  // NOLINTEND(modernize-avoid-c-arrays)
  std::array<std::int32_t, kParameterRows> shifts_;
  std::array<double, kParameterRows> units_;  // 2^-shift
#ifdef TORCHAC_TARGET_AVX2
  std::vector<LaneComponent> lanes_;
  std::vector<float> table_;  // rows whose components lie side by side
#endif
  std::array<std::int32_t, kParameterRows> first_;  // the first symbol's value of each window
  std::array<Window, kParameterRows> windows_;
};

TORCHAC_END_TARGET
