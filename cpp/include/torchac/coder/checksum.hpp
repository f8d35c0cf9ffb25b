// The checksum of values that a mark in a stream holds.
#pragma once

#include <cstdint>
#include <span>

namespace torchac {

// Two 32-bit sums, like Fletcher's: of the values, and of these sums, so that order matters. One is
// added to each value, so that zeros matter too.
class Checksum {
 public:
  static constexpr std::uint32_t kBits = 16;

  Checksum() = default;
  Checksum(std::uint32_t sum, std::uint32_t sum_of_sums) : sum_(sum), sum_of_sums_(sum_of_sums) {}

  // Adds values in order. The first value counts once for each value in the sum of sums, the last
  // one only once, so a loop can add them in any order, by vector code.
  template <class Value>
  void add(std::span<const Value> values) {
    auto left = static_cast<std::uint32_t>(values.size());  // modulo 2^32, like all sums here
    std::uint32_t sum = 0;
    std::uint32_t sum_of_sums = left * sum_;
    for (const Value value : values) {
      const std::uint32_t more = static_cast<std::uint32_t>(value) + 1;
      sum += more;
      sum_of_sums += left * more;
      --left;
    }
    sum_ += sum;
    sum_of_sums_ += sum_of_sums;
  }

  // The upper bits of a product with odd numbers, which depend on all bits of both sums.
  [[nodiscard]] std::uint32_t bits() const {
    return (sum_ * 0x9E3779B1u + sum_of_sums_ * 0x85EBCA77u) >> (32 - kBits);
  }

  [[nodiscard]] std::uint32_t sum() const { return sum_; }
  [[nodiscard]] std::uint32_t sum_of_sums() const { return sum_of_sums_; }

 private:
  std::uint32_t sum_ = 0;
  std::uint32_t sum_of_sums_ = 0;
};

}  // namespace torchac
