// The tail of a value: bits after its symbol, which code its distance from the window and its
// lowest bits. All are uniform.
#pragma once

#include <bit>
#include <cstdint>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// The most zeros before an escape: the distance plus one is at most 2^32, which has 33 bits.
inline constexpr std::uint32_t kMaxEscapeZeros = 32;

// The most intervals of a value: its symbol, a direction, an escape (33 for the first one and the
// zeros before it, two for the rest), two for the lowest bits.
inline constexpr std::size_t kMaxSteps = 1 + 1 + kMaxEscapeZeros + 1 + 2 + 2;

TORCHAC_INLINE Interval uniform_interval(std::uint32_t number, std::uint32_t bits) {
  const std::uint32_t width = kTotalFrequency >> bits;
  return {number * width, (number + 1) * width};
}

// Pushes the intervals of uniform bits.
template <class Push>
void push_uniform(std::uint32_t number, std::uint32_t bits, const Push& push) {
  if (bits > kPrecision) {
    push(uniform_interval(number >> kPrecision, bits - kPrecision));
    push(uniform_interval(number & (kTotalFrequency - 1), kPrecision));
  } else if (bits > 0) {
    push(uniform_interval(number, bits));
  }
}

// Writes tails, interval by interval, to `push`.
template <class Push>
class TailWriter {
 public:
  explicit TailWriter(const Push& push) : push_(push) {}

  void write(const Window& window, std::int32_t value) const {
    const std::int64_t position = window.position(value);
    const bool below = window.open_below(window.symbol(position));
    const bool above = window.open_above(window.symbol(position));
    if (below && above) {
      uniform(position > 0 ? 1 : 0, 1);
      escape(position > 0 ? position : -position);
    } else if (below) {
      escape(-position);
    } else if (above) {
      escape(position - window.last());
    }
    const auto bits = static_cast<std::uint32_t>(value);
    uniform(bits & ((1u << window.shift()) - 1), window.shift());
  }

 private:
  void escape(std::int64_t distance) const {
    const auto number = static_cast<std::uint64_t>(distance) + 1;
    const auto zeros = static_cast<std::uint32_t>(std::bit_width(number)) - 1;
    for (std::uint32_t i = 0; i < zeros; ++i) uniform(0, 1);
    uniform(1, 1);
    uniform(static_cast<std::uint32_t>(number - (std::uint64_t{1} << zeros)), zeros);
  }

  void uniform(std::uint32_t number, std::uint32_t bits) const {
    push_uniform(number, bits, push_);
  }

  const Push& push_;
};

// The decoder after a tail and the value, or the fault.
struct TailResult {
  Decoder decoder;
  std::int32_t value;
  Problem problem;
};

// Reads the steps of a value. After a problem, all numbers are 0.
class StepReader {
 public:
  explicit StepReader(const Decoder& decoder) : decoder_(decoder) {}

  [[nodiscard]] bool ok() const { return problem_ == Problem::kNone; }

  void fail(Problem problem) {
    if (ok()) problem_ = problem;
  }

  // Reads the symbol that `find` finds for a quantile.
  template <class Find>
  std::uint32_t symbol(const Find& find) {
    if (!ok()) return 0;
    const Found found = find(static_cast<std::uint32_t>(decoder_.state.quantile()));
    if (!decoder_.consume(found.interval))
      fail(decoder_.truncated() ? Problem::kTruncated : Problem::kInvalidCode);
    return ok() ? found.symbol : 0;
  }

  std::uint32_t uniform(std::uint32_t bits) {
    if (bits > kPrecision) {
      const std::uint32_t high = step(bits - kPrecision);
      return high << kPrecision | step(kPrecision);
    }
    return bits > 0 ? step(bits) : 0;
  }

  // The result, for the value that was read.
  [[nodiscard]] TailResult result(std::int64_t value, Bounds bounds) {
    if (value < bounds.low || value > bounds.high) fail(Problem::kInvalidCode);
    return {decoder_, static_cast<std::int32_t>(value), problem_};
  }

 private:
  std::uint32_t step(std::uint32_t bits) {
    return symbol([&](std::uint32_t quantile) {
      const std::uint32_t number = quantile >> (kPrecision - bits);
      return Found{number, uniform_interval(number, bits)};
    });
  }

  Decoder decoder_;
  Problem problem_ = Problem::kNone;
};

class TailReader {
 public:
  // Takes the decoder by value, so that a loop keeps its own in registers.
  [[nodiscard]] TORCHAC_NOINLINE static TailResult read(Decoder decoder, Window window,
                                                        Bounds bounds, std::uint32_t symbol) {
    TailReader reader(decoder);
    const std::int64_t value = reader.value(window, symbol);
    return reader.steps_.result(value, bounds);
  }

 private:
  explicit TailReader(const Decoder& decoder) : steps_(decoder) {}

  // The value fits 64 bits for any stream: an escape is below 2^33, and a shift is at most 24.
  std::int64_t value(const Window& window, std::uint32_t symbol) {
    std::int64_t position = symbol;
    const bool below = window.open_below(symbol);
    const bool above = window.open_above(symbol);
    if (below && above) {
      position += steps_.uniform(1) != 0 ? escape() : -escape();
    } else if (below) {
      position -= escape();
    } else if (above) {
      position += escape();
    }
    const std::int64_t high = window.first() + position;
    return high * (std::int64_t{1} << window.shift()) + steps_.uniform(window.shift());
  }

  std::int64_t escape() {
    std::uint32_t zeros = 0;
    while (steps_.ok() && steps_.uniform(1) == 0) {
      if (++zeros > kMaxEscapeZeros) steps_.fail(Problem::kInvalidCode);
    }
    if (!steps_.ok()) return 0;
    return (std::int64_t{1} << zeros) + steps_.uniform(zeros) - 1;
  }

  StepReader steps_;
};

TORCHAC_END_TARGET
