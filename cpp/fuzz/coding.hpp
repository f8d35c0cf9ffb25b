// Codes cases with the core, through the entry points that the Python module uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "case.hpp"
#include "expected.hpp"
#include "input.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {

EncodeJob encode_job(const Case& coded, const Style& style, EncodedStream& stream);
DecodeJob decode_job(const Cdf& cdf, Symbols& symbols, Decoder& stream);

// The core's functions of these names, compiled here once for all harnesses.
Report encode(std::span<const EncodeJob> items, std::size_t threads);
Report encode(const EncodeJob& item);
// On failure the stream is as it was.
Report encode_or_undo(const Case& coded, const Style& style, EncodedStream& stream);
Report decode(std::span<const DecodeJob> items, std::size_t threads);
Report decode(const DecodeJob& item);

// The stream if it ended here.
Bytes finished(EncodedStream stream);

// The stream with a few bytes changed, or cut off at the end.
Bytes damaged(Input& input, Bytes stream);

// The result of a decoder.
struct Decoded {
  Report report;
  Symbols symbols;
  std::uint64_t num_bits;
};

Decoded decode(const Cdf& cdf, const Bytes& stream);
Decoded expected_decode(const Cdf& cdf, const Bytes& stream);
void expect_same(const Decoded& decoded, const Decoded& expected);

}  // namespace torchac::fuzz
