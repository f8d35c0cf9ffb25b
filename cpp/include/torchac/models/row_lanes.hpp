// Eight rows of parameters at once, one in each lane. They have the same bits as those that
// ParameterBlock computes one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/coder/interval.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/row_values.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Parameters are usual if they are floats of at most 32 bits, no mean lies further from 0 than
// this, and no scale is larger. All that docs/format.md computes in 64 bits is then exact in 32,
// and nothing is beyond the integers that a float holds.
inline constexpr float kUsualParameter = 0x1p16f;

// Bounds are usual if they leave the windows of usual parameters in these integers.
[[nodiscard]] TORCHAC_INLINE bool are_usual(const Bounds& bounds) {
  constexpr std::int32_t kNear = 1 << 20;
  return bounds.low <= kNear && bounds.high >= -kNear;
}

#ifdef TORCHAC_TARGET_AVX2

// What the sums of rows are computed from, for a component.
struct LaneComponent {
  const Family* family;
  LaneArray<float> offset;        // as in ComponentBlock
  LaneArray<float> center_error;  // these as well
  LaneArray<float> reciprocal;
  LaneArray<float> scale;
  LaneArray<std::uint32_t> weight;
  // For guesses: where its middle is, in symbols, and its weight as a part of one.
  LaneArray<float> center;
  LaneArray<float> share;
};

// The windows of rows.
struct LaneWindows {
  Ints8 first;
  Ints8 last;
  Ints8 shift;
  Ints8 open_below;  // all ones if the window has an open end there
  Ints8 open_above;
  Ints8 zones;  // all ones if the row has zones, and nothing else is meaningful
};

// Prepares rows of usual parameters. `loc(k)`, `scale(k)`, and `weight(k)` are those of component k
// of `family(k)`.
template <bool kMixture, class Parameters>
TORCHAC_INLINE LaneWindows prepare_lanes(const Parameters& parameters, std::size_t size,
                                         const Ints8& lowest_value, const Ints8& highest_value,
                                         LaneComponent* components) {
  const std::size_t count = kMixture ? size : 1;
  constexpr float kMinScale = 0x1p-20f;
  Ints8 shift = Ints8{} + INT32_MAX;
  for (std::size_t k = 0; k < count; ++k) {
    const Floats8 scale = larger(parameters.scale(k), Floats8{} + kMinScale);
    const std::int32_t exact = parameters.family(k).max_exact_exponent;
    const Ints8 more = (ints(scale) >> 23) - (127 + exact);
    if constexpr (kMixture) {
      const Words8 weight = parameters.weight(k);
      shift = smaller(shift, weight != 0 ? more : Ints8{} + INT32_MAX);
    } else {
      shift = more;
    }
  }
  shift = larger(shift, Ints8{});
  const auto unit = __builtin_bit_cast(Floats8, (127 - shift) << 23);
  const Floats8 half_unit = unit * 0.5f;
  constexpr float kFar = 0x1p24f;
  Floats8 first = Floats8{} + kFar;
  Floats8 last = Floats8{} - kFar;
  for (std::size_t k = 0; k < count; ++k) {
    LaneComponent& component = components[k];
    const Family& family = parameters.family(k);
    const Floats8 loc = parameters.loc(k) * unit;
    const Floats8 center = rounded(loc);
    const Floats8 scale = larger(parameters.scale(k), Floats8{} + kMinScale) * unit;
    const Floats8 reach = rounded_up(family.half_width * scale) + 1.0f;
    store_vec8((loc - center) + half_unit, component.center_error.data());
    store_vec8(scale, component.scale.data());
    store_vec8(0x1p20f / scale, component.reciprocal.data());
    store_vec8(center, component.offset.data());  // so far
    component.family = &family;
    if constexpr (kMixture) {
      const Words8 weight = parameters.weight(k);
      store_vec8(weight, component.weight.data());
      first = smaller(first, weight != 0 ? center - reach : Floats8{} + kFar);
      last = larger(last, weight != 0 ? center + reach : Floats8{} - kFar);
    } else {
      first = center - reach;
      last = center + reach;
    }
  }
  const Ints8 least = lowest_value >> shift;
  const Ints8 end = highest_value >> shift;
  const Ints8 uncut_first = truncated(first);
  const Ints8 uncut_last = truncated(last);
  const auto cut = [&](const Ints8& x) { return smaller(larger(x, least), end); };
  LaneWindows windows;
  windows.first = cut(uncut_first);
  const Ints8 last_value = cut(uncut_last);
  windows.last = last_value - windows.first;
  windows.shift = shift;
  windows.open_below = windows.first > least;
  windows.open_above = last_value < end;
  windows.zones = windows.last >= static_cast<std::int32_t>(kMaxRowSymbols);
  if constexpr (kMixture)
    windows.zones |=
        ((uncut_first < least) | (uncut_last > end)) & ((windows.last == 0) | (shift > 0));
  const Floats8 start = floats(windows.first);
  for (std::size_t k = 0; k < count; ++k) {
    float* const offset = components[k].offset.data();
    store_vec8(start - load_vec8(offset), offset);
  }
  return windows;
}

// The sums of components at the lower edges of symbols, which are given as floats.
template <bool kMixture>
TORCHAC_INLINE Words8 lane_sums(const LaneComponent* components, std::size_t size,
                                const Floats8& symbols) {
  const auto cdf = [&](const LaneComponent& c) {
    const Floats8 at = symbols + load_vec8(c.offset.data());
    return evaluate(c.family->table,
                    (at - load_vec8(c.center_error.data())) * load_vec8(c.reciprocal.data()));
  };
  if constexpr (kMixture) {
    Words8 sum{};
    for (std::size_t k = 0; k < size; ++k)
      sum += part_of_sum<true>(cdf(components[k]), load_vec8(components[k].weight.data()));
    return sum;
  } else {
    return part_of_sum<false>(cdf(components[0]), Words8{});
  }
}

// The rows' values there, for symbols that are neither the first nor after the last one.
TORCHAC_INLINE Words8 lane_bounds(const Words8& sums, const Words8& symbols, const Words8& last) {
  const Words8 whole = (kTotalFrequency - 1) - last;
  const Words8 part = (sums >> 16) * whole + high_product_of_low_halves(sums, whole);
  return (part >> 16) + symbols;
}

#endif

TORCHAC_END_TARGET
