// Stored rows of a CDF: how their values are stored, and where they are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/rows.hpp"

namespace torchac {

struct CdfLayout {
  DType type;             // kInt16, or floats
  bool normalize;         // where they are floats
  std::uint32_t symbols;  // kMinSymbols ... kMaxSymbols
  std::ptrdiff_t stride;  // bytes from one value of a row to the next

  bool operator==(const CdfLayout&) const = default;
};

// What is checked before a call codes anything, in addition to what coding a symbol touches.
enum class Check : std::uint8_t {
  kNone,   // nothing
  kCheap,  // whether rows decrease: shared ones, and those of a call that has few
  kAll     // each value of each row
};

struct CdfRows {
  CdfLayout layout;
  Rows rows;
  Check check = Check::kCheap;
  bool clamp = false;  // symbols outside of the alphabet to the nearest one in it
};

}  // namespace torchac
