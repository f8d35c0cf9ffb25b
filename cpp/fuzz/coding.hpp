// Codes cases with the core, through the entry points that the Python module uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "case.hpp"
#include "expected.hpp"
#include "input.hpp"
#include "torchac/coding.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/report.hpp"

namespace torchac::fuzz {

EncodeItem encode_item(const Case& coded, const Style& style, EncodedStream& stream);
DecodeItem decode_item(const Cdf& cdf, Symbols& symbols, Decoder& stream);

// The core's functions of these names, compiled here once for all harnesses.
Report encode(std::span<const EncodeItem> items, Check check, std::size_t threads);
Report encode(const EncodeItem& item, Check check);
// On failure the stream is as it was.
Report encode_or_undo(const Case& coded, const Style& style, EncodedStream& stream);
Report decode(std::span<const DecodeItem> items, std::size_t threads);
Report decode(const DecodeItem& item);

// The stream if it ended here.
Bytes finished(EncodedStream stream);

// With a few bytes changed, or cut off at the end.
Bytes damaged(Input& input, Bytes stream);

// What a decoder read.
struct Decoded {
  Report report;
  Symbols symbols;
  std::uint64_t num_bits;
};

Decoded decode(const Cdf& cdf, const Bytes& stream);
Decoded expected_decode(const Cdf& cdf, const Bytes& stream);
void expect_same(const Decoded& decoded, const Decoded& expected);

}  // namespace torchac::fuzz
