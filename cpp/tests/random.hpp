// Random inputs that depend only on the seed: the distributions of <random> differ between
// platforms.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

namespace torchac::test {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  [[nodiscard]] std::uint64_t bits() { return engine_(); }
  [[nodiscard]] std::uint64_t below(std::uint64_t limit) { return bits() % limit; }

  // Both ends are included.
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == 0; }

  template <class T>
  [[nodiscard]] T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

  [[nodiscard]] std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> result(count);
    for (auto& byte : result) byte = static_cast<std::uint8_t>(bits());
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

// Runs a check for many seeds. A failure prints the seed.
template <class Check>
void for_seeds(std::uint64_t count, const Check& check) {
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    check(random);
  }
}

}  // namespace torchac::test
