// The target: the cumulative frequency that a decoder looks up, between two symbols.
#pragma once

#include <cstdint>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/support/compiler.hpp"

namespace torchac {

// The argument of a search for a symbol. It is made as soon as the range is known, so that the
// division overlaps with the loads of the search.
class Target {
 public:
  Target() = default;

  // `kFused` as in DecoderState::quotient.
  template <bool kFused>
  [[nodiscard]] TORCHAC_INLINE static Target of(const DecoderState<std::uint64_t>& state) {
    Target target = without_quantile(state);
    target.quotient_ = state.quotient<kFused>();
    return target;
  }

  // A target for searches that only call `reaches`.
  [[nodiscard]] TORCHAC_INLINE static Target without_quantile(
      const DecoderState<std::uint64_t>& state) {
    Target target;
    target.range_ = state.range;
    target.offset_ = state.offset;
    return target;
  }

  // The quotient and quantile of DecoderState.
  [[nodiscard]] TORCHAC_INLINE double quotient() const { return quotient_; }
  [[nodiscard]] TORCHAC_INLINE std::uint32_t quantile() const {
    return static_cast<std::uint32_t>(quantile_of<std::uint64_t>(quotient_));
  }

  // Whether the part of the range that starts at the CDF value c starts at or before the code.
  [[nodiscard]] TORCHAC_INLINE bool reaches(std::uint32_t c) const {
    return scale(range_, c) <= offset_;
  }

 private:
  std::uint64_t range_ = 0;
  std::uint64_t offset_ = 0;
  double quotient_ = 0;
};

}  // namespace torchac
