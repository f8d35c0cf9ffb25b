// SIMD across streams: words in several vectors. The coder's arithmetic, which uses them, is not in
// the target region, so these functions are always inlined, like all of word.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/word.hpp"

#ifdef TORCHAC_HAS_X86_SIMD

namespace torchac {

// Four numbers in one vector: words, in a register of AVX2.
inline constexpr std::size_t kVec4 = 4;

template <class T>
using Vec4 = Vector<T, kVec4>;

// An array of numbers, in vectors of four. Each operation processes all vectors before the next
// operation begins: the whole chain of one vector would fill the reorder buffer, and this order
// puts independent work into it.
template <class T, std::size_t kCount>
class VecArray {
 public:
  static constexpr std::size_t kVectors = kCount / kVec4;
  static_assert(kCount % kVec4 == 0);

  VecArray() = default;
  // NOLINTNEXTLINE(misc-explicit-constructor): operators also take one number for all
  TORCHAC_INLINE VecArray(T all) {
    TORCHAC_UNROLL
    for (auto& vector : vectors) vector = Vec4<T>{} + all;
  }

#define TORCHAC_OPERATOR(op)                                                                     \
  TORCHAC_INLINE friend VecArray operator op(const VecArray& a, const VecArray& b) {             \
    VecArray result;                                                                             \
    TORCHAC_UNROLL                                                                               \
    for (std::size_t v = 0; v < kVectors; ++v) result.vectors[v] = a.vectors[v] op b.vectors[v]; \
    return result;                                                                               \
  }                                                                                              \
  TORCHAC_INLINE VecArray& operator op## = (const VecArray& b) { return *this = *this op b; }
  TORCHAC_OPERATOR(+)
  TORCHAC_OPERATOR(-)
  TORCHAC_OPERATOR(*)
  TORCHAC_OPERATOR(/)
  TORCHAC_OPERATOR(&)
  TORCHAC_OPERATOR(|)
  TORCHAC_OPERATOR(<<)
  TORCHAC_OPERATOR(>>)
#undef TORCHAC_OPERATOR

  std::array<Vec4<T>, kVectors> vectors{};
};

// The words of kCount streams.
template <std::size_t kCount>
using Words = VecArray<std::uint64_t, kCount>;

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> to_bits(const VecArray<double, kCount>& x) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v)
    result.vectors[v] = __builtin_bit_cast(Vec4<std::uint64_t>, x.vectors[v]);
  return result;
}

template <std::size_t kCount>
TORCHAC_INLINE VecArray<double, kCount> from_bits(const Words<kCount>& x) {
  VecArray<double, kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v)
    result.vectors[v] = __builtin_bit_cast(Vec4<double>, x.vectors[v]);
  return result;
}

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> highest_bit(const Words<kCount>& x) {
  return (to_bits(real(x)) >> 52) - 1023;  // the exponent
}

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> ones_if_greater(const Words<kCount>& a, const Words<kCount>& b) {
  using Signed = Vec4<std::int64_t>;  // the type that processors compare
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v)
    result.vectors[v] =
        __builtin_bit_cast(Vec4<std::uint64_t>, __builtin_bit_cast(Signed, a.vectors[v]) >
                                                    __builtin_bit_cast(Signed, b.vectors[v]));
  return result;
}

// Loads numbers of any type into words, and stores them.
template <std::size_t kCount, class T>
TORCHAC_INLINE Words<kCount> load_words(const T* from) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v) {
    Vec4<T> vector;
    std::memcpy(&vector, from + v * kVec4, sizeof vector);
    result.vectors[v] = __builtin_convertvector(vector, Vec4<std::uint64_t>);
  }
  return result;
}

template <class T, std::size_t kCount>
TORCHAC_INLINE void store_words(const Words<kCount>& words, T* to) {
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v) {
    const auto vector = __builtin_convertvector(words.vectors[v], Vec4<T>);
    std::memcpy(to + v * kVec4, &vector, sizeof vector);
  }
}

// The words of(0), of(1), …
template <std::size_t kCount, class Of>
TORCHAC_INLINE Words<kCount> words_of(const Of& of) {
  std::array<std::uint64_t, kCount> each;
  TORCHAC_UNROLL
  for (std::size_t k = 0; k < kCount; ++k) each[k] = of(k);
  return load_words<kCount>(each.data());
}

template <std::size_t kCount>
TORCHAC_INLINE std::array<std::uint64_t, kCount> to_array(const Words<kCount>& words) {
  std::array<std::uint64_t, kCount> each;
  store_words(words, each.data());
  return each;
}

// The words at these offsets in memory. They are loaded as doubles, which go directly into a
// vector; integers would take a detour.
template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> load_words(const std::byte* memory, const Words<kCount>& offsets) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v) {
    const auto at = offsets.vectors[v];
    const Vec4<double> words{load<double>(memory + at[0]), load<double>(memory + at[1]),
                             load<double>(memory + at[2]), load<double>(memory + at[3])};
    result.vectors[v] = __builtin_bit_cast(Vec4<std::uint64_t>, words);
  }
  return result;
}

// Whether the highest bit of any word is set.
template <std::size_t kCount>
TORCHAC_INLINE bool any_above_half(const Words<kCount>& words) {
  Vec4<std::uint64_t> all{};
  TORCHAC_UNROLL
  for (const auto& vector : words.vectors) all |= vector;
  const auto narrow = __builtin_convertvector(all >> 63, Vec4<std::uint8_t>);
  return __builtin_bit_cast(std::uint32_t, narrow) != 0;
}

}  // namespace torchac

#endif
