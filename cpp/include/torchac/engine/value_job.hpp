// Jobs on values: integers of any size, whose rows have windows.
#pragma once

#include <cstdint>
#include <variant>

#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/engine/streams.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window_rows.hpp"

namespace torchac {

using AnyModel = std::variant<Parameters, WindowRows, Categories>;

// Which kind of model it is: models of one kind are coded by one type of task.
[[nodiscard]] inline std::uint32_t kind_of(const AnyModel& model) {
  if (const auto* parameters = std::get_if<Parameters>(&model))
    return parameters->mixture() ? 1 : 0;
  if (std::holds_alternative<WindowRows>(model)) return 2;
  const auto& [layout, rows] = std::get<Categories>(model);
  const std::uint32_t kind = layout.logits() ? 3 : 4;
  if (layout.categories() <= kFew) return kind;
  if (layout.categories() <= kOneRow) return kind + 2;
  return rows.tables() ? kind + 4 : kind + 6;  // trees that values may share, or of their own
}

// The model of so many values. What is coded together has one kind of model.
struct ValueJob {
  AnyModel model;
  std::int64_t count;
};

struct EncodeValuesJob : ValueJob {
  Numbers values;
  Streams<EncodedStream> streams;
};

struct DecodeValuesJob : ValueJob {
  std::int32_t* values;
  Streams<Decoder> streams;
};

// Values whose cost is asked for, in bits.
struct MeasureValuesJob : ValueJob {
  Numbers values;
  double* bits;
};

// Rows to be computed: their windows, and, unless null, their values, `stride` to a row.
struct TabulateJob {
  AnyModel model;
  std::int64_t count;
  std::int32_t* first;
  std::int32_t* symbols;
  std::uint8_t* shifts;
  std::uint16_t* rows;
  std::int64_t stride;
};

}  // namespace torchac
