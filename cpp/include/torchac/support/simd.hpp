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

// The lanes at these places in the concatenation of a and b.
template <int... kPlaces, class AnyVector>
TORCHAC_INLINE AnyVector shuffled(const AnyVector& a, const AnyVector& b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kPlaces...);
#else  // GCC has __builtin_shufflevector from version 12 on
  return __builtin_shuffle(a, b, AnyVector{kPlaces...});
#endif
}

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// The number of set bits. Visual Studio's std::popcount checks the processor in each call.
TORCHAC_INLINE std::uint32_t count_bits(std::uint32_t x) {
  return static_cast<std::uint32_t>(__builtin_popcount(x));
}

#ifdef TORCHAC_TARGET_AVX2
// Eight 32-bit numbers, in a register of AVX2.
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

// The nearest number from -limit to limit. Compilers find no instruction for it in comparisons.
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

// The number of true lanes of a comparison.
TORCHAC_INLINE std::uint32_t count_lanes(const Vec8<std::int32_t>& mask) {
  const int bits = _mm256_movemask_ps(__builtin_bit_cast(__m256, mask));
  return count_bits(static_cast<std::uint32_t>(bits));
}
#endif

// Eight CDF values.
inline constexpr std::size_t kLanes = 8;
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
