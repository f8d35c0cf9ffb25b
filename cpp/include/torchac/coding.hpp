// What the core offers: code one stream, of rows of any kind.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>

#include "torchac/lanes.hpp"
#include "torchac/row.hpp"
#include "torchac/values.hpp"

namespace torchac {

enum class RowType : std::uint8_t { kInt16, kFloat16, kBFloat16, kFloat32, kFloat64 };

using AnyFormat = std::variant<RowFormat<Integer16>, RowFormat<Float16>, RowFormat<BFloat16>, RowFormat<Float32>, RowFormat<Float64>>;

// `symbols` is kMinSymbols ... kMaxSymbols, `stride` bytes from one value of a row to the next.
inline AnyFormat make_format(RowType type, bool normalize, std::int64_t symbols, std::ptrdiff_t stride) {
  switch (type) {
    case RowType::kFloat16: return RowFormat(Float16(symbols, normalize), symbols, stride);
    case RowType::kBFloat16: return RowFormat(BFloat16(symbols, normalize), symbols, stride);
    case RowType::kFloat32: return RowFormat(Float32(symbols, normalize), symbols, stride);
    case RowType::kFloat64: return RowFormat(Float64(symbols, normalize), symbols, stride);
    case RowType::kInt16: break;
  }
  return RowFormat(Integer16{}, symbols, stride);
}

}  // namespace torchac
