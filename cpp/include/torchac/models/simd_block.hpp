// A SIMD block: 32 neighbouring values of a monotone row, in which a target's interval and symbol
// are found.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/models/cdf_value.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_HAS_SIMD

TORCHAC_BEGIN_TARGET

// Quantizes eight values, which must be in range, as `quantize_fast` does, modulo 2^16.
TORCHAC_INLINE U16x8 quantize8(const Integer16&, const Numbers8<std::uint16_t>& stored, U16x8) {
  return stored.front();
}

template <class Real>
TORCHAC_INLINE U16x8 quantize8(const FloatValue<Real>& type, const Numbers8<Real>& stored,
                               U16x8 js) {
  using Fast = typename FloatValue<Real>::Fast;
  using Bits = Numbers8<std::make_unsigned_t<Fast>>;
  constexpr Real kRounder = FloatValue<Real>::kRounder;
  static_assert((std::bit_cast<Fast>(kRounder) & (kTotalFrequency - 1)) == 0);
  Bits bits;
  for_each_register<bits.size()>([&](std::size_t k) {
    bits[k] = __builtin_bit_cast(typename Bits::value_type, stored[k] * type.scale() + kRounder);
  });
  return narrowed(bits) + (js & static_cast<std::uint16_t>(type.counted()));
}

// Whether stored values are monotone, kCount of them at a time.
template <class Stored, std::size_t kCount>
class MonotoneCheck {
 public:
  // Checks the values from `from` on, each against the next one.
  TORCHAC_INLINE void look(const std::byte* from) {
    for_each_register<kCount * sizeof(Stored) / sizeof(Values)>([&](std::size_t k) {
      Values values;
      Values next;
      std::memcpy(&values, from + k * sizeof values, sizeof values);
      std::memcpy(&next, from + k * sizeof values + sizeof(Stored), sizeof next);
      all_ &= values <= next;
    });
  }

  // Whether all checked values are at most the next one.
  [[nodiscard]] TORCHAC_INLINE bool holds() const {
    const auto words = __builtin_bit_cast(Vector<std::uint64_t, sizeof(Values) / 8>, all_);
    std::uint64_t all = words[0] & words[1];
    if constexpr (sizeof(Values) > 16) all &= words[2] & words[3];
    return all == UINT64_MAX;
  }

 private:
  // The values in a register.
  using Values = Vector<Stored, std::min(kCount, kRegisterBytes / sizeof(Stored))>;

  decltype(Values{} <= Values{}) all_ = Values{} <= Values{};  // true
};

// The quantile in all lanes, without a detour through other registers.
TORCHAC_INLINE U16x8 broadcast_quantile(const Target& target) {
  return broadcast<kQuantileBit / 16>(target.quotient());
}

// Consecutive values, some of which may be repeated.
struct SimdBlock {
  static constexpr std::uint32_t kSize = 32;

  std::array<U16x8, kSize / kLanes> values;

  // The nearest values on both sides of the quantile; the upper one may be one of `ends`. If there
  // is none below, the interval begins far above the target.
  [[nodiscard]] TORCHAC_INLINE Interval interval(const Target& target, U16x8 ends) const {
    const U16x8 quantile = broadcast_quantile(target);
    const U16x8 next = quantile + 1;
    // Differences wrap: those of values on the other side of the quantile are the larger ones.
    const U16x8 end = ends - next;
    const std::uint32_t below =
        smallest(smaller(smaller(quantile - values[0], quantile - values[1]),
                         smaller(quantile - values[2], quantile - values[3])));
    const std::uint32_t above =
        smallest(smaller(smaller(smaller(values[0] - next, end), smaller(values[1] - next, end)),
                         smaller(smaller(values[2] - next, end), smaller(values[3] - next, end))));
    const std::uint32_t q = target.quantile();
    return {q - below, q + 1 + above};
  }

  // Whether the quantile reaches each value.
  [[nodiscard]] TORCHAC_INLINE std::array<Mask, kSize / kLanes> reached(
      const Target& target) const {
    const U16x8 quantile = broadcast_quantile(target);
    return {values[0] <= quantile, values[1] <= quantile, values[2] <= quantile,
            values[3] <= quantile};
  }
};

// The symbol of the last of `values` values; if there are none, the first symbol.
TORCHAC_INLINE std::uint32_t last_of(std::uint32_t values) { return std::max(values, 1u) - 1; }

// The base of searches by SIMD blocks, for contiguous rows whose stored values have the right
// order.
template <CdfValue AnyValue>
class SimdRow {
 public:
  using Value = AnyValue;

 protected:
  using Stored = typename Value::Stored;

  static constexpr U16x8 kCount = {0, 1, 2, 3, 4, 5, 6, 7};

  SimdRow() = default;
  SimdRow(Value value, std::uint32_t symbols) : value_(value), symbols_(symbols) {}

  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] std::uint32_t symbols() const { return symbols_; }

  // The values from `first` on.
  [[nodiscard]] TORCHAC_INLINE U16x8 values8(const std::byte* row, std::uint32_t first) const {
    Numbers8<Stored> stored;
    for_each_register<stored.size()>([&](std::size_t k) {
      std::memcpy(&stored[k], row + first * sizeof(Stored) + k * sizeof stored[k],
                  sizeof stored[k]);
    });
    return quantize8(value_, stored, kCount + static_cast<std::uint16_t>(first));
  }

  // Whether the first and the last value are in 0 ... kTotalFrequency - 1 when quantized. C[L] does
  // not count.
  [[nodiscard]] TORCHAC_INLINE bool endpoints_in_range(const std::byte* row) const {
    return !Value::out_of_range(fast(row, 0) | fast(row, symbols_ - 1));
  }

 private:
  [[nodiscard]] TORCHAC_INLINE auto fast(const std::byte* row, std::uint32_t j) const {
    return value_.quantize_fast(load<Stored>(row + j * sizeof(Stored)),
                                static_cast<typename Value::Index>(j));
  }

  Value value_{};
  std::uint32_t symbols_ = 0;
};

TORCHAC_END_TARGET

#endif
