// Values in rows with windows, as docs/format.md defines them: symbols, escapes and uniform bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "reference.hpp"
#include "torchac/error.hpp"

namespace torchac::test::reference {

using Step = std::pair<std::int64_t, std::int64_t>;  // an interval

struct ValueRow {
  Row cdf;
  std::int64_t first;  // of the window
  int shift;
  std::int64_t low, high;  // the bounds of values

  [[nodiscard]] std::int64_t last() const {
    return first + static_cast<std::int64_t>(cdf.size()) - 2;
  }
  [[nodiscard]] bool open_below(std::int64_t j) const { return j == 0 && first > low >> shift; }
  [[nodiscard]] bool open_above(std::int64_t j) const {
    return first + j == last() && last() < high >> shift;
  }
};

// Uniform bits, at most 16.
inline Step uniform_step(std::int64_t number, int bits) {
  return {number << (16 - bits), (number + 1) << (16 - bits)};
}

inline void add_uniform(std::vector<Step>& steps, std::int64_t number, int bits) {
  if (bits > 16) steps.push_back(uniform_step(number >> 16, bits - 16));
  if (bits > 16) number &= 65535;
  if (bits > 0) steps.push_back(uniform_step(number, std::min(bits, 16)));
}

// The intervals of a value within the bounds: that of its symbol first, which may be empty.
inline std::vector<Step> steps_of(const ValueRow& row, std::int64_t value) {
  const std::int64_t u = value >> row.shift;
  const std::int64_t j = std::clamp(u, row.first, row.last()) - row.first;
  std::vector<Step> steps{
      {row.cdf[static_cast<std::size_t>(j)], row.cdf[static_cast<std::size_t>(j + 1)]}};
  if (row.open_below(j) && row.open_above(j)) add_uniform(steps, u > row.last() ? 1 : 0, 1);
  if (row.open_below(j) || row.open_above(j)) {
    const auto number =
        static_cast<std::uint64_t>(std::max({row.first - u, u - row.last(), std::int64_t{0}})) + 1;
    const int bits = static_cast<int>(std::bit_width(number));
    for (int i = 1; i < bits; ++i) add_uniform(steps, 0, 1);
    add_uniform(steps, 1, 1);
    add_uniform(steps, static_cast<std::int64_t>(number) - (std::int64_t{1} << (bits - 1)),
                bits - 1);
  }
  add_uniform(steps, value - (u << row.shift), row.shift);
  return steps;
}

// Decodes values, and keeps the bits that they take.
class ValueReader {
 public:
  explicit ValueReader(Decoder decoder) : decoder_(decoder) {}

  [[nodiscard]] const Decoder& decoder() const { return decoder_; }
  [[nodiscard]] const std::vector<Step>& taken() const { return taken_; }

  Problem read(const ValueRow& row, std::int64_t& value) {
    problem_ = Problem::kNone;
    const std::size_t symbol = decoder_.symbol(row.cdf);
    take({row.cdf[symbol], row.cdf[symbol + 1]});
    const auto j = static_cast<std::int64_t>(symbol);
    std::int64_t u = row.first + j;
    const bool below = row.open_below(j);
    const bool above = row.open_above(j);
    const bool up = below && above ? uniform(1) != 0 : above;
    if (below || above) u += up ? escape() : -escape();
    value = (u << row.shift) + uniform(row.shift);
    if (value < row.low || value > row.high) fail(Problem::kInvalidCode);
    return problem_;
  }

  Problem read_mark(Sums& sums) {
    problem_ = Problem::kNone;
    for (const std::uint32_t expected : sums.mark()) {
      const std::int64_t found = uniform(8);
      if (problem_ == Problem::kNone && !decoder_.determined()) fail(Problem::kTruncated);
      if (std::cmp_not_equal(found, expected)) fail(Problem::kInvalidCode);
    }
    sums = {};
    return problem_;
  }

 private:
  void fail(Problem problem) {
    if (problem_ == Problem::kNone) problem_ = problem;
  }

  void take(Step step) {
    if (problem_ != Problem::kNone) return;
    if (decoder_.truncated()) return fail(Problem::kTruncated);
    if (!decoder_.consume(step.first, step.second)) return fail(Problem::kInvalidCode);
    if (decoder_.truncated()) return fail(Problem::kTruncated);
    taken_.push_back(step);
  }

  std::int64_t uniform(int bits) {
    const std::int64_t high = bits > 16 ? step(bits - 16) << 16 : 0;
    return high | step(std::min(bits, 16));
  }

  std::int64_t step(int bits) {
    if (bits == 0 || problem_ != Problem::kNone) return 0;
    const auto number = static_cast<std::int64_t>(decoder_.quantile() >> (16 - bits));
    take(uniform_step(number, bits));
    return number;
  }

  std::int64_t escape() {
    int zeros = 0;
    while (problem_ == Problem::kNone && uniform(1) == 0) {
      if (++zeros > 32) fail(Problem::kInvalidCode);
    }
    if (problem_ != Problem::kNone) return 0;
    return (std::int64_t{1} << zeros) + uniform(zeros) - 1;
  }

  Decoder decoder_;
  Problem problem_ = Problem::kNone;
  std::vector<Step> taken_;
};

}  // namespace torchac::test::reference
