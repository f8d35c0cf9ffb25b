// Words: the numbers that the coder calculates with. A word is a 64-bit number, or a vector of
// them, one for each stream, with the same arithmetic (simd_words.hpp). This header has the
// operations without an operator.
//
// Functions of words are always inlined, so they are compiled for the instruction set of their
// caller. They take vectors by reference, because instruction sets pass them by value differently.
#pragma once

#include <bit>
#include <cstdint>
#include <utility>

#include "torchac/support/compiler.hpp"

namespace torchac {

// The bits of a double as a word, and back.
TORCHAC_INLINE std::uint64_t to_bits(double x) { return std::bit_cast<std::uint64_t>(x); }
TORCHAC_INLINE double from_bits(std::uint64_t x) { return std::bit_cast<double>(x); }

// The type of doubles that matches a type of words.
template <class Word>
using Real = decltype(from_bits(std::declval<const Word&>()));

// The place of the highest bit that is set, in a number from 1 to 2^32 - 1.
TORCHAC_INLINE std::uint64_t highest_bit(std::uint64_t x) {
#if defined(__clang__) && defined(_MSC_VER)  // where std::bit_width checks the processor
  return static_cast<std::uint64_t>(31 - __builtin_clz(static_cast<std::uint32_t>(x)));
#else
  return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint32_t>(x)) - 1);
#endif
}

// All ones if a > b, else 0.
TORCHAC_INLINE std::uint64_t ones_if_greater(std::uint64_t a, std::uint64_t b) {
  return 0 - static_cast<std::uint64_t>(a > b);
}

// 2^52 + x, for x < 2^52, is a double that has x in its lowest 52 bits. This converts integers to
// doubles and back without an instruction for it, and is as fast as one.
inline constexpr double kTwo52 = std::uint64_t{1} << 52;
inline constexpr auto kTwo52Bits = std::bit_cast<std::uint64_t>(kTwo52);

// x as a double, exactly, for x < 2^52.
inline double real(std::uint64_t x) { return static_cast<double>(static_cast<std::int64_t>(x)); }
template <class Word>
TORCHAC_INLINE Real<Word> real(const Word& x) {
  return from_bits(x | kTwo52Bits) - kTwo52;
}

// x * 2^-s, exactly, for x < 2^52 and s < 52: x is also the lowest 52 bits of 2^(52-s) + x * 2^-s.
template <class Word>
TORCHAC_INLINE Real<Word> real(const Word& x, const Word& s) {
  const Word power = kTwo52Bits - (s << 52);
  return from_bits(x | power) - from_bits(power);
}

}  // namespace torchac
