// The models of stored rows, one for each type of value.
#pragma once

#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/cdf_value.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Calls `use` with the model of rows that have a layout.
template <class Use>
auto with_cdf(const CdfLayout& cdf, const Use& use) {
  switch (cdf.type) {
    case RowType::kFloat16:
      return use(CdfRow<Float16>(cdf));
    case RowType::kBFloat16:
      return use(CdfRow<BFloat16>(cdf));
    case RowType::kFloat32:
      return use(CdfRow<Float32>(cdf));
    case RowType::kFloat64:
      return use(CdfRow<Float64>(cdf));
    case RowType::kInt16:
      break;
  }
  return use(CdfRow<Integer16>(cdf));
}

TORCHAC_END_TARGET
