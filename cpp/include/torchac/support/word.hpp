// Words: what the coder calculates with. A word is a number of 64 bits, or, with the same
// arithmetic, a vector of them, each of another stream (simd_words.hpp). Here is what has no
// operator.
//
// What takes words is always inlined: so it is compiled for the instruction set of its caller. It
// takes vectors by reference: by value, not all instruction sets pass them in the same way.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "torchac/support/compiler.hpp"

namespace torchac {

// The bits of a double as a word, and back.
TORCHAC_INLINE std::uint64_t to_bits(double x) { return std::bit_cast<std::uint64_t>(x); }
TORCHAC_INLINE double from_bits(std::uint64_t x) { return std::bit_cast<double>(x); }

// As many doubles as a type of words has words.
template <class Word>
using Real = decltype(from_bits(std::declval<const Word&>()));

// The place of the highest bit that is set, in a number from 1 to 2^32 - 1.
TORCHAC_INLINE std::uint64_t highest_bit(std::uint64_t x) {
#if defined(__clang__) && defined(_MSC_VER)  // whose std::bit_width asks for the processor
  return static_cast<std::uint64_t>(31 - __builtin_clz(static_cast<std::uint32_t>(x)));
#else
  return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint32_t>(x)) - 1);
#endif
}

// All ones if a > b, else 0.
TORCHAC_INLINE std::uint64_t ones_if_greater(std::uint64_t a, std::uint64_t b) {
  return 0 - static_cast<std::uint64_t>(a > b);
}

// 2^52 + x, for x < 2^52, is a double that has x in its lowest 52 bits. This takes integers to
// doubles and back where processors have no instruction for it, and costs no more where they have.
inline constexpr double kTwo52 = std::uint64_t{1} << 52;
inline constexpr auto kTwo52Bits = std::bit_cast<std::uint64_t>(kTwo52);

// x as a double, exactly, for x < 2^52.
inline double real(std::uint64_t x) { return static_cast<double>(static_cast<std::int64_t>(x)); }
template <class Word>
TORCHAC_INLINE Real<Word> real(const Word& x) {
  return from_bits(x | kTwo52Bits) - kTwo52;
}

// x * 2^-s, exactly, for x < 2^52 and s < 52: in 2^(52-s) + x * 2^-s, too, x is the lowest 52 bits.
template <class Word>
TORCHAC_INLINE Real<Word> real(const Word& x, const Word& s) {
  const Word power = kTwo52Bits - (s << 52);
  return from_bits(x | power) - from_bits(power);
}

}  // namespace torchac
