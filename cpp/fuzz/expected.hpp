// The expected result of coding a case, by the definition in docs/format.md, and by the contract of
// the core's reports.
#pragma once

#include <cstdint>
#include <vector>

#include "case.hpp"
#include "reference.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {

using Bytes = std::vector<std::uint8_t>;
using Symbols = std::vector<std::int16_t>;

// Each continues with a coder until the first problem.
Report expected_encode(test::reference::Encoder& encoder, const Case& coded, const Style& style);
Report expected_decode(test::reference::Decoder& decoder, const Cdf& cdf, Symbols& symbols);

// The symbols as they are coded, if all are: in the alphabet, or taken into it.
Symbols coded_symbols(const Case& coded);

// Whether every row of a symbol ascends: then symbols come back as they were.
bool ascends(const Cdf& cdf);

// Ends the program with a message, unless the condition holds.
void expect(bool condition, const char* what);
void expect_same(const Report& report, const Report& expected);

}  // namespace torchac::fuzz
