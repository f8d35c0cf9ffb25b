// Parameters of distributions, and the rows that follow from them: docs/format.md, "Models".
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/standard_cdf.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

struct Component {
  Kind kind;
  Numbers loc;
  Numbers scale;
  std::optional<Numbers> weight;  // of a mixture
};

// One distribution for each value. A mixture's weights are all there, else there is one component.
struct Parameters {
  std::vector<Component> components;
  Bounds bounds;

  [[nodiscard]] bool mixture() const { return components.front().weight.has_value(); }
};

inline constexpr double kMaxScale = 0x1p24;

// A mixture's weights as integers add up to 2^15. With 17 bits of a CDF, sums have 32 bits.
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

// What a component's part of a row is computed from, in units of 2^shift values.
struct ComponentBlock {
  std::array<std::int32_t, kBlock> offset;  // first symbol - center
  std::array<float, kBlock> edge;           // what the lower edge of the center lacks to the center
  std::array<float, kBlock> scale;
  std::array<float, kBlock> reciprocal;  // of the scale, in units of the CDF's argument
  std::array<float, kBlock> reach;       // half of the window
  std::array<std::uint32_t, kBlock> weight;
  std::array<double, kBlock> center;
  std::array<double, kBlock> share;  // the sum of the weights up to this one
};

// Reads parameters, a block at a time, and prepares the rows' windows.
class ParameterBlock {
 public:
  explicit ParameterBlock(Parameters parameters)
      : parameters_(std::move(parameters)), blocks_(parameters_.components.size()) {}

  [[nodiscard]] const Bounds& bounds() const { return parameters_.bounds; }
  [[nodiscard]] bool mixture() const { return parameters_.mixture(); }
  [[nodiscard]] std::size_t size() const { return blocks_.size(); }
  [[nodiscard]] const ComponentBlock& component(std::size_t k) const { return blocks_[k]; }
  [[nodiscard]] const StandardCdf& standard(std::size_t k) const {
    return standard_cdf(parameters_.components[k].kind);
  }
  [[nodiscard]] const Window& window(std::size_t i) const { return windows_[i]; }

  // At most `most` rows, so that what belongs to them stays in the L1 cache.
  [[nodiscard]] TORCHAC_NOINLINE ReadableBlock read(std::size_t most) {
    const std::size_t count = std::min(most, std::max(kBlock / size() / 8 * 8, std::size_t{32}));
    ReadableBlock readable{count};
    for (std::size_t k = 0; k < size(); ++k) read_component(k, count, readable);
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

  // For each row, the sum of its components at the lower edge of symbol j[i] + `next`, in units
  // of 2^-32.
  TORCHAC_NOINLINE void sum(const std::uint32_t* j, std::uint32_t next, std::size_t count,
                            std::uint32_t* sums) const {
    if (!mixture()) {
      sum_component<false>(0, j, next, count, sums);
      return;
    }
    std::fill_n(sums, count, 0u);
    for (std::size_t k = 0; k < size(); ++k) sum_component<true>(k, j, next, count, sums);
  }

  // The same of row i alone.
  [[nodiscard]] std::uint32_t sum_at(std::size_t i, std::uint32_t j) const {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < size(); ++k) {
      const std::uint32_t value = evaluate_at(table(k), blocks_[k], i, j);
      sum += mixture() ? blocks_[k].weight[i] * (value >> (kCdfBits - kWeighedBits))
                       : value << (32 - kCdfBits);
    }
    return sum;
  }

 private:
  TORCHAC_NOINLINE void read_component(std::size_t k, std::size_t count, ReadableBlock& readable) {
    Component& from = parameters_.components[k];
    ComponentBlock& block = blocks_[k];
    std::array<double, kBlock> scales;
    read_doubles(from.loc, count, block.center.data());
    read_doubles(from.scale, count, scales.data());
    double bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      bad = is_finite(block.center[i]) ? bad : 1;
      bad = is_scale(scales[i]) ? bad : 1;
    }
    if (bad > 0) [[unlikely]]
      find_bad(k, scales.data(), readable);
    for (std::size_t i = 0; i < readable.count; ++i) {
      constexpr float kMinScale = 0x1p-20f;
      const auto scale = static_cast<float>(scales[i]);
      block.scale[i] = scale < kMinScale ? kMinScale : scale;
      const double loc = block.center[i];
      const double above = loc < -0x1p31 ? -0x1p31 : loc;
      block.center[i] = above > 0x1p31 - 128 ? 0x1p31 - 128 : above;
    }
  }

  static bool is_finite(double x) { return std::abs(x) <= std::numeric_limits<double>::max(); }
  static bool is_scale(double x) { return x >= 0 && x <= kMaxScale; }

  TORCHAC_COLD void find_bad(std::size_t k, const double* scales, ReadableBlock& readable) const {
    const auto column = static_cast<std::int64_t>(k);
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (!is_finite(blocks_[k].center[i])) readable.truncate(i, {Problem::kLoc, column});
      if (!is_scale(scales[i])) readable.truncate(i, {Problem::kScale, column});
    }
  }

  // Weights as integers, by their sums.
  TORCHAC_NOINLINE void weigh(ReadableBlock& readable) {
    std::array<double, kBlock> sum;
    std::fill_n(sum.data(), readable.count, 0.0);
    const std::size_t count = readable.count;
    for (std::size_t k = 0; k < size(); ++k) add_weights(k, count, sum.data(), readable);
    for (std::size_t i = 0; i < readable.count; ++i) {
      if (!(sum[i] > 0 && is_finite(sum[i]))) readable.truncate(i, {Problem::kWeight, -1});
    }
    std::array<std::uint32_t, kBlock> before;
    std::fill_n(before.data(), count, 0u);
    for (std::size_t i = 0; i < readable.count; ++i) sum[i] = (1u << kWeightBits) / sum[i];
    for (std::size_t k = 0; k < size(); ++k) {
      const bool last = k + 1 == size();
      for (std::size_t i = 0; i < readable.count; ++i) {
        // NOLINTNEXTLINE(bugprone-incorrect-roundings): as docs/format.md has it
        const auto part = static_cast<std::int32_t>(blocks_[k].share[i] * sum[i] + 0.5);
        const std::uint32_t until = last ? 1u << kWeightBits : static_cast<std::uint32_t>(part);
        blocks_[k].weight[i] = until - before[i];
        before[i] = until;
      }
    }
  }

  // Adds a component's weights to the sums of those before it.
  void add_weights(std::size_t k, std::size_t count, double* sum, ReadableBlock& readable) {
    std::array<double, kBlock> weights;
    read_doubles(*parameters_.components[k].weight, count, weights.data());
    double bad = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double weight = weights[i];
      bad = weight >= 0 ? bad : 1;
      sum[i] += weight < 0x1p-126 ? 0 : weight;
      blocks_[k].share[i] = sum[i];
    }
    for (std::size_t i = 0; bad > 0 && i < count; ++i) {
      if (!(weights[i] >= 0))
        readable.truncate(i, {Problem::kWeight, static_cast<std::int64_t>(k)});
    }
  }

  TORCHAC_NOINLINE void choose_shifts(std::size_t count) {
    std::fill_n(shifts_.data(), count, INT32_MAX);
    for (std::size_t k = 0; k < size(); ++k) {
      const std::int32_t wide = standard(k).wide;
      const ComponentBlock& block = blocks_[k];
      for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t shift = std::max(exponent(block.scale[i]) - wide, 0);
        shifts_[i] = block.weight[i] != 0 ? std::min(shifts_[i], shift) : shifts_[i];
      }
    }
  }

  TORCHAC_NOINLINE void choose_windows(std::size_t count) {
    for (std::size_t k = 0; k < size(); ++k) scale_component(blocks_[k], standard(k).tail, count);
    std::array<double, kBlock> first;
    std::array<double, kBlock> last;
    std::array<double, kBlock> main;
    std::array<double, kBlock> open;
    if (mixture()) {
      join_windows(count, first.data(), last.data(), main.data());
    } else {
      const ComponentBlock& block = blocks_[0];
      for (std::size_t i = 0; i < count; ++i) {
        main[i] = block.center[i];
        first[i] = block.center[i] - block.reach[i];
        last[i] = block.center[i] + block.reach[i];
      }
    }
    const double low = bounds().low;
    const double high = bounds().high;
    for (std::size_t i = 0; i < count; ++i) {
      const double unit = power_of_two_as_double(-shifts_[i]);
      const double least = rounded_down(low * unit);
      const double most = rounded_down(high * unit);
      first_[i] = within(first[i], main[i], least, most);
      const double end = within(last[i], main[i], least, most);
      last[i] = end - first_[i];
      open[i] = (first_[i] > least ? Window::kBelow : 0.0) + (end < most ? Window::kAbove : 0.0);
    }
    for (std::size_t i = 0; i < count; ++i) {
      windows_[i] = Window(static_cast<std::int32_t>(first_[i]), to_uint32(last[i]),
                           static_cast<std::uint32_t>(shifts_[i]), to_uint32(open[i]));
    }
  }

  TORCHAC_INLINE static std::uint32_t to_uint32(double x) {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(x));
  }

  // Puts a component in units of 2^shift; its center was a loc. The loops have numbers of one size,
  // of which compilers make vector code.
  void scale_component(ComponentBlock& block, float tail, std::size_t count) const {
    const std::int32_t* const shifts = shifts_.data();
    for (std::size_t i = 0; i < count; ++i) {
      const double loc = block.center[i] * power_of_two_as_double(-shifts[i]);
      const double center = rounded(loc);
      block.center[i] = center;
      block.edge[i] = static_cast<float>(loc - center);
    }
    for (std::size_t i = 0; i < count; ++i) {
      block.edge[i] += power_of_two(-shifts[i] - 1);
      const float scale = block.scale[i] * power_of_two(-shifts[i]);
      block.scale[i] = scale;
      block.reciprocal[i] = 0x1p20f / scale;
      const float product = tail * scale;
      const float half = product < 0x1p20f ? product : 0x1p20f;
      const auto whole = static_cast<std::int32_t>(half);
      const std::int32_t more = static_cast<float>(whole) < half ? 1 : 0;
      block.reach[i] = static_cast<float>(whole + more + 1);
    }
  }

  // The ends of the windows, and the center of the main component.
  void join_windows(std::size_t count, double* first, double* last, double* main) const {
    std::array<double, kBlock> most;
    std::fill_n(first, count, 0x1p40);
    std::fill_n(last, count, -0x1p40);
    std::fill_n(most.data(), count, 0.0);
    for (const ComponentBlock& block : blocks_) {
      for (std::size_t i = 0; i < count; ++i) {
        const double weight = static_cast<std::int32_t>(block.weight[i]);
        const double outside = weight > 0 ? 0 : 0x1p41;  // of what counts
        const double begin = block.center[i] - block.reach[i] + outside;
        const double end = block.center[i] + block.reach[i] - outside;
        first[i] = begin < first[i] ? begin : first[i];
        last[i] = end > last[i] ? end : last[i];
        main[i] = weight > most[i] ? block.center[i] : main[i];
        most[i] = weight > most[i] ? weight : most[i];
      }
    }
  }

  // To an integer, halves to even: the sum leaves no bits for a fraction.
  TORCHAC_INLINE static double rounded(double x) { return (x + 0x1.8p52) - 0x1.8p52; }
  TORCHAC_INLINE static double rounded_down(double x) {
    return rounded(x) - (rounded(x) > x ? 1.0 : 0.0);
  }

  TORCHAC_INLINE static double within(double x, double main, double low, double high) {
    constexpr double kReach = 2048;
    const double near = x < main - kReach ? main - kReach : x;
    const double reached = near > main + kReach ? main + kReach : near;
    const double above = reached < low ? low : reached;
    return above > high ? high : above;
  }

  TORCHAC_NOINLINE void place_components(std::size_t count) {
    for (ComponentBlock& block : blocks_) {
      for (std::size_t i = 0; i < count; ++i) {
        const double offset = first_[i] - block.center[i];
        block.offset[i] = static_cast<std::int32_t>(std::min(std::max(offset, -0x1p24), 0x1p24));
      }
    }
  }

  [[nodiscard]] const std::uint32_t* table(std::size_t k) const {
    return standard_tables() + standard(k).table;
  }

  // The CDF of a component at the lower edge of symbol j in row i.
  [[nodiscard]] TORCHAC_INLINE static std::uint32_t evaluate_at(const std::uint32_t* table,
                                                                const ComponentBlock& block,
                                                                std::size_t i, std::uint32_t j) {
    const auto at = static_cast<float>(static_cast<std::int32_t>(j) + block.offset[i]);
    return evaluate(table, (at - block.edge[i]) * block.reciprocal[i]);
  }

  template <bool kMixture>
  TORCHAC_INLINE void sum_component(std::size_t k, const std::uint32_t* j, std::uint32_t next,
                                    std::size_t count, std::uint32_t* sums) const {
    const ComponentBlock& block = blocks_[k];
    const std::uint32_t* const cdf = table(k);
    std::size_t i = 0;
#ifdef TORCHAC_TARGET_OPTIONS
    for (; i + 8 <= count; i += 8) {
      const auto symbol = __builtin_bit_cast(Vec8<std::int32_t>, load_vec8(j + i) + next);
      const auto at = __builtin_convertvector(symbol + load_vec8(&block.offset[i]), Vec8<float>);
      const Vec8<float> argument =
          (at - load_vec8(&block.edge[i])) * load_vec8(&block.reciprocal[i]);
      const Vec8<std::uint32_t> value = evaluate(cdf, argument, Vec8<std::uint32_t>{});
      if constexpr (kMixture) {
        const Vec8<std::uint32_t> part = value >> (kCdfBits - kWeighedBits);
        store_vec8(load_vec8(sums + i) + part * load_vec8(&block.weight[i]), sums + i);
      } else {
        store_vec8(value << (32 - kCdfBits), sums + i);
      }
    }
#endif
    for (; i < count; ++i) {
      const std::uint32_t value = evaluate_at(cdf, block, i, j[i] + next);
      if constexpr (kMixture) {
        sums[i] += block.weight[i] * (value >> (kCdfBits - kWeighedBits));
      } else {
        sums[i] = value << (32 - kCdfBits);
      }
    }
  }

  Parameters parameters_;
  std::vector<ComponentBlock> blocks_;
  std::array<std::int32_t, kBlock> shifts_;
  std::array<double, kBlock> first_;  // of each window
  std::array<Window, kBlock> windows_;
};

// The row's value where its components have the sum `sum`, at the lower edge of symbol j.
TORCHAC_INLINE std::uint32_t bound(std::uint32_t sum, std::uint32_t j, std::uint32_t last) {
  const std::uint32_t symbols = last + 1;
  // The upper half of a product of 32 and 16 bits, in 32 bits, which vectors have.
  const std::uint32_t whole = kTotalFrequency - symbols;
  const std::uint32_t part = ((sum >> 16) * whole + ((sum & 0xFFFF) * whole >> 16)) >> 16;
  const std::uint32_t inside = j == 0 ? 0 : part + j;
  return j == symbols ? kTotalFrequency : inside;
}

TORCHAC_END_TARGET
