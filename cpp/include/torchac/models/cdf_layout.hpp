// How the values of a CDF are stored in its rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace torchac {

enum class RowType : std::uint8_t { kInt16, kFloat16, kBFloat16, kFloat32, kFloat64 };

struct CdfLayout {
  RowType type;
  bool normalize;         // where they are floats
  std::uint32_t symbols;  // kMinSymbols ... kMaxSymbols
  std::ptrdiff_t stride;  // bytes from one value of a row to the next

  bool operator==(const CdfLayout&) const = default;
};

}  // namespace torchac
