// What the core offers: encode and decode streams, one or many, with rows of any kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "torchac/checks.hpp"
#include "torchac/crew.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/values.hpp"

namespace torchac {

enum class RowType : std::uint8_t { kInt16, kFloat16, kBFloat16, kFloat32, kFloat64 };

using AnyRowFormat = std::variant<RowFormat<Integer16>, RowFormat<Float16>, RowFormat<BFloat16>,
                                  RowFormat<Float32>, RowFormat<Float64>>;

// `symbols` is kMinSymbols ... kMaxSymbols, `stride` bytes from one value of a row to the next.
inline AnyRowFormat row_format(RowType type, bool normalize, std::int64_t symbols,
                               std::ptrdiff_t stride) {
  switch (type) {
    case RowType::kFloat16:
      return RowFormat(Float16(symbols, normalize), symbols, stride);
    case RowType::kBFloat16:
      return RowFormat(BFloat16(symbols, normalize), symbols, stride);
    case RowType::kFloat32:
      return RowFormat(Float32(symbols, normalize), symbols, stride);
    case RowType::kFloat64:
      return RowFormat(Float64(symbols, normalize), symbols, stride);
    case RowType::kInt16:
      break;
  }
  return RowFormat(Integer16{}, symbols, stride);
}

// Streams to encode and to decode. What is coded together has rows of one type.
struct EncodeItem {
  AnyRowFormat format;
  Rows rows;
  Integers symbols;
  std::int64_t count;
  EncodedStream* stream;
};

struct DecodeItem {
  AnyRowFormat format;
  Rows rows;
  std::int16_t* symbols;
  std::int64_t count;
  Decoder* stream;
};

// Symbols whose cost is asked for, in bits.
struct MeasureItem {
  AnyRowFormat format;
  Rows rows;
  Integers symbols;
  std::int64_t count;
  double* bits;
};

// Rows to be converted to 16 bits, with their last values.
struct QuantizeItem {
  AnyRowFormat format;
  Rows rows;
  std::int64_t count;
  std::byte* values;  // 16 bits for each
};

// Encodes the items' symbols at the ends of their streams.
Report encode(std::span<const EncodeItem> items, Check check, Crew& crew);

// Decodes the items' symbols from where their streams stand.
Report decode(std::span<const DecodeItem> items, Check check, Crew& crew);

// Tells what each symbol costs.
Report measure(const MeasureItem& item, Check check, Poll& poll);

// What a symbol costs by the width of its interval: 0, which none has, ... kWhole.
std::span<const double> costs();

// Converts rows as coding does. The position of what it reports is the row's.
Report quantize(const QuantizeItem& item, Poll& poll);

}  // namespace torchac
