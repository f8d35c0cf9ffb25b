// Reports of faults in data. The core does not throw for these, it returns the fault and its
// position.
#pragma once

#include <cstdint>

namespace torchac {

enum class Problem : std::uint8_t {
  kNone,
  kSymbol,       // a symbol is outside the alphabet
  kIndex,        // an index is out of range
  kInterval,     // a symbol's interval is empty
  kNotFinite,    // a CDF value is NaN or infinite
  kOutOfBounds,  // a CDF value is outside [0, 1]
  kDecreasing,   // a quantized row decreases
  kTruncated,    // the stream ends before its symbols do
  kInvalidCode,  // the stream was not written with these rows
  kValue,        // a value is not an integer, or outside its bounds
  kLoc,          // a loc is not finite
  kScale,        // a scale is negative, not finite, or too large
  kWeight,       // a weight is negative or not finite, or all are zero
  kZones         // a mixture is coded by zones, so it has no row
};

// A problem with one row or symbol.
struct Fault {
  Problem problem = Problem::kNone;
  std::int64_t column = 0;  // the faulty value in the row, if there is one
};

struct Report {
  Problem problem = Problem::kNone;
  std::int64_t item = 0;      // the stream, if there are several
  std::int64_t position = 0;  // the symbol in the stream
  std::int64_t column = 0;    // as in Fault
  std::int64_t table = -1;    // the shared row, if it is known instead of a symbol

  [[nodiscard]] bool ok() const { return problem == Problem::kNone; }
};

}  // namespace torchac
