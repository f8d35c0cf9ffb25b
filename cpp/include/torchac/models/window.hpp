// A window: which integers the symbols of a row stand for, and where further ones may lie.
#pragma once

#include <algorithm>
#include <cstdint>

#include "torchac/support/compiler.hpp"

namespace torchac {

// Values lie from `low` to `high`.
struct Bounds {
  std::int32_t low = INT32_MIN;
  std::int32_t high = INT32_MAX;

  bool operator==(const Bounds&) const = default;
};

// Symbol j stands for the 2^shift values from (first + j) * 2^shift on. The symbol at an open end
// stands for what is further out, too.
struct Window {
  std::int32_t first;
  std::uint16_t last;  // symbol
  std::uint8_t shift;
  std::uint8_t open;

  static constexpr std::uint8_t kBelow = 1;
  static constexpr std::uint8_t kAbove = 2;

  TORCHAC_INLINE static Window of(std::int32_t first, std::uint32_t last, std::uint32_t shift,
                                  const Bounds& bounds) {
    const auto end = std::int64_t{first} + last;
    const int below = first > (bounds.low >> shift) ? kBelow : 0;
    const int above = end < (bounds.high >> shift) ? kAbove : 0;
    return {first, static_cast<std::uint16_t>(last), static_cast<std::uint8_t>(shift),
            static_cast<std::uint8_t>(below | above)};
  }

  // Where a value is, relative to the first symbol.
  [[nodiscard]] TORCHAC_INLINE std::int64_t position(std::int32_t value) const {
    return std::int64_t{value >> shift} - first;
  }

  // The symbol at a position, or next to it.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t symbol(std::int64_t position) const {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(position, 0, last));
  }

  // Whether bits come behind a symbol.
  [[nodiscard]] TORCHAC_INLINE bool has_tail(std::uint32_t symbol) const {
    return (shift | (symbol == 0 ? open & kBelow : 0) | (symbol == last ? open & kAbove : 0)) != 0;
  }

  // The value of a symbol that has none.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t value(std::uint32_t symbol) const {
    return static_cast<std::uint32_t>(first) + symbol;
  }
};

static_assert(sizeof(Window) == 8);

}  // namespace torchac
