// What coding ran into. The core does not throw for what is wrong with data, it says what and
// where.
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
  kValue,        // a value is no integer, or outside its bounds
  kLoc,          // a loc is not finite
  kScale,        // a scale is negative, not finite, or too large
  kWeight        // a weight is negative or not finite, or all are zero
};

// A problem with one row or symbol.
struct Fault {
  Problem problem = Problem::kNone;
  std::int64_t column = 0;  // the value in the row, where one is to blame
};

struct Report {
  Problem problem = Problem::kNone;
  std::int64_t item = 0;      // the stream, where there are several
  std::int64_t position = 0;  // the symbol in the stream
  std::int64_t column = 0;    // as in Fault
  std::int64_t table = -1;    // the shared row, where that is known rather than a symbol

  [[nodiscard]] bool ok() const { return problem == Problem::kNone; }
};

}  // namespace torchac
