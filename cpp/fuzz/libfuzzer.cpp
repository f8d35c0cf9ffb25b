// Runs a harness on the inputs that libFuzzer makes.
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness.hpp"
#include "input.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  torchac::fuzz::run(torchac::fuzz::Input(std::span(data, size)));
  return 0;
}
