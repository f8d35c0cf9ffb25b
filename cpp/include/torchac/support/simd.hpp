// SIMD: vectors of numbers, and all intrinsics.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

#if defined(TORCHAC_HAS_X86_SIMD)
#include <immintrin.h>
#ifdef _MSC_VER  // where clang's header omits these, unless a whole file is compiled for them
#include <avx2intrin.h>
#include <avxintrin.h>
#endif
#elif defined(TORCHAC_HAS_SIMD)
#include <arm_neon.h>
#endif

#ifdef TORCHAC_HAS_SIMD

namespace torchac {

template <class T, std::size_t kCount>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * kCount)));  // NOLINT(modernize-use-using)
};

// A vector of kCount numbers.
template <class T, std::size_t kCount>
using Vector = typename VectorOf<T, kCount>::Type;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// The lanes at these places in the concatenation of a and b.
template <int... kPlaces, class AnyVector>
TORCHAC_INLINE AnyVector shuffled(const AnyVector& a, const AnyVector& b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kPlaces...);
#else  // GCC has __builtin_shufflevector from version 12 on
  return __builtin_shuffle(a, b, AnyVector{kPlaces...});
#endif
}

// The number of set bits. Visual Studio's std::popcount checks the processor in each call.
TORCHAC_INLINE std::uint32_t count_bits(std::uint32_t x) {
  return static_cast<std::uint32_t>(__builtin_popcount(x));
}

// The lanes of most vectors.
inline constexpr std::size_t kLanes = 8;

#ifdef TORCHAC_TARGET_AVX2
// Eight 32-bit numbers, in a register of AVX2.
template <class T>
using Vec8 = Vector<T, 8>;

using Ints8 = Vec8<std::int32_t>;
using Words8 = Vec8<std::uint32_t>;
using Floats8 = Vec8<float>;

// Two numbers of each lane.
struct PairVec8 {
  Words8 first;
  Words8 second;
};

template <class T>
using LaneArray = std::array<T, kLanes>;

TORCHAC_INLINE Words8 words(const Ints8& x) { return __builtin_bit_cast(Words8, x); }
TORCHAC_INLINE Words8 words(const Floats8& x) { return __builtin_bit_cast(Words8, x); }
TORCHAC_INLINE Ints8 ints(const Words8& x) { return __builtin_bit_cast(Ints8, x); }
TORCHAC_INLINE Ints8 ints(const Floats8& x) { return __builtin_bit_cast(Ints8, x); }
TORCHAC_INLINE Floats8 as_floats(const Words8& x) { return __builtin_bit_cast(Floats8, x); }
TORCHAC_INLINE Floats8 floats(const Ints8& x) { return __builtin_convertvector(x, Floats8); }
TORCHAC_INLINE Ints8 truncated(const Floats8& x) { return __builtin_convertvector(x, Ints8); }
TORCHAC_INLINE Ints8 smaller(const Ints8& a, const Ints8& b) { return a < b ? a : b; }
TORCHAC_INLINE Ints8 larger(const Ints8& a, const Ints8& b) { return a > b ? a : b; }

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

// The nearest number from -limit to limit. Compilers find no instruction for it in comparisons.
TORCHAC_INLINE Vec8<float> limited(const Vec8<float>& x, float limit) {
  // NOLINTBEGIN(portability-simd-intrinsics): all intrinsics are in this file
  const auto least = _mm256_max_ps(__builtin_bit_cast(__m256, x), _mm256_set1_ps(-limit));
  return __builtin_bit_cast(Vec8<float>, _mm256_min_ps(least, _mm256_set1_ps(limit)));
  // NOLINTEND(portability-simd-intrinsics)
}

// NOLINTBEGIN(portability-simd-intrinsics): all intrinsics are in this file
TORCHAC_INLINE Vec8<float> smaller(const Vec8<float>& a, const Vec8<float>& b) {
  return __builtin_bit_cast(
      Vec8<float>, _mm256_min_ps(__builtin_bit_cast(__m256, a), __builtin_bit_cast(__m256, b)));
}
TORCHAC_INLINE Vec8<float> larger(const Vec8<float>& a, const Vec8<float>& b) {
  return __builtin_bit_cast(
      Vec8<float>, _mm256_max_ps(__builtin_bit_cast(__m256, a), __builtin_bit_cast(__m256, b)));
}

// The nearest integers, halves to even; and the integers not below.
TORCHAC_INLINE Vec8<float> rounded(const Vec8<float>& x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return __builtin_bit_cast(Vec8<float>, _mm256_round_ps(__builtin_bit_cast(__m256, x), kNearest));
}
TORCHAC_INLINE Vec8<float> rounded_up(const Vec8<float>& x) {
  return __builtin_bit_cast(Vec8<float>, _mm256_ceil_ps(__builtin_bit_cast(__m256, x)));
}

TORCHAC_INLINE Vec8<float> rounded_down(const Vec8<float>& x) {
  return __builtin_bit_cast(Vec8<float>, _mm256_floor_ps(__builtin_bit_cast(__m256, x)));
}

// Roughly 1 / x.
TORCHAC_INLINE Vec8<float> about_reciprocal(const Vec8<float>& x) {
  return __builtin_bit_cast(Vec8<float>, _mm256_rcp_ps(__builtin_bit_cast(__m256, x)));
}

// from[places[0]], from[places[1]], …, modulo eight.
TORCHAC_INLINE Vec8<float> permuted(const std::array<float, 8>& from, const Ints8& places) {
  return __builtin_bit_cast(
      Vec8<float>,
      _mm256_permutevar8x32_ps(_mm256_loadu_ps(from.data()), __builtin_bit_cast(__m256i, places)));
}

// Two registers of four numbers.
TORCHAC_INLINE Ints8 load_halves(const std::byte* low, const std::byte* high) {
  const auto half = [](const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  return __builtin_bit_cast(
      Ints8, _mm256_inserti128_si256(_mm256_castsi128_si256(half(low)), half(high), 1));
}
TORCHAC_INLINE void store_halves(const Ints8& x, std::byte* low, std::byte* high) {
  const auto both = __builtin_bit_cast(__m256i, x);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(low), _mm256_castsi256_si128(both));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(high), _mm256_extracti128_si256(both, 1));
}

// ((offset + 1) * 2^16 - 1) / (last + 1), rounded down.
TORCHAC_INLINE Words8 truncated_quotients(const Words8& offset, const Words8& last) {
  const auto next = [&](const __m128i& x) {  // x + 1; no capture would make it a function
    const __m128i turned = _mm_xor_si128(x, _mm_set1_epi32(INT32_MIN));
    return _mm256_add_pd(_mm256_cvtepi32_pd(turned), _mm256_set1_pd(0x1p31 + 1));
  };
  const auto quotient = [&](const __m128i& x, const __m128i& y) {
    const __m256d n = _mm256_mul_pd(next(x), _mm256_set1_pd(0x1p16));
    return _mm256_cvttpd_epi32(_mm256_div_pd(_mm256_sub_pd(n, _mm256_set1_pd(1)), next(y)));
  };
  const auto x = __builtin_bit_cast(__m256i, offset);
  const auto y = __builtin_bit_cast(__m256i, last);
  const __m128i low = quotient(_mm256_castsi256_si128(x), _mm256_castsi256_si128(y));
  const __m128i high = quotient(_mm256_extracti128_si256(x, 1), _mm256_extracti128_si256(y, 1));
  return __builtin_bit_cast(Words8, _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1));
}

// The next 64 bits after these bits of memory, 57 of them valid: the upper and the lower 32.
TORCHAC_INLINE PairVec8 load_bits(const std::uint8_t* bytes, const Words8& positions) {
  const auto at = __builtin_bit_cast(Vector<std::uint64_t, 4>, positions >> 3);
  const auto word = [&](std::uint64_t place) {
    return load<double>(reinterpret_cast<const std::byte*>(bytes) + place);
  };
  const auto four = [&](std::uint64_t a, std::uint64_t b) {
    const Vector<double, 4> loaded{word(a & UINT32_MAX), word(a >> 32), word(b & UINT32_MAX),
                                   word(b >> 32)};
    const __m256i turned = _mm256_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7,
                                            6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
    return _mm256_shuffle_epi8(__builtin_bit_cast(__m256i, loaded), turned);
  };
  const auto rest = __builtin_bit_cast(__m256i, positions & 7);
  const __m256i none = _mm256_setzero_si256();
  const auto x = __builtin_bit_cast(
      Ints8, _mm256_sllv_epi64(four(at[0], at[2]), _mm256_unpacklo_epi32(rest, none)));
  const auto y = __builtin_bit_cast(
      Ints8, _mm256_sllv_epi64(four(at[1], at[3]), _mm256_unpackhi_epi32(rest, none)));
  return {words(shuffled<1, 3, 9, 11, 5, 7, 13, 15>(x, y)),
          words(shuffled<0, 2, 8, 10, 4, 6, 12, 14>(x, y))};
}

// The upper 16 bits of the products of the lower halves, where b has no upper halves.
TORCHAC_INLINE Vec8<std::uint32_t> high_product_of_low_halves(const Vec8<std::uint32_t>& a,
                                                              const Vec8<std::uint32_t>& b) {
  return __builtin_bit_cast(
      Vec8<std::uint32_t>,
      _mm256_mulhi_epu16(__builtin_bit_cast(__m256i, a), __builtin_bit_cast(__m256i, b)));
}

// Whether any bit is set.
TORCHAC_INLINE bool any_set(const Vec8<std::int32_t>& bits) {
  const auto all = __builtin_bit_cast(__m256i, bits);
  return _mm256_testz_si256(all, all) == 0;
}

// NOLINTEND(portability-simd-intrinsics)

// from[places[0]] and from[places[0] + 1], from[places[1]] and from[places[1] + 1], … This is twice
// as fast as two instructions that gather.
template <class T>
TORCHAC_INLINE PairVec8 gather_pairs(const T* from, const Vec8<std::uint32_t>& places) {
  const auto pairs = __builtin_bit_cast(Vector<std::uint64_t, 4>, places);
  const auto pair = [&](std::uint64_t place) {
    return load<double>(reinterpret_cast<const std::byte*>(from + place));
  };
  const auto four = [&](std::uint64_t a, std::uint64_t b) {
    const Vector<double, 4> loaded{pair(a & UINT32_MAX), pair(a >> 32), pair(b & UINT32_MAX),
                                   pair(b >> 32)};
    return __builtin_bit_cast(Vec8<std::int32_t>, loaded);
  };
  const Vec8<std::int32_t> x = four(pairs[0], pairs[2]);
  const Vec8<std::int32_t> y = four(pairs[1], pairs[3]);
  return {__builtin_bit_cast(Vec8<std::uint32_t>, shuffled<0, 2, 8, 10, 4, 6, 12, 14>(x, y)),
          __builtin_bit_cast(Vec8<std::uint32_t>, shuffled<1, 3, 9, 11, 5, 7, 13, 15>(x, y))};
}

// The place of the highest bit of numbers from 2^13 on. A float of the number may be rounded up to
// a power of two, unless bits below the highest are cleared.
TORCHAC_INLINE Words8 highest_bits(const Words8& x) {
  const Words8 half = x >> 1;
  return (words(floats(ints(half & ~(half >> 8)))) >> 23) - 126;
}

TORCHAC_INLINE Floats8 absolute(const Floats8& x) { return as_floats(words(x) & INT32_MAX); }

// x with its sign turned where y is negative.
TORCHAC_INLINE Floats8 turned_by(const Floats8& x, const Floats8& y) {
  return as_floats(words(x) ^ (words(y) & (1u << 31)));
}

// The rows of a tile, and their number.
inline constexpr std::size_t kTileRows = 4;

// Turns four vectors, of which each half has four numbers of a row or stream: to the first, second,
// … of all, or back.
TORCHAC_INLINE void turn(std::array<Ints8, kTileRows>& tile) {
  const Ints8 a = shuffled<0, 8, 1, 9, 4, 12, 5, 13>(tile[0], tile[1]);
  const Ints8 b = shuffled<2, 10, 3, 11, 6, 14, 7, 15>(tile[0], tile[1]);
  const Ints8 c = shuffled<0, 8, 1, 9, 4, 12, 5, 13>(tile[2], tile[3]);
  const Ints8 d = shuffled<2, 10, 3, 11, 6, 14, 7, 15>(tile[2], tile[3]);
  tile = {shuffled<0, 1, 8, 9, 4, 5, 12, 13>(a, c), shuffled<2, 3, 10, 11, 6, 7, 14, 15>(a, c),
          shuffled<0, 1, 8, 9, 4, 5, 12, 13>(b, d), shuffled<2, 3, 10, 11, 6, 7, 14, 15>(b, d)};
}

// Four 32-bit numbers at each of eight places, to four vectors of eight at `to`, and back.
TORCHAC_INLINE void load_columns(const LaneArray<const std::byte*>& from, std::byte* to) {
  std::array<Ints8, kTileRows> tile;
  TORCHAC_UNROLL
  for (std::size_t i = 0; i < kTileRows; ++i) tile[i] = load_halves(from[i], from[i + kTileRows]);
  turn(tile);
  TORCHAC_UNROLL
  for (std::size_t i = 0; i < kTileRows; ++i)
    std::memcpy(to + i * sizeof tile[i], &tile[i], sizeof tile[i]);
}
TORCHAC_INLINE void store_columns(const std::byte* from, const LaneArray<std::byte*>& to) {
  std::array<Ints8, kTileRows> tile;
  TORCHAC_UNROLL
  for (std::size_t i = 0; i < kTileRows; ++i)
    std::memcpy(&tile[i], from + i * sizeof tile[i], sizeof tile[i]);
  turn(tile);
  TORCHAC_UNROLL
  for (std::size_t i = 0; i < kTileRows; ++i) store_halves(tile[i], to[i], to[i + kTileRows]);
}

// The number of true lanes of a comparison.
TORCHAC_INLINE std::uint32_t count_lanes(const Vec8<std::int32_t>& mask) {
  const int bits = _mm256_movemask_ps(__builtin_bit_cast(__m256, mask));
  return count_bits(static_cast<std::uint32_t>(bits));
}
#endif

// Eight CDF values.
using U16x8 = Vector<std::uint16_t, kLanes>;

// Eight numbers of another type, in one register of AVX2, or in one or more of NEON.
inline constexpr std::size_t kRegisterBytes = kHasNeon ? 16 : 32;

template <class T>
inline constexpr std::size_t kInRegister = std::min(kLanes, kRegisterBytes / sizeof(T));

template <class T>
using Numbers8 = std::array<Vector<T, kInRegister<T>>, kLanes / kInRegister<T>>;

// Calls use(0), use(1), … for each register. GCC 11 would warn of an unrolled loop of one round.
template <std::size_t kCount, class Use>
TORCHAC_INLINE void for_each_register(const Use& use) {
  [&]<std::size_t... k>(std::index_sequence<k...>) {
    (use(k), ...);
  }(std::make_index_sequence<kCount>());
}

TORCHAC_INLINE U16x8 smaller(U16x8 a, U16x8 b) { return a < b ? a : b; }

// Compilers turn this into one instruction.
TORCHAC_INLINE std::uint32_t smallest(U16x8 values) {
  std::uint16_t result = UINT16_MAX;
  for (std::size_t k = 0; k < kLanes; ++k) result = std::min(result, values[k]);
  return result;
}

// All ones in each lane where a comparison is true.
using Mask = Vector<std::int16_t, kLanes>;

// Functions that each kind of processor has:
//
// narrowed       the lowest 16 bits of eight numbers
// broadcast      16 bits of a double in all lanes, without a detour through other registers
// CountedLanes   selects the lanes of four masks to count
// count_lanes    the number of set lanes of masks
// count_twice    twice the number of set lanes of one mask
// complete_here  makes compilers assemble a vector here. Otherwise they would do it where it is
//                used, and keep its parts in memory until then, so that the load of the whole has
//                to wait for the stores of all parts.
#ifdef TORCHAC_HAS_X86_SIMD

TORCHAC_INLINE U16x8 narrowed(const Numbers8<std::uint32_t>& numbers) {
  return __builtin_convertvector(numbers[0], U16x8);
}

template <int kPart>
TORCHAC_INLINE U16x8 broadcast(double from) {
  const auto bits = std::bit_cast<U16x8>(Vector<double, 2>{from, from});
  return shuffled<kPart, kPart, kPart, kPart, kPart, kPart, kPart, kPart>(bits, bits);
}

// A bit for each lane of two masks.
TORCHAC_INLINE std::uint32_t bits_of(Mask a, Mask b) {
  const auto bytes = _mm_packs_epi16(std::bit_cast<__m128i>(a), std::bit_cast<__m128i>(b));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
}

TORCHAC_INLINE std::uint32_t bits_of(const std::array<Mask, 4>& masks) {
  return bits_of(masks[0], masks[1]) | bits_of(masks[2], masks[3]) << 16;
}

class CountedLanes {
 public:
  void add(std::size_t mask, std::size_t lane) { bits_ |= 1u << (mask * kLanes + lane); }
  [[nodiscard]] std::uint32_t bits() const { return bits_; }

 private:
  std::uint32_t bits_ = 0;
};

TORCHAC_INLINE std::uint32_t count_lanes(const std::array<Mask, 4>& masks) {
  return count_bits(bits_of(masks));
}

TORCHAC_INLINE std::uint32_t count_lanes(const std::array<Mask, 4>& masks,
                                         const CountedLanes& counted) {
  return count_bits(bits_of(masks) & counted.bits());
}

TORCHAC_INLINE std::uint32_t count_twice(Mask mask) {
  const int bytes = _mm_movemask_epi8(std::bit_cast<__m128i>(mask));
  return count_bits(static_cast<std::uint32_t>(bytes));
}

// NOLINTNEXTLINE(misc-const-correctness): it counts as written to
TORCHAC_INLINE void complete_here(U16x8& values) {
  asm volatile("" : "+x"(values));  // NOLINT(portability-no-assembler): there is nothing in it
}

#else

TORCHAC_INLINE U16x8 narrowed(const Numbers8<std::uint32_t>& numbers) {
  return shuffled<0, 2, 4, 6, 8, 10, 12, 14>(std::bit_cast<U16x8>(numbers[0]),
                                             std::bit_cast<U16x8>(numbers[1]));
}

template <int kPart>
TORCHAC_INLINE U16x8 broadcast(double from) {
  return std::bit_cast<U16x8>(vdupq_lane_u16(std::bit_cast<uint16x4_t>(from), kPart));
}

TORCHAC_INLINE std::uint32_t count_lanes(Mask mask) {
  // A lane that is set is -1.
  return static_cast<std::uint32_t>(-vaddvq_s16(std::bit_cast<int16x8_t>(mask)));
}

TORCHAC_INLINE std::uint32_t count_lanes(const std::array<Mask, 4>& masks) {
  return count_lanes(masks[0] + masks[1] + (masks[2] + masks[3]));
}

class CountedLanes {
 public:
  void add(std::size_t mask, std::size_t lane) { masks_[mask][lane] = -1; }
  [[nodiscard]] Mask mask(std::size_t mask) const { return std::bit_cast<Mask>(masks_[mask]); }

 private:
  std::array<std::array<std::int16_t, kLanes>, 4> masks_{};
};

TORCHAC_INLINE std::uint32_t count_lanes(const std::array<Mask, 4>& masks,
                                         const CountedLanes& counted) {
  return count_lanes({masks[0] & counted.mask(0), masks[1] & counted.mask(1),
                      masks[2] & counted.mask(2), masks[3] & counted.mask(3)});
}

TORCHAC_INLINE std::uint32_t count_twice(Mask mask) { return 2 * count_lanes(mask); }

// NOLINTNEXTLINE(misc-const-correctness): it counts as written to
TORCHAC_INLINE void complete_here(U16x8& values) {
  asm volatile("" : "+w"(values));  // NOLINT(portability-no-assembler): there is nothing in it
}

#endif

TORCHAC_END_TARGET

#endif
