// Words: what the coder calculates with. A word is a number of 64 bits, or several of them side by
// side in one vector, each of another stream. The arithmetic is the same for both; here is what has
// to be written in two ways.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "torchac/cpu.hpp"

namespace torchac {

// The place of the highest bit that is set, in a number from 1 to 2^32 - 1.
TORCHAC_INLINE std::uint64_t highest_bit(std::uint64_t x) {
  return static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint32_t>(x)) - 1);
}

// 1 or 0.
TORCHAC_INLINE std::uint64_t is_greater(std::uint64_t a, std::uint64_t b) { return a > b ? 1 : 0; }

// As many doubles as a type of words has words.
template <class Word>
struct RealOf {
  using Type = double;
};

#ifdef TORCHAC_HAS_VECTORS

template <class T, std::size_t kCount>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * kCount)));  // NOLINT(modernize-use-using)
};

// So many numbers. Operators take them one by one, or all of them with the same number.
template <class T, std::size_t kCount>
using Vector = typename VectorOf<T, kCount>::Type;

// How many words there are in a vector of type V.
template <class V>
// NOLINTNEXTLINE(bugprone-sizeof-expression,cert-arr39-c): a word is a vector of one
inline constexpr std::size_t kWidth = sizeof(V) / sizeof(std::uint64_t);

// As many numbers of type T.
template <class T, class V>
using Beside = Vector<T, kWidth<V>>;

template <class V>
  requires(kWidth<V> > 1)
struct RealOf<V> {
  using Type = Beside<double, V>;
};

template <class V, class T>
TORCHAC_INLINE V load_words(const T* from) {
  Beside<T, V> numbers;
  std::memcpy(&numbers, from, sizeof numbers);
  return __builtin_convertvector(numbers, V);
}

template <class V, class T>
TORCHAC_INLINE void store_words(V words, T* to) {
  const auto numbers = __builtin_convertvector(words, Beside<T, V>);
  std::memcpy(to, &numbers, sizeof numbers);
}

// make(0), make(1), …
template <class V, class Make, std::size_t... kPlaces>
TORCHAC_INLINE V make_words(const Make& make, std::index_sequence<kPlaces...>) {
  return V{make(kPlaces)...};
}
template <class V, class Make>
TORCHAC_INLINE V make_words(const Make& make) {
  return make_words<V>(make, std::make_index_sequence<kWidth<V>>{});
}

// Whether any word is 1, of words that are 0 or 1.
template <class V>
TORCHAC_INLINE bool any(V words) {
  std::uint64_t bytes = 0;
  const auto narrow = __builtin_convertvector(words, Beside<std::uint8_t, V>);
  static_assert(sizeof narrow <= sizeof bytes);
  std::memcpy(&bytes, &narrow, sizeof narrow);
  return bytes != 0;
}

template <class V>
  requires(kWidth<V> > 1)
TORCHAC_INLINE V is_greater(V a, V b) {  // processors compare signed numbers
  using Signed = Beside<std::int64_t, V>;
  return std::bit_cast<V>(std::bit_cast<Signed>(a) > std::bit_cast<Signed>(b)) & 1;
}

#endif

template <class Word>
using Real = typename RealOf<Word>::Type;

// 2^52 + x, for x < 2^52, is a double that has x in its lowest 52 bits. This takes integers to
// doubles and back where processors have no instruction for it, and costs no more where they have.
inline constexpr double kTwo52 = std::uint64_t{1} << 52;
inline constexpr auto kTwo52Bits = std::bit_cast<std::uint64_t>(kTwo52);

// x + `more`, which the result must have a place for: exactly, for x < 2^52.
template <class Word>
TORCHAC_INLINE Real<Word> real(Word x, double more = 0) {
  return std::bit_cast<Real<Word>>(x | kTwo52Bits) - (kTwo52 - more);
}

// 2^-x, for x < 1023.
template <class Word>
TORCHAC_INLINE Real<Word> power(Word x) {
  return std::bit_cast<Real<Word>>((1023 - x) << 52);
}

// The last 16 bits of x rounded to the nearest integer, for |x| <= 2^16.
template <class Word>
TORCHAC_INLINE Word nearest(Real<Word> x) {
  return std::bit_cast<Word>(x + (kTwo52 + 0x10000)) & 0xFFFF;
}

#ifdef TORCHAC_HAS_VECTORS

// As of a single number: the exponent.
template <class V>
  requires(kWidth<V> > 1)
TORCHAC_INLINE V highest_bit(V x) {
  return (std::bit_cast<V>(real(x)) >> 52) - 1023;
}

#endif

}  // namespace torchac
