// Turns a fuzzer's bytes into numbers for a harness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace torchac::fuzz {

// Numbers are made from the bytes, front to back, and when these run out, by a generator that the
// first two bytes seed. So a short input can describe a large case, and a fuzzer that changes one
// byte changes one number, except `is_large`. The same bytes mean the same on every machine.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), is_large_((hash(bytes) >> 32) % 128 == 0) {
    state_ = number(2);
  }

  // Whether the case is a large one. All bytes together decide, so one input in 128 is, for any
  // choice of the fuzzer: most of the time goes to cases that run fast.
  [[nodiscard]] bool is_large() const { return is_large_; }

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
    for (auto& byte : result) byte = static_cast<std::uint8_t>(number(1));
    return result;
  }

 private:
  // FNV-1a (Fowler, Noll, Vo), whose middle bits depend on all bytes.
  [[nodiscard]] static std::uint64_t hash(std::span<const std::uint8_t> bytes) {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3;
    return hash;
  }

  // A number of `bytes` bytes, padded with zeros if the input ends among them.
  [[nodiscard]] std::uint64_t number(int size) {
    if (next_ == bytes_.size()) return size == 0 ? 0 : generated() >> (64 - 8 * size);
    std::uint64_t value = 0;
    for (int i = 0; i < size && next_ < bytes_.size(); ++i)
      value |= std::uint64_t{bytes_[next_++]} << 8 * i;
    return value;
  }

  // xorshift64* (Vigna, An experimental exploration of Marsaglia's xorshift generators, 2016),
  // whose upper bits are good; a state of zero stays, and gives zeros.
  [[nodiscard]] std::uint64_t generated() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }

  std::span<const std::uint8_t> bytes_;
  bool is_large_;
  std::size_t next_ = 0;
  std::uint64_t state_ = 0;
};

}  // namespace torchac::fuzz
