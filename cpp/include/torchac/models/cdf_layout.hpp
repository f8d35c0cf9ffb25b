// The layout of stored rows of a CDF.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/rows.hpp"

namespace torchac {

struct CdfLayout {
  DType type;             // kInt16, or a float
  bool normalize;         // only for floats
  std::uint32_t symbols;  // kMinSymbols ... kMaxSymbols
  std::ptrdiff_t stride;  // bytes from one value of a row to the next

  bool operator==(const CdfLayout&) const = default;
};

// The checks before a call codes anything, in addition to those of coding itself.
enum class Check : std::uint8_t {
  kNone,   // nothing
  kCheap,  // whether rows decrease: shared ones, and those of a call that has few
  kAll     // each value of each row
};

struct CdfRows {
  CdfLayout layout;
  Rows rows;
  Check check = Check::kCheap;
  bool clamp = false;  // replace symbols outside the alphabet by the nearest one in it
};

}  // namespace torchac
