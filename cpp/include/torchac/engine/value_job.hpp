// Jobs on values: integers of any size, whose rows have windows.
#pragma once

#include <cstdint>
#include <variant>

#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window_rows.hpp"

namespace torchac {

// The model of so many values. What is coded together has one kind of model.
struct ValueJob {
  std::variant<Parameters, WindowRows> model;
  std::int64_t count;
};

struct EncodeValuesJob : ValueJob {
  Numbers values;
  EncodedStream* stream;
};

struct DecodeValuesJob : ValueJob {
  std::int32_t* values;
  Decoder* stream;
};

// Values whose cost is asked for, in bits.
struct MeasureValuesJob : ValueJob {
  Numbers values;
  double* bits;
};

// Rows to be computed: their windows, and, unless null, their values, `stride` to a row.
struct TabulateJob {
  Parameters parameters;
  std::int64_t count;
  std::int32_t* first;
  std::int32_t* symbols;
  std::uint8_t* shifts;
  std::uint16_t* rows;
  std::int64_t stride;
};

}  // namespace torchac
