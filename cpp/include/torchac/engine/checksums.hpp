// Checksums of encoded values.
#pragma once

#include <cstdint>
#include <span>

#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/engine/job.hpp"

namespace torchac {

// These add `count` numbers to checksums, equally many to each. Numbers are values, or symbols that
// are at most `most`, and clamped at 0 if `clamp` is set.
void add_symbols(Numbers symbols, bool clamp, std::int64_t count, std::uint32_t most,
                 std::span<Checksum> to);
void add_values(Numbers values, std::int64_t count, std::span<Checksum> to);

// Adds the values of a job.
void add_values_of(const EncodeJob& job, std::span<Checksum> to);

}  // namespace torchac
