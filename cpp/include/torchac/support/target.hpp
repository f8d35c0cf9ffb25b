// The target region: code that is compiled once for each instruction set, in a namespace of its
// own.
//
// A file in cpp/src that is compiled for more than the baseline defines, before anything else,
//
//     TORCHAC_TARGET          the namespace, such as avx2
//     TORCHAC_TARGET_OPTIONS  the instruction sets for the compiler, such as "avx2,fma"
//     TORCHAC_TARGET_AVX2     if they include AVX2, FMA, BMI and LZCNT
//
// and all code between TORCHAC_BEGIN_TARGET and TORCHAC_END_TARGET is compiled for these:
// functions, templates, lambdas. In any other file it is compiled for the baseline. Unlike a
// compiler option for the file, this does not affect the inline functions of other headers, of
// which a linker keeps one copy for all processors.
//
// Code outside the region may use types of the region only as template arguments: otherwise a
// linker might keep that code, compiled for one target, for all processors.
#pragma once

#include "torchac/support/compiler.hpp"

// Other processors and compilers have the baseline only.
#ifndef TORCHAC_HAS_X86_SIMD
#undef TORCHAC_TARGET_OPTIONS
#undef TORCHAC_TARGET_AVX2
#endif

#ifndef TORCHAC_TARGET
#define TORCHAC_TARGET baseline
#endif

#define TORCHAC_PRAGMA(pragma) _Pragma(#pragma)

#ifndef TORCHAC_TARGET_OPTIONS
#define TORCHAC_PUSH_OPTIONS
#define TORCHAC_POP_OPTIONS
#elif defined(__clang__)
#define TORCHAC_PUSH_FOR(options) \
  TORCHAC_PRAGMA(clang attribute push(__attribute__((target(options))), apply_to = function))
#define TORCHAC_PUSH_OPTIONS TORCHAC_PUSH_FOR(TORCHAC_TARGET_OPTIONS)
#define TORCHAC_POP_OPTIONS TORCHAC_PRAGMA(clang attribute pop)
#else
#define TORCHAC_PUSH_FOR(options) \
  TORCHAC_PRAGMA(GCC push_options) TORCHAC_PRAGMA(GCC target(options))
#define TORCHAC_PUSH_OPTIONS TORCHAC_PUSH_FOR(TORCHAC_TARGET_OPTIONS)
#define TORCHAC_POP_OPTIONS TORCHAC_PRAGMA(GCC pop_options)
#endif

#define TORCHAC_BEGIN_TARGET TORCHAC_PUSH_OPTIONS namespace torchac::inline TORCHAC_TARGET {
#define TORCHAC_END_TARGET \
  }                        \
  TORCHAC_POP_OPTIONS

namespace torchac::inline TORCHAC_TARGET {

#ifdef TORCHAC_TARGET_AVX2
inline constexpr bool kHasAvx2 = true;
#else
inline constexpr bool kHasAvx2 = false;
#endif

// Whether there is NEON, which is part of the baseline.
#if defined(TORCHAC_HAS_SIMD) && !defined(TORCHAC_HAS_X86_SIMD)
inline constexpr bool kHasNeon = true;
#else
inline constexpr bool kHasNeon = false;
#endif

// Whether rows can be searched by SIMD, and whether an instruction computes a product and a sum.
inline constexpr bool kHasSimdSearch = kHasAvx2 || kHasNeon;
inline constexpr bool kHasFma = kHasAvx2 || kHasNeon;

}  // namespace torchac::inline TORCHAC_TARGET
