// Runs a harness on the inputs that libFuzzer makes.
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness.hpp"
#include "input.hpp"

// Most time goes to allocations. Reusing freed memory soon, while it is cached, and recording short
// stacks of allocations saves some. With ASAN_OPTIONS=malloc_context_size=30 reports have full
// stacks. (The name is the sanitizer's.)
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "malloc_context_size=2:quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  torchac::fuzz::run(torchac::fuzz::Input(std::span(data, size)));
  return 0;
}
