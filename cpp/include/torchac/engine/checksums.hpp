// Checksums of what was encoded.
#pragma once

#include <cstdint>
#include <span>

#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/checksum.hpp"

namespace torchac {

// Adds `count` numbers to checksums, as many to each: symbols, of which none is above `most`, or
// values.
void add_symbols(Integers symbols, std::int64_t count, std::uint32_t most, std::span<Checksum> to);
void add_values(Numbers values, std::int64_t count, std::span<Checksum> to);

}  // namespace torchac
