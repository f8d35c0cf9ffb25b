// Jobs: what a caller asks for, one for each stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/engine/streams.hpp"
#include "torchac/models/cdf_layout.hpp"

namespace torchac {

// Symbols, and the rows that code them. What is coded together has rows of one type.
struct CdfJob {
  CdfLayout cdf;
  Rows rows;
  std::int64_t count;  // symbols
};

struct EncodeJob : CdfJob {
  Integers symbols;
  Streams<EncodedStream> streams;
};

struct DecodeJob : CdfJob {
  SymbolSink symbols;
  Streams<Decoder> streams;
};

// Symbols whose cost is asked for, in bits.
struct MeasureJob : CdfJob {
  Integers symbols;
  double* bits;
};

// Rows to be quantized, `count` of them, with their last values.
struct QuantizeJob : CdfJob {
  std::byte* values;  // 16 bits for each
};

// The jobs of a call, of any kind, as far as their rows go.
class CdfJobs {
 public:
  template <class Job>
  explicit CdfJobs(std::span<const Job> jobs)
      : first_(jobs.data()), size_(jobs.size()), stride_(sizeof(Job)) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const CdfJob& operator[](std::size_t i) const {
    return *reinterpret_cast<const CdfJob*>(reinterpret_cast<const std::byte*>(first_) +
                                            i * stride_);
  }

 private:
  const CdfJob* first_;
  std::size_t size_;
  std::size_t stride_;
};

// What is looked at before a call codes anything, beyond all that coding a symbol touches.
enum class Check : std::uint8_t {
  kTouched,  // nothing
  kFew,      // whether rows decrease: shared ones, and those of a call that has few
  kAll       // each value of each row
};

}  // namespace torchac
