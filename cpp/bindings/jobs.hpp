// What the core is asked to do: a model, an array, and streams.
#pragma once

#include <cstdint>

#include "arrays.hpp"
#include "models.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/streams.hpp"
#include "torchac/engine/value_job.hpp"

namespace torchac::python {

inline EncodeValuesJob encode_values_job(const ValueModel& model, const NumberArray& values,
                                         Streams<EncodedStream> streams) {
  const auto shape = model.shape();
  require(same_shape(shape, values.shape()), "shapes do not match");
  return {{model.model(), size(shape), model.shared()}, values.numbers(), streams};
}

inline DecodeValuesJob decode_values_job(const ValueModel& model, ArraySlice values,
                                         Streams<Decoder> streams) {
  const auto shape = model.shape();
  require(same_shape(shape, values.dimensions()), "shapes do not match");
  return {{model.model(), size(shape), model.shared()},
          reinterpret_cast<std::int32_t*>(values.mutable_first()),
          streams};
}

inline EncodeJob encode_job(const Cdf& cdf, const ArraySlice& symbols, bool clamp,
                            Streams<EncodedStream> streams) {
  const auto shape = cdf.shape();
  require(same_shape(shape, symbols.dimensions()), "shapes do not match");
  return {{cdf.layout(), cdf.rows(), size(shape)}, integers(symbols, clamp), streams};
}

inline Check how_to_check(bool whole_rows) { return whole_rows ? Check::kAll : Check::kFew; }

// `symbols` are of the type Symbols.
inline DecodeJob decode_job(const Cdf& cdf, ArraySlice symbols, Streams<Decoder> streams) {
  const auto shape = cdf.shape();
  require(same_shape(shape, symbols.dimensions()), "shapes do not match");
  return {{cdf.layout(), cdf.rows(), size(shape)},
          SymbolSink(reinterpret_cast<std::int16_t*>(symbols.mutable_first())),
          streams};
}

}  // namespace torchac::python
