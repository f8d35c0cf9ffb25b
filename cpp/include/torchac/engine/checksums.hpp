// Checksums of what was encoded.
#pragma once

#include <cstdint>
#include <span>

#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/engine/job.hpp"

namespace torchac {

// These add `count` numbers to checksums, as many to each: symbols, of which none is above `most`,
// clamped at 0 if that is asked for; or values.
void add_symbols(Numbers symbols, bool clamp, std::int64_t count, std::uint32_t most,
                 std::span<Checksum> to);
void add_values(Numbers values, std::int64_t count, std::span<Checksum> to);

// Adds the values of a job.
void add_values_of(const EncodeJob& job, std::span<Checksum> to);

}  // namespace torchac
