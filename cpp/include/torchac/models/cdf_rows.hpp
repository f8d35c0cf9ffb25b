// The models of stored rows, one for each type of value.
#pragma once

#include "torchac/arrays/dtype.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/cdf_value.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

// Calls `use` with the model for rows of a layout.
template <class Use>
auto with_cdf(const CdfLayout& cdf, const Use& use) {
  return with_dtype(CdfValues(), cdf.type,
                    [&]<class Value>(const Value*) { return use(CdfRow<Value>(cdf)); });
}

TORCHAC_END_TARGET
