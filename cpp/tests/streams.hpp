// Codes streams with the core.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stored_cdf.hpp"
#include "torchac/checks.hpp"
#include "torchac/coding.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/report.hpp"

namespace torchac::test {

using Bytes = std::vector<std::uint8_t>;
using Symbols = std::vector<std::int16_t>;

// These go on with a stream, with the rows of `cdf` from row `first` on, one for each symbol.
EncodeItem encode_item(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
                       std::span<const std::int16_t> symbols);
DecodeItem decode_item(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
                       std::span<std::int16_t> symbols);
Report encode(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<const std::int16_t> symbols, Check check = Check::kTouched);
Report decode(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<std::int16_t> symbols);

// These code one item.
Report encode(const EncodeItem& item, Check check = Check::kTouched);
Report decode(const DecodeItem& item, Check check = Check::kTouched);

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

// Row i as the core converts it, in the words of the reference.
reference::Row core_row(const StoredCdf& cdf, std::int64_t i);

}  // namespace torchac::test
