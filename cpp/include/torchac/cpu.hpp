// What is said to compilers about speed, and what the processor can do beyond the baseline that the
// package is compiled for.
//
// TORCHAC_INLINE: each coding loop holds all that it does for a symbol, so that its state stays in
// registers; compilers left to themselves call functions that several loops share.
// TORCHAC_UNROLL: before a loop over lanes, so that each lane has registers of its own.
// TORCHAC_UNROLL_2: before a loop that does twice as much in each round.
// TORCHAC_COLD: what is rarely needed, and is kept out of the loops.
// TORCHAC_FOR_AVX2, TORCHAC_FOR_AVX512: compiled for that instruction set, together with the inline
// functions that it calls. Must only be called where `cpu_has_avx2`, `cpu_has_avx512`, and computes
// the same as without.
// TORCHAC_HAS_VECTORS: the compiler has vectors of any width with operators.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#if defined(__GNUC__) && defined(__x86_64__)
#include <cpuid.h>
#endif

#if defined(__GNUC__)
#define TORCHAC_INLINE [[gnu::always_inline]] inline
#define TORCHAC_COLD [[gnu::noinline, gnu::cold]]
#elif defined(_MSC_VER)
#define TORCHAC_INLINE __forceinline
#define TORCHAC_COLD __declspec(noinline)
#else
#define TORCHAC_INLINE inline
#define TORCHAC_COLD
#endif

#if defined(__GNUC__)
#define TORCHAC_UNROLL _Pragma("GCC unroll 8")
#define TORCHAC_UNROLL_2 _Pragma("GCC unroll 2")
#else
#define TORCHAC_UNROLL
#define TORCHAC_UNROLL_2
#endif

// Not GCC for Windows, which does not align vectors of 32 bytes on the stack (its bug 54412).
#if defined(__GNUC__) && defined(__x86_64__) && (defined(__clang__) || !defined(__MINGW32__))
#define TORCHAC_HAS_VECTORS
#define TORCHAC_FOR_AVX2 [[gnu::target("avx2,fma,bmi,bmi2,lzcnt"), gnu::noinline]]
#define TORCHAC_FOR_AVX512 \
  [[gnu::target("avx512f,avx512dq,avx512vl,bmi,bmi2,lzcnt"), gnu::noinline]]
#else
#define TORCHAC_FOR_AVX2
#endif

namespace torchac {

enum class Cpu : std::uint8_t { kBaseline, kAvx2, kAvx512 };

#ifdef TORCHAC_HAS_VECTORS

inline Cpu detect_cpu() {
  // Where it is missing, an lzcnt is another instruction, and not every compiler can ask for it.
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  const bool has_lzcnt = __get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & bit_LZCNT) != 0;
  if (!(has_lzcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2")))
    return Cpu::kBaseline;
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")))
    return Cpu::kAvx2;
  return Cpu::kAvx512;
}

// What the loops are chosen for: what the processor has, or the less that the environment variable
// TORCHAC_CPU names (baseline or avx2), which is read once. The bytes are the same.
inline Cpu cpu() {
  static const Cpu chosen = [] {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* variable = std::getenv("TORCHAC_CPU");
    const std::string_view name = variable == nullptr ? "" : variable;
    if (name == "baseline") return Cpu::kBaseline;
    return std::min(name == "avx2" ? Cpu::kAvx2 : Cpu::kAvx512, detect_cpu());
  }();
  return chosen;
}

#else

inline Cpu cpu() { return Cpu::kBaseline; }

#endif

inline bool cpu_has_avx2() { return cpu() >= Cpu::kAvx2; }
inline bool cpu_has_avx512() { return cpu() >= Cpu::kAvx512; }

// Asks memory for what lies `offset` bytes from an address; does nothing else, so both may be
// anything. Inline, because a compiler that calls it sees a function without effect, and drops the
// call. Locality 3 brings it to the fastest cache, 2 to the next.
template <int kLocality = 3>
TORCHAC_INLINE void prefetch_line(const void* address, std::ptrdiff_t offset) {
  const auto line = reinterpret_cast<std::uintptr_t>(address) + static_cast<std::uintptr_t>(offset);
#if defined(__GNUC__)
  // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is read or written there
  __builtin_prefetch(reinterpret_cast<const void*>(line), 0, kLocality);
#else
  (void)line;
#endif
}

}  // namespace torchac
