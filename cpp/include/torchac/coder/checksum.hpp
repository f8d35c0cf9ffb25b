// Checksum: what a mark in a stream says of the values before it.
#pragma once

#include <cstdint>
#include <span>

namespace torchac {

// Two sums of 32 bits, as of Fletcher: of the values, and of these sums, so that order matters; one
// is added to each value, so that zeros do.
class Checksum {
 public:
  static constexpr std::uint32_t kBits = 16;

  Checksum() = default;
  Checksum(std::uint32_t sum, std::uint32_t sum_of_sums) : sum_(sum), sum_of_sums_(sum_of_sums) {}

  // Adds values in order: the first one is in as many of the new sums as there are values, the last
  // one in one of them. So they can be added in any order, by vector code.
  template <class Value>
  void add(std::span<const Value> values) {
    auto left = static_cast<std::uint32_t>(values.size());  // modulo 2^32, as all here
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
