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

// The integer weights of a mixture add up to 2^15. With 17 bits of a CDF, sums have 32 bits.
inline constexpr std::uint32_t kWeightBits = 15;
inline constexpr std::uint32_t kWeighedBits = 32 - kWeightBits;

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

// A component's contribution to the sum, from its CDF.
template <bool kMixture, class Number>
TORCHAC_INLINE Number part_of_sum(const Number& cdf, const Number& weight) {
  if constexpr (kMixture) return (cdf >> (kCdfBits - kWeighedBits)) * weight;
  return cdf << (32 - kCdfBits);
}

// The most rows in a block of parameters: few enough for their data to stay in the L1 cache.
inline constexpr std::size_t kParameterRows = 128;

// The parameters of a component in a block, in units of 2^shift values.
struct ComponentBlock {
  const std::uint32_t* table;                       // of the family
  std::array<std::int32_t, kParameterRows> offset;  // first symbol - center
  std::array<float, kParameterRows>
      center_error;  // from the lower edge of the center's symbol to the center
  std::array<float, kParameterRows> scale;
  std::array<float, kParameterRows> reciprocal;  // 1 / scale, in units of the CDF's argument
  std::array<std::int32_t, kParameterRows> center;
  std::array<std::uint32_t, kParameterRows> weight;
  std::array<double, kParameterRows> loc;                // in units of 1
  std::array<double, kParameterRows> cumulative_weight;  // the sum of the weights up to this one

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

// The row's value at the lower edge of symbol j, where its components have the sum `sum`. Works for
// numbers and vectors of them. All values after the end of the row equal the last one.
template <class Number>
TORCHAC_INLINE Number bound(const Number& sum, const Number& j, std::uint32_t last) {
  const std::uint32_t symbols = last + 1;
  // The upper half of a product of 32 and 16 bits, computed in 32 bits for vectors.
  const std::uint32_t whole = kTotalFrequency - symbols;
  const Number part = ((sum >> 16) * whole + ((sum & 0xFFFF) * whole >> 16)) >> 16;
  const Number inside = j == 0 ? Number{} : part + j;
  return j >= symbols ? Number{} + kTotalFrequency : inside;
}

// Reads parameters block by block, and prepares the windows of the rows. Each loop over a block
// uses numbers of one size, so compilers vectorize it.
class ParameterBlock {
 public:
  explicit ParameterBlock(Parameters parameters)
      : parameters_(std::move(parameters)),
        elements_(static_cast<std::uint32_t>(std::min<std::int64_t>(
            parameters_.components.front()[Parameter::kLoc]->walk.run(), UINT32_MAX))),
        blocks_(new ComponentBlock[size()]) {
    for (std::size_t k = 0; k < size(); ++k) blocks_[k].table = family(k).table;
  }

  [[nodiscard]] const Bounds& bounds() const { return parameters_.bounds; }
  [[nodiscard]] bool mixture() const { return parameters_.mixture(); }
  [[nodiscard]] std::size_t size() const { return parameters_.components.size(); }
  [[nodiscard]] const ComponentBlock& component(std::size_t k) const { return blocks_[k]; }
  [[nodiscard]] const Family& family(std::size_t k) const {
    return *parameters_.components[k].family;
  }
  [[nodiscard]] const Window& window(std::size_t i) const { return windows_[i]; }
  // The scale of component k of row i, in units of 1.
  [[nodiscard]] double scale(std::size_t k, std::size_t i) const {
    return double{blocks_[k].scale[i]} * power_of_two_as_double(shifts_[i]);
  }

  // Reads at most `most` rows.
  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t most) {
    constexpr std::size_t kComponents = 512;  // at once, or those of 32 rows if these are more
    const std::size_t rows = std::max(kComponents / size() / 8 * 8, std::size_t{32});
    const std::size_t count = std::min({most, rows, kParameterRows});
    ReadableBlock readable{count};
    if (parameters_.index) {
      read_integers(*parameters_.index, count, which_.data());
      const auto limit = [&](std::size_t) { return elements_; };
      readable.truncate(count_below(which_.data(), count, limit), {Problem::kIndex});
    }
    for (std::size_t k = 0; k < size(); ++k) read_component(k, readable.count, readable);
    if (mixture()) {
      weigh(readable);
    } else {
      std::fill_n(blocks_[0].weight.data(), count, 1u);
    }
    choose_shifts(readable.count);
    choose_windows(readable.count);
    place_components(readable.count);
    return readable;
  }

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
      find_bad(k, scales.data(), readable);
    for (std::size_t i = 0; i < readable.count; ++i) {
      constexpr float kMinScale = 0x1p-20f;
      const auto scale = static_cast<float>(scales[i]);
      block.scale[i] = scale < kMinScale ? kMinScale : scale;
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

  TORCHAC_COLD void find_bad(std::size_t k, const double* scales, ReadableBlock& readable) const {
    const auto column = static_cast<std::int64_t>(k);
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (!is_finite(blocks_[k].loc[i])) readable.truncate(i, {Problem::kLoc, column});
      if (!is_scale(scales[i])) readable.truncate(i, {Problem::kScale, column});
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
        // NOLINTNEXTLINE(bugprone-incorrect-roundings): as docs/format.md has it
        const auto part = static_cast<std::int32_t>(blocks_[k].cumulative_weight[i] * sum[i] + 0.5);
        const std::uint32_t until = last ? 1u << kWeightBits : static_cast<std::uint32_t>(part);
        blocks_[k].weight[i] = until - before[i];
        before[i] = until;
      }
    }
  }

  // Adds a component's weights to the sums of those before it.
  void add_weights(std::size_t k, std::size_t count, double* sum, ReadableBlock& readable) {
    std::array<double, kParameterRows> weights;
    read_column(*parameters_.components[k][Parameter::kWeight], count, weights.data());
    double bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = weights[i];
      bad = weight >= 0 ? bad : 1;
      sum[i] += weight < 0x1p-126 ? 0 : weight;
      blocks_[k].cumulative_weight[i] = sum[i];
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
  std::uint32_t elements_;                           // the number of elements, with an index
  std::array<std::uint32_t, kParameterRows> which_;  // the element of each row, with an index
  // NOLINTNEXTLINE(modernize-avoid-c-arrays): not cleared, which takes longer than a few values
  std::unique_ptr<ComponentBlock[]> blocks_;
  std::array<std::int32_t, kParameterRows> shifts_;
  std::array<double, kParameterRows> units_;        // 2^-shift
  std::array<std::int32_t, kParameterRows> first_;  // the first symbol's value of each window
  std::array<Window, kParameterRows> windows_;
};

TORCHAC_END_TARGET
