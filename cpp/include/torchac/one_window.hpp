// A short row that rises, searched in one step: its values are all in one window, which is at hand
// before the target is.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/interval.hpp"
#include "torchac/strided.hpp"
#include "torchac/vectors.hpp"
#include "torchac/window.hpp"

#ifdef TORCHAC_HAS_VECTORS

namespace torchac {

template <class Value>
class OneWindow : public WindowRows<Value> {
 public:
  using Stored = typename Value::Stored;
  using Samples = Window;

  // Whether it is for rows of so many symbols. A vector is full of values that have a next one.
  [[nodiscard]] static bool fit(std::uint32_t symbols) {
    return symbols > kPart && symbols <= Window::kSize;
  }

  OneWindow() = default;
  OneWindow(Value value, std::uint32_t symbols) : WindowRows<Value>(value, symbols) {
    // The last parts end with the row, and so have values that others have, too.
    for (std::uint32_t k = 0; k < kParts; ++k) {
      places_[k] = std::min(k * kPart, symbols - kPart);
      pairs_[k] = std::min(k * kPart, symbols - kPart - 1);
    }
  }

  [[nodiscard]] TORCHAC_INLINE Window sample(const std::byte* row) const {
    return {{this->eight(row, places_[0]), this->eight(row, places_[1]),
             this->eight(row, places_[2]), this->eight(row, places_[3])}};
  }

  // As Windows::rises.
  [[nodiscard]] TORCHAC_INLINE bool rises(const std::byte* row) const {
    Rise<Stored, kPart> rise;
    TORCHAC_UNROLL
    for (const std::uint32_t first : pairs_) rise.look(row + first * sizeof(Stored));
    return rise.holds() && this->ends_in_range(row);
  }

  // As Windows::find.
  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte*, const Window& window,
                                          const Target& target) const {
    constexpr Eight kEnds{};  // kWhole, as 16 bits
    const Interval interval = window.interval(target, kEnds);
    const std::uint32_t reached = window.reached(target);
    // Each value once.
    const std::uint32_t bits = (reached & 0xFF) | (reached >> 8 & 0xFF) << places_[1] |
                               (reached >> 16 & 0xFF) << places_[2] | reached >> 24 << places_[3];
    return {symbol_of(bits), interval};
  }

 private:
  static constexpr std::uint32_t kPart = kEight;
  static constexpr std::uint32_t kParts = Window::kSize / kPart;

  std::array<std::uint32_t, kParts> places_{};  // where parts begin
  std::array<std::uint32_t, kParts> pairs_{};   // and those that are compared to the values after
};

}  // namespace torchac

#endif
