// A window: the integers that the symbols of a row stand for, and its open ends.
#pragma once

#include <algorithm>
#include <cstdint>

#include "torchac/support/compiler.hpp"

namespace torchac {

// The range of values, from `low` to `high`.
struct Bounds {
  std::int32_t low = INT32_MIN;
  std::int32_t high = INT32_MAX;

  bool operator==(const Bounds&) const = default;

  // Nonzero if the value is out of bounds.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t excess(std::int32_t value) const {
    return static_cast<std::uint32_t>(std::clamp(value, low, high)) ^
           static_cast<std::uint32_t>(value);
  }
};

// The most symbols of a computed row. Mixtures that need more are coded by zones, and those with
// values beyond the bounds if the row would have one symbol, or omit low bits.
inline constexpr std::uint32_t kMaxRowSymbols = 352;

// Symbol j stands for the 2^shift values from (first + j) * 2^shift on. The symbol at an open end
// also stands for all values beyond.
//
// A mixture that is coded by zones has a window of one symbol, all of whose values have tails.
class Window {
 public:
  static constexpr std::uint32_t kBelow = 1;
  static constexpr std::uint32_t kAbove = 2;
  static constexpr std::uint32_t kZonesShift = 31;  // larger than any shift

  Window() = default;
  // `open` has a bit for each open end.
  TORCHAC_INLINE Window(std::int32_t first, std::uint32_t last, std::uint32_t shift,
                        std::uint32_t open)
      : first_(first), rest_(last | shift << 16 | open << 24) {}

  // From the first symbol's value, and last | shift << 16 | open << 24.
  TORCHAC_INLINE static Window from_packed(std::int32_t first, std::uint32_t rest) {
    Window window;
    window.first_ = first;
    window.rest_ = rest;
    return window;
  }

  TORCHAC_INLINE static Window of(std::int32_t first, std::uint32_t last, std::uint32_t shift,
                                  const Bounds& bounds) {
    const auto end = std::int64_t{first} + last;
    return {
        first, last, shift,
        (first > (bounds.low >> shift) ? kBelow : 0) | (end < (bounds.high >> shift) ? kAbove : 0)};
  }

  [[nodiscard]] TORCHAC_INLINE std::int32_t first() const { return first_; }
  // The last symbol.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t last() const { return rest_ & 0xFFFF; }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t shift() const { return rest_ >> 16 & 0xFF; }
  [[nodiscard]] TORCHAC_INLINE bool has_zones() const { return shift() == kZonesShift; }

  // Whether a symbol is at an open end.
  [[nodiscard]] TORCHAC_INLINE bool open_below(std::uint32_t symbol) const {
    return symbol == 0 && (rest_ >> 24 & kBelow) != 0;
  }
  [[nodiscard]] TORCHAC_INLINE bool open_above(std::uint32_t symbol) const {
    return symbol == last() && (rest_ >> 24 & kAbove) != 0;
  }

  // The position of a value, relative to the first symbol.
  [[nodiscard]] TORCHAC_INLINE std::int64_t position(std::int32_t value) const {
    return std::int64_t{value >> shift()} - first_;
  }

  // The symbol at a position, or the nearest one.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t symbol(std::int64_t position) const {
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(position, 0, last()));
  }

  // The symbol of a value, or the nearest one. The last symbol's values fit 32 bits.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t nearest_symbol(std::int32_t value) const {
    const std::int32_t end = first_ + static_cast<std::int32_t>(last());
    const std::int32_t nearest = std::clamp(value >> shift(), first_, end);
    return static_cast<std::uint32_t>(nearest) - static_cast<std::uint32_t>(first_);
  }

  // Whether a tail follows a symbol. This is rare, so a decoder is 3 % faster with branches.
  [[nodiscard]] TORCHAC_INLINE bool has_tail(std::uint32_t symbol) const {
    return shift() != 0 || open_below(symbol) || open_above(symbol);
  }

  // Nonzero if a tail follows a symbol, without a branch, for vector code.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t tail_bits(std::uint32_t symbol) const {
    const std::uint32_t below = symbol == 0 ? kBelow : 0;
    const std::uint32_t above = symbol == last() ? kAbove : 0;
    return shift() | ((below | above) & rest_ >> 24);
  }

  // The value of a symbol without a tail.
  [[nodiscard]] TORCHAC_INLINE std::uint32_t value(std::uint32_t symbol) const {
    return static_cast<std::uint32_t>(first_) + symbol;
  }

 private:
  std::int32_t first_ = 0;
  std::uint32_t rest_ = 0;
};

}  // namespace torchac
