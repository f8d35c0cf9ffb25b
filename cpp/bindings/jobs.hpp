// What the core is asked to do: a model, an array, and streams that are still missing.
#pragma once

#include <cstdint>

#include "arrays.hpp"
#include "models.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/cdf_layout.hpp"

namespace torchac::python {

inline Job job_of(const ValueModel& model, const std::vector<Dimension>& values) {
  const auto shape = model.shape();
  require(same_shape(shape, values), "shapes do not match");
  return {model.model(), size(shape), model.shared()};
}

inline Job job_of(const Cdf& cdf, const std::vector<Dimension>& symbols,
                  Check check = Check::kCheap, bool clamp = false) {
  const auto shape = cdf.shape();
  require(same_shape(shape, symbols), "shapes do not match");
  return {CdfRows{cdf.layout(), cdf.rows(), check, clamp}, size(shape)};
}

inline EncodeJob encode_job(const ValueModel& model, const NumberArray& values) {
  return {job_of(model, values.shape()), values.numbers(), nullptr};
}

inline EncodeJob encode_job(const Cdf& cdf, const ArraySlice& symbols, bool check, bool clamp) {
  return {job_of(cdf, symbols.dimensions(), check ? Check::kAll : Check::kCheap, clamp),
          integers(symbols), nullptr};
}

inline DecodeJob decode_job(const ValueModel& model, ArraySlice values) {
  return {job_of(model, values.dimensions()),
          SymbolSink(reinterpret_cast<std::int32_t*>(values.mutable_first())), nullptr};
}

// `symbols` are of the type Symbols.
inline DecodeJob decode_job(const Cdf& cdf, ArraySlice symbols) {
  return {job_of(cdf, symbols.dimensions()),
          SymbolSink(reinterpret_cast<std::int16_t*>(symbols.mutable_first())), nullptr};
}

}  // namespace torchac::python
