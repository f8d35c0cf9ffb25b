// Runs a harness on the inputs that libFuzzer makes.
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness.hpp"
#include "input.hpp"

// Time goes to allocations mostly, less of it if what is freed is soon used again, while a cache
// has it, and little is remembered of who allocated it. With ASAN_OPTIONS=malloc_context_size=30
// reports tell that. (The name is the sanitizer's.)
extern "C" const char* __asan_default_options() {  // NOLINT(bugprone-reserved-identifier)
  return "malloc_context_size=2:quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  torchac::fuzz::run(torchac::fuzz::Input(std::span(data, size)));
  return 0;
}
