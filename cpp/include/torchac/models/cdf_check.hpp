// Checks of a whole row of a CDF: finite, in [0, 1], and monotone.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// `Cdf` is CdfRow, which offers the checks.
template <class Cdf>
class CdfCheck {
 public:
  explicit CdfCheck(const Cdf& cdf) : cdf_(&cdf) {}

  // The first value that is not finite, if there is one.
  [[nodiscard]] Fault not_finite(const std::byte* row) const {
    for (std::uint32_t j = 0; j <= cdf_->symbols(); ++j) {
      if (cdf_->at(row, j) == kNotFinite) return {Problem::kNotFinite, j};
    }
    return {};
  }

  // The first quantized value that is less than the one before it. Values that are not finite are
  // skipped.
  [[nodiscard]] Fault decrease(const std::byte* row) const {
    if (cdf_->contiguous() ? is_monotone(row, sizeof(Stored)) : is_monotone(row, cdf_->stride()))
      return {};
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j < cdf_->symbols(); ++j) {
      const std::uint32_t quantized = cdf_->at(row, j);
      if (quantized == kNotFinite) continue;
      if (quantized < before) return {Problem::kDecreasing, j};
      before = quantized;
    }
    return {};
  }

  // The first fault of any kind.
  [[nodiscard]] Fault all(const std::byte* row) const {
    if constexpr (Value::kIsFloat) {
      if (cdf_->contiguous() ? quick_check(row, sizeof(Stored)) : quick_check(row, cdf_->stride()))
        return {};
      return first_fault(row);
    } else {
      return decrease(row);
    }
  }

 private:
  using Value = typename Cdf::Value;
  using Stored = typename Value::Stored;
  using Index = typename Value::Index;

  // Whether the quantized values do not decrease, and all are in range.
  [[nodiscard]] TORCHAC_INLINE bool is_monotone(const std::byte* row, std::ptrdiff_t stride) const {
    const auto quantized = [&](std::uint32_t j) {
      return cdf_->value().quantize_fast(
          load<Stored>(row + static_cast<std::ptrdiff_t>(j) * stride), static_cast<Index>(j));
    };
    typename Value::Fast all = quantized(0);
    unsigned falls = 0;
    for (std::uint32_t j = 1; j < cdf_->symbols(); ++j) {
      all |= quantized(j);
      falls |= quantized(j) < quantized(j - 1);
    }
    return falls == 0 && !Value::out_of_range(all);
  }

  // Whether the values as stored do not decrease and begin and end within [0, 1]: then the
  // quantized ones do not decrease either, unless one below the last is rounded up to 1 (without
  // normalization) and wraps. Comparisons with NaN are false.
  [[nodiscard]] TORCHAC_INLINE bool quick_check(const std::byte* row, std::ptrdiff_t stride) const {
    unsigned bad = 0;
    for (std::uint32_t j = 0; j < cdf_->symbols(); ++j) {
      const auto* value = row + static_cast<std::ptrdiff_t>(j) * stride;
      bad |= !(Value::real(load<Stored>(value)) <= Value::real(load<Stored>(value + stride)));
    }
    const std::uint32_t last = cdf_->symbols() - 1;
    return bad == 0 && real(row, 0) >= 0 && real(row, cdf_->symbols()) <= 1 &&
           !Value::out_of_range(
               cdf_->value().quantize_fast(cdf_->stored(row, last), static_cast<Index>(last)));
  }

  [[nodiscard]] Fault first_fault(const std::byte* row) const {
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j <= cdf_->symbols(); ++j) {
      const auto value = real(row, j);
      if (!std::isfinite(value)) return {Problem::kNotFinite, j};
      if (!(value >= 0 && value <= 1)) return {Problem::kOutOfBounds, j};
      const std::uint32_t quantized = j == cdf_->symbols() ? kTotalFrequency : cdf_->at(row, j);
      if (quantized < before) return {Problem::kDecreasing, j};
      before = quantized;
    }
    return {};
  }

  [[nodiscard]] auto real(const std::byte* row, std::uint32_t j) const {
    return Value::real(cdf_->stored(row, j));
  }

  const Cdf* cdf_;
};

TORCHAC_END_TARGET
