// A fuzzer's bytes as the numbers that a harness asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace torchac::fuzz {

// Numbers are made of the bytes from front to back, and when these run out, of those of a generator
// that the first two bytes seed. So a short input can describe a large case, and a fuzzer that
// changes one byte changes one thing. The same bytes mean the same on every machine.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) { state_ = number(2); }

  [[nodiscard]] std::uint64_t bits() { return number(8); }

  // Takes no more bytes than the limit needs.
  [[nodiscard]] std::uint64_t below(std::uint64_t limit) {
    int size = 0;
    while (size < 8 && (limit - 1) >> (8 * size) != 0) ++size;
    return number(size) % limit;
  }

  // Both ends are included.
  [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }

  // False where bytes are zero, so that an input of zeros is a plain case.
  [[nodiscard]] bool one_in(std::uint64_t n) { return below(n) == n - 1; }

  template <class T>
  [[nodiscard]] T one_of(std::initializer_list<T> choices) {
    return choices.begin()[below(choices.size())];
  }

  [[nodiscard]] std::vector<std::uint8_t> bytes(std::size_t count) {
    std::vector<std::uint8_t> result(count);
    for (auto& byte : result) byte = next();
    return result;
  }

 private:
  [[nodiscard]] std::uint64_t number(int size) {
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) value |= std::uint64_t{next()} << 8 * i;
    return value;
  }

  [[nodiscard]] std::uint8_t next() {
    if (next_ < bytes_.size()) return bytes_[next_++];
    if (state_ == 0) return 0;
    // xorshift64 (Marsaglia, Xorshift RNGs, 2003), which never comes to zero; its middle bits.
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::uint8_t>(state_ >> 32);
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
  std::uint64_t state_ = 0;
};

}  // namespace torchac::fuzz
