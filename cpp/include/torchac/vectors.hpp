// Words side by side, in vectors that one instruction works on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/cpu.hpp"
#include "torchac/strided.hpp"
#include "torchac/words.hpp"

namespace torchac {

// As many words as a register of AVX2 holds.
inline constexpr std::size_t kGroup = 4;

#ifdef TORCHAC_HAS_VECTORS

template <class T, std::size_t kCount>
struct VectorOf {
  typedef T Type __attribute__((vector_size(sizeof(T) * kCount)));  // NOLINT(modernize-use-using)
};

// So many numbers in one vector. Those of more than 16 bytes are passed by reference only, and not
// to std::bit_cast: by value, a function that is not inlined expects them elsewhere than a caller
// that is compiled for AVX2 puts them. -Wpsabi warns of it.
template <class T, std::size_t kCount>
using Vector = typename VectorOf<T, kCount>::Type;

// A group of numbers in one vector.
template <class T>
using Group = Vector<T, kGroup>;

// Eight CDF values.
inline constexpr std::size_t kEight = 8;
using Eight = Vector<std::uint16_t, kEight>;

// What lies at these places of a and b, counted through both.
template <int... kPlaces, class AnyVector>
TORCHAC_INLINE AnyVector shuffled(AnyVector a, AnyVector b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kPlaces...);
#else  // GCC has that from version 12 on
  return __builtin_shuffle(a, b, AnyVector{kPlaces...});
#endif
}

// Numbers side by side, in groups. An operation does all groups before the next operation begins:
// what a processor looks ahead over holds less than all that is done for one group, and so it finds
// work that need not wait. What takes or returns them by value is TORCHAC_INLINE, for the reason
// that Vector has; of a class, no compiler warns.
template <class T, std::size_t kCount>
class Numbers {
 public:
  static constexpr std::size_t kGroups = kCount / kGroup;
  static_assert(kCount % kGroup == 0);

  Numbers() = default;
  // NOLINTNEXTLINE(misc-explicit-constructor): operators take a number for all, too
  TORCHAC_INLINE Numbers(T all) {
    TORCHAC_UNROLL
    for (auto& group : groups) group = Group<T>{} + all;
  }

#define TORCHAC_OPERATOR(op)                                                            \
  TORCHAC_INLINE friend Numbers operator op(Numbers a, const Numbers& b) {              \
    TORCHAC_UNROLL                                                                      \
    for (std::size_t g = 0; g < kGroups; ++g) a.groups[g] = a.groups[g] op b.groups[g]; \
    return a;                                                                           \
  }                                                                                     \
  TORCHAC_INLINE Numbers& operator op## = (const Numbers& b) { return *this = *this op b; }
  TORCHAC_OPERATOR(+)
  TORCHAC_OPERATOR(-)
  TORCHAC_OPERATOR(*)
  TORCHAC_OPERATOR(/)
  TORCHAC_OPERATOR(&)
  TORCHAC_OPERATOR(|)
  TORCHAC_OPERATOR(<<)
  TORCHAC_OPERATOR(>>)
#undef TORCHAC_OPERATOR

  std::array<Group<T>, kGroups> groups{};
};

template <std::size_t kCount>
using Words = Numbers<std::uint64_t, kCount>;

template <std::size_t kCount>
struct RealOf<Words<kCount>> {
  using Type = Numbers<double, kCount>;
};

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> to_bits(const Numbers<double, kCount>& x) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g)
    result.groups[g] = __builtin_bit_cast(Group<std::uint64_t>, x.groups[g]);
  return result;
}

template <std::size_t kCount>
TORCHAC_INLINE Numbers<double, kCount> from_bits(const Words<kCount>& x) {
  Numbers<double, kCount> result;
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g)
    result.groups[g] = __builtin_bit_cast(Group<double>, x.groups[g]);
  return result;
}

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> highest_bit(const Words<kCount>& x) {
  return (to_bits(real(x)) >> 52) - 1023;  // the exponent
}

template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> ones_if_greater(const Words<kCount>& a, const Words<kCount>& b) {
  using Signed = Group<std::int64_t>;  // which is what processors compare
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g)
    result.groups[g] =
        __builtin_bit_cast(Group<std::uint64_t>, __builtin_bit_cast(Signed, a.groups[g]) >
                                                     __builtin_bit_cast(Signed, b.groups[g]));
  return result;
}

// Numbers of any type from memory to words and back.
template <std::size_t kCount, class T>
TORCHAC_INLINE Words<kCount> load_words(const T* from) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g) {
    Group<T> group;
    std::memcpy(&group, from + g * kGroup, sizeof group);
    result.groups[g] = __builtin_convertvector(group, Group<std::uint64_t>);
  }
  return result;
}

template <class T, std::size_t kCount>
TORCHAC_INLINE void store_words(const Words<kCount>& words, T* to) {
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g) {
    const auto group = __builtin_convertvector(words.groups[g], Group<T>);
    std::memcpy(to + g * kGroup, &group, sizeof group);
  }
}

// of(0), of(1), …
template <std::size_t kCount, class Of>
TORCHAC_INLINE Words<kCount> words_of(const Of& of) {
  std::array<std::uint64_t, kCount> each;
  for (std::size_t k = 0; k < kCount; ++k) each[k] = of(k);
  return load_words<kCount>(each.data());
}

template <std::size_t kCount>
TORCHAC_INLINE std::array<std::uint64_t, kCount> to_array(const Words<kCount>& words) {
  std::array<std::uint64_t, kCount> each;
  store_words(words, each.data());
  return each;
}

// The words that lie at those offsets in memory. As doubles, which go straight from memory to
// a vector; integers would take a way round.
template <std::size_t kCount>
TORCHAC_INLINE Words<kCount> load_words(const std::byte* memory, const Words<kCount>& offsets) {
  Words<kCount> result;
  TORCHAC_UNROLL
  for (std::size_t g = 0; g < kCount / kGroup; ++g) {
    const auto at = offsets.groups[g];
    const Group<double> words{load<double>(memory + at[0]), load<double>(memory + at[1]),
                              load<double>(memory + at[2]), load<double>(memory + at[3])};
    result.groups[g] = __builtin_bit_cast(Group<std::uint64_t>, words);
  }
  return result;
}

// Whether the highest bit of any word is set.
template <std::size_t kCount>
TORCHAC_INLINE bool any_above_half(const Words<kCount>& words) {
  Group<std::uint64_t> all{};
  TORCHAC_UNROLL
  for (const auto& group : words.groups) all |= group;
  const auto narrow = __builtin_convertvector(all >> 63, Group<std::uint8_t>);
  return __builtin_bit_cast(std::uint32_t, narrow) != 0;
}

#endif

}  // namespace torchac
