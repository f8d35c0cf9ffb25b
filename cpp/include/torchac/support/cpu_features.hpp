// Which instruction sets the processor has beyond the baseline that the package is compiled for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "torchac/support/compiler.hpp"

#ifdef TORCHAC_HAS_SIMD
#include <cpuid.h>
#endif

namespace torchac {

enum class Cpu : std::uint8_t { kBaseline, kAvx2, kAvx512 };

#ifdef TORCHAC_HAS_SIMD

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

// Of Intel's processors, the time for memory and that for a search of each row would add up:
// the chain of a symbol fills the reorder buffer, so that loads of the next rows do not begin.
inline bool detect_prefetch() { return __builtin_cpu_is("intel"); }

#else

inline Cpu detect_cpu() { return Cpu::kBaseline; }
inline bool detect_prefetch() { return false; }

#endif

// What the kernels are chosen for: what the processor has, or the less that the environment
// variable TORCHAC_CPU names (baseline or avx2), which is read once. The bytes are the same.
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

// Whether all of a row that is decoded soon is to be prefetched, or a line in the next page only:
// what suits the processor, or the environment variable TORCHAC_PREFETCH (rows or pages), which is
// read once. The bytes are the same.
inline bool prefetches_rows() {
  static const bool chosen = [] {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* variable = std::getenv("TORCHAC_PREFETCH");
    const std::string_view name = variable == nullptr ? "" : variable;
    return name == "rows" || (name != "pages" && detect_prefetch());
  }();
  return chosen;
}

}  // namespace torchac
