// SIMD: vectors of numbers, words in several vectors, and all intrinsics.
//
// Vectors of words are used by the coder's arithmetic, which is not in the target region: as all of
// that (word.hpp), they are always inlined.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/word.hpp"

#ifdef TORCHAC_HAS_SIMD
#include <immintrin.h>

namespace torchac {

template <class T, std::size_t kCount>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * kCount)));  // NOLINT(modernize-use-using)
};

// So many numbers in one vector.
template <class T, std::size_t kCount>
using Vector = typename VectorOf<T, kCount>::Type;

// The lanes at these places of a and b, counted through both.
template <int... kPlaces, class AnyVector>
TORCHAC_INLINE AnyVector shuffled(const AnyVector& a, const AnyVector& b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kPlaces...);
#else  // GCC has that from version 12 on
  return __builtin_shuffle(a, b, AnyVector{kPlaces...});
#endif
}

// Four numbers in one vector: words, in a register of AVX2.
inline constexpr std::size_t kVec4 = 4;

template <class T>
using Vec4 = Vector<T, kVec4>;

// An array of numbers, in vectors of four. An operation does all vectors before the next operation
// begins: the instructions of one vector's whole chain fill the reorder buffer, so this way there
// is independent work in it.
template <class T, std::size_t kCount>
class VecArray {
 public:
  static constexpr std::size_t kVectors = kCount / kVec4;
  static_assert(kCount % kVec4 == 0);

  VecArray() = default;
  // NOLINTNEXTLINE(misc-explicit-constructor): operators take a number for all, too
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

// The words of so many streams.
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
  using Signed = Vec4<std::int64_t>;  // which is what processors compare
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t v = 0; v < kCount / kVec4; ++v)
    result.vectors[v] =
        __builtin_bit_cast(Vec4<std::uint64_t>, __builtin_bit_cast(Signed, a.vectors[v]) >
                                                    __builtin_bit_cast(Signed, b.vectors[v]));
  return result;
}

// Numbers of any type from memory to words and back.
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

// of(0), of(1), …
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

// The words at those offsets in memory. As doubles, which go straight from memory to a vector;
// integers would take a way round.
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

TORCHAC_BEGIN_TARGET

#ifdef TORCHAC_TARGET_OPTIONS
// Eight numbers of 32 bits, in a register of AVX2.
template <class T>
using Vec8 = Vector<T, 8>;

template <class T>
TORCHAC_INLINE Vec8<T> load_vec8(const T* from) {
  Vec8<T> vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <class T>
TORCHAC_INLINE void store_vec8(const Vec8<T>& vector, T* to) {
  std::memcpy(to, &vector, sizeof vector);
}

// The nearest number from -limit to limit; compilers know no instructions for a comparison of
// these.
TORCHAC_INLINE Vec8<float> limited(const Vec8<float>& x, float limit) {
  // NOLINTBEGIN(portability-simd-intrinsics): all intrinsics are in this file
  const auto least = _mm256_max_ps(__builtin_bit_cast(__m256, x), _mm256_set1_ps(-limit));
  return __builtin_bit_cast(Vec8<float>, _mm256_min_ps(least, _mm256_set1_ps(limit)));
  // NOLINTEND(portability-simd-intrinsics)
}

// from[places[0]], from[places[1]], …
TORCHAC_INLINE Vec8<std::uint32_t> gather(const std::uint32_t* from,
                                          const Vec8<std::uint32_t>& places) {
  const auto* const table = reinterpret_cast<const int*>(from);
  const auto found =
      _mm256_i32gather_epi32(table, __builtin_bit_cast(__m256i, places), sizeof(int));
  return __builtin_bit_cast(Vec8<std::uint32_t>, found);
}

// How many lanes of a comparison are true.
TORCHAC_INLINE std::uint32_t count_lanes(const Vec8<std::int32_t>& mask) {
  const int bits = _mm256_movemask_ps(__builtin_bit_cast(__m256, mask));
  return static_cast<std::uint32_t>(std::popcount(static_cast<std::uint32_t>(bits)));
}
#endif

// Eight CDF values.
inline constexpr std::size_t kLanes = 8;
using U16x8 = Vector<std::uint16_t, kLanes>;

TORCHAC_INLINE U16x8 smaller(U16x8 a, U16x8 b) { return a < b ? a : b; }

// Compilers know an instruction for this.
TORCHAC_INLINE std::uint32_t smallest(U16x8 values) {
  std::uint16_t result = UINT16_MAX;
  for (std::size_t k = 0; k < kLanes; ++k) result = std::min(result, values[k]);
  return result;
}

// All ones in each lane where a comparison is true.
using Mask = Vector<std::int16_t, kLanes>;

// A bit for each lane of two masks.
TORCHAC_INLINE std::uint32_t bits_of(Mask a, Mask b) {
  const auto bytes = _mm_packs_epi16(std::bit_cast<__m128i>(a), std::bit_cast<__m128i>(b));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
}

// Twice the number of lanes that are set.
TORCHAC_INLINE std::uint32_t count_twice(Mask mask) {
  const int bytes = _mm_movemask_epi8(std::bit_cast<__m128i>(mask));
  return static_cast<std::uint32_t>(std::popcount(static_cast<std::uint32_t>(bytes)));
}

// Has compilers put a vector together here. They would do it where it is used, and keep its parts
// in memory until then, from where a load must wait until all of them are stored.
// NOLINTNEXTLINE(misc-const-correctness): it counts as written to
TORCHAC_INLINE void complete_here(U16x8& values) {
  asm volatile("" : "+x"(values));  // NOLINT(portability-no-assembler): there is nothing in it
}

TORCHAC_END_TARGET

#endif
