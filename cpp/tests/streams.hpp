// Codes streams with the core.
#pragma once

#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "stored_cdf.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_layout.hpp"

namespace torchac::test {

using Bytes = std::vector<std::uint8_t>;
using Symbols = std::vector<std::int16_t>;

// The CDF of a job.
inline CdfRows& cdf_of(Job& job) { return std::get<CdfRows>(job.model); }

// A job with a CDF, and another check.
template <class AnyJob>
AnyJob checked(AnyJob job, Check check) {
  cdf_of(job).check = check;
  return job;
}

// These continue a stream, with the rows of `cdf` from row `first` on, one for each symbol. They
// check nothing.
EncodeJob encode_job(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
                     std::span<const std::int16_t> symbols);
DecodeJob decode_job(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
                     std::span<std::int16_t> symbols);
Report encode(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<const std::int16_t> symbols, Check check = Check::kNone);
Report decode(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<std::int16_t> symbols);

// These code one item.
Report encode(const EncodeJob& item, Check check = Check::kNone);
Report decode(const DecodeJob& item, Check check = Check::kNone);

// The stream if it ended here.
Bytes finished(EncodedStream stream);

struct Decoded {
  Symbols symbols;
  Report report;
  std::uint64_t num_bits;
};

// These code one stream, with a row for each symbol.
Bytes encode(const StoredCdf& cdf, const Symbols& symbols);
Decoded decode(const Bytes& stream, const StoredCdf& cdf);

// Row i as the core converts it, in the form of the reference.
reference::Row core_row(const StoredCdf& cdf, std::int64_t i);

}  // namespace torchac::test
