// Compiler hints: inlining, unrolling, cold paths, prefetch; and whether there is SIMD.
//
// TORCHAC_INLINE: inlines everything that a coding loop does for a symbol, so that its state stays
// in registers. Compilers left to themselves would call functions that several loops share.
// TORCHAC_UNROLL: unrolls a loop of few rounds, over at most 12 streams, so that each has its own
// registers, or over values of a row.
// TORCHAC_UNROLL_2: unrolls a loop twice.
// TORCHAC_NOINLINE: keeps a function that takes long from being copied into each caller.
// TORCHAC_COLD: keeps code that is rarely needed out of the loops.
// TORCHAC_HAS_SIMD: the compiler has vectors of any width with operators, as GCC and Clang do, and
// simd.hpp has the processor's instructions for operations without an operator: those of an x86-64
// or of a little-endian aarch64. Tests define TORCHAC_NO_SIMD to imitate other processors.
// TORCHAC_HAS_X86_SIMD: TORCHAC_HAS_SIMD on an x86-64, which has instruction sets beyond its
// baseline (target.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__GNUC__) || defined(__clang__)  // clang-cl defines _MSC_VER too, but not __GNUC__
#define TORCHAC_INLINE [[gnu::always_inline]] inline
#define TORCHAC_NOINLINE [[gnu::noinline]]
#define TORCHAC_COLD [[gnu::noinline, gnu::cold]]
#define TORCHAC_UNROLL _Pragma("GCC unroll 12")
#define TORCHAC_UNROLL_2 _Pragma("GCC unroll 2")
#elif defined(_MSC_VER)
#define TORCHAC_INLINE __forceinline
#define TORCHAC_NOINLINE __declspec(noinline)
#define TORCHAC_COLD __declspec(noinline)
#define TORCHAC_UNROLL
#define TORCHAC_UNROLL_2
#else
#define TORCHAC_INLINE inline
#define TORCHAC_NOINLINE
#define TORCHAC_COLD
#define TORCHAC_UNROLL
#define TORCHAC_UNROLL_2
#endif

#if (defined(__GNUC__) || defined(__clang__)) && !defined(TORCHAC_NO_SIMD)
// Not GCC for Windows, which does not align vectors of 32 bytes on the stack (its bug 54412).
#if defined(__x86_64__) && (defined(__clang__) || !defined(__MINGW32__))
#define TORCHAC_HAS_SIMD
#define TORCHAC_HAS_X86_SIMD
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TORCHAC_HAS_SIMD
#endif
#endif

namespace torchac {

// Prefetches the cache line `offset` bytes from an address, which may be any address. It is always
// inlined, because compilers drop calls of a function without effect. Locality 3 brings the line to
// the L1 cache, 2 to the L2 cache.
template <int kLocality = 3>
TORCHAC_INLINE void prefetch_line(const void* address, std::ptrdiff_t offset) {
  const auto line = reinterpret_cast<std::uintptr_t>(address) + static_cast<std::uintptr_t>(offset);
#if defined(__GNUC__) || defined(__clang__)
  // NOLINTNEXTLINE(performance-no-int-to-ptr): nothing is read or written there
  __builtin_prefetch(reinterpret_cast<const void*>(line), 0, kLocality);
#else
  (void)line;
#endif
}

// Bytes in a cache line.
inline constexpr std::ptrdiff_t kLine = 64;

// Prefetches `size` bytes, from `offset` bytes after an address on, to the L2 cache.
TORCHAC_INLINE void prefetch_bytes(const void* address, std::ptrdiff_t offset,
                                   std::ptrdiff_t size) {
  for (std::ptrdiff_t at = 0; at < size; at += kLine) prefetch_line<2>(address, offset + at);
}

}  // namespace torchac
