// The instruction sets that the processor has beyond the baseline of the package.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "torchac/support/compiler.hpp"

namespace torchac {

// The instruction sets beyond the baseline for which kernels are compiled. Those of another
// architecture would be more members, as instruction sets of two architectures have no order.
struct InstructionSets {
  bool avx2 = false;    // with FMA, BMI and LZCNT
  bool avx512 = false;  // includes all of these

  bool operator==(const InstructionSets&) const = default;

  // The name of the largest set.
  [[nodiscard]] std::string_view name() const {
    if (avx512) return "avx512";
    return avx2 ? "avx2" : "baseline";
  }
};

#ifdef TORCHAC_HAS_X86_SIMD

// These use the processor's own instructions: compilers have different functions for them, and in
// some builds __builtin_cpu_supports is always false.
struct CpuId {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
  std::uint32_t c = 0;
  std::uint32_t d = 0;
};

// NOLINTBEGIN(portability-no-assembler,misc-const-correctness): written to by assembler
inline CpuId cpuid(std::uint32_t leaf) {
  CpuId id;
  asm volatile("cpuid" : "=a"(id.a), "=b"(id.b), "=c"(id.c), "=d"(id.d) : "a"(leaf), "c"(0));
  return id;
}

// The registers that the system saves when it switches threads. Needs kOsSaves.
inline std::uint32_t saved_registers() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
// NOLINTEND(portability-no-assembler,misc-const-correctness)

inline InstructionSets detect_instruction_sets() {
  const auto has_all = [](std::uint32_t bits, std::uint32_t wanted) {
    return (bits & wanted) == wanted;
  };
  constexpr std::uint32_t kExtended = 0x80000000;
  if (cpuid(0).a < 7 || cpuid(kExtended).a < kExtended + 1) return {};

  constexpr std::uint32_t kFma = 1u << 12;
  constexpr std::uint32_t kOsSaves = 1u << 27;
  constexpr std::uint32_t kAvx = 1u << 28;
  if (!has_all(cpuid(1).c, kFma | kOsSaves | kAvx)) return {};
  // Without this feature, lzcnt runs as another instruction.
  constexpr std::uint32_t kLzcnt = 1u << 5;
  if (!has_all(cpuid(kExtended + 1).c, kLzcnt)) return {};

  const std::uint32_t extensions = cpuid(7).b;
  const std::uint32_t saved = saved_registers();
  constexpr std::uint32_t kBmi = 1u << 3;
  constexpr std::uint32_t kAvx2 = 1u << 5;
  constexpr std::uint32_t kBmi2 = 1u << 8;
  constexpr std::uint32_t kSavedForAvx = 0b110;
  if (!has_all(extensions, kBmi | kAvx2 | kBmi2) || !has_all(saved, kSavedForAvx)) return {};

  constexpr std::uint32_t kAvx512f = 1u << 16;
  constexpr std::uint32_t kAvx512dq = 1u << 17;
  constexpr std::uint32_t kAvx512vl = 1u << 31;
#ifdef __APPLE__  // it saves the other registers from their first use on, and reports them then
  constexpr std::uint32_t kSavedForAvx512 = kSavedForAvx;
#else
  constexpr std::uint32_t kSavedForAvx512 = kSavedForAvx | 0b11100000;
#endif
  const bool has_avx512 = has_all(extensions, kAvx512f | kAvx512dq | kAvx512vl);
  return {.avx2 = true, .avx512 = has_avx512 && has_all(saved, kSavedForAvx512)};
}

// Intel's processors need prefetching of whole rows: the dependency chain of a symbol fills the
// reorder buffer, so loads of the next rows do not begin, and the times of memory and search add.
inline bool detect_prefetch() {
  const CpuId id = cpuid(0);
  const std::array<std::uint32_t, 3> vendor{id.b, id.d, id.c};
  return std::memcmp(vendor.data(), "GenuineIntel", sizeof vendor) == 0;
}

#else

inline InstructionSets detect_instruction_sets() { return {}; }
inline bool detect_prefetch() { return false; }

#endif

// The instruction sets in use: those of the processor, up to the one named by the environment
// variable TORCHAC_CPU (baseline or avx2), which is read once. Streams do not depend on them.
inline const InstructionSets& instruction_sets() {
  static const InstructionSets chosen = [] {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* variable = std::getenv("TORCHAC_CPU");
    const std::string_view name = variable == nullptr ? "" : variable;
    InstructionSets sets = name == "baseline" ? InstructionSets{} : detect_instruction_sets();
    if (name == "avx2") sets.avx512 = false;
    return sets;
  }();
  return chosen;
}

// Whether to prefetch the next rows whole, or only a line in the next page. The environment
// variable TORCHAC_PREFETCH (rows or pages), which is read once, overrides the processor's default.
// Streams do not depend on it.
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
