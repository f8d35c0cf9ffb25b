// Any bytes, decoded with any rows, give the symbols of the definition, and these symbols make a
// stream.
#include <cstddef>

#include "case.hpp"
#include "coding.hpp"
#include "expected.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/engine/job.hpp"

namespace torchac::fuzz {
namespace {

Bytes stream_of(Input& input, const Cdf& cdf, const Style& style) {
  EncodedStream stream;
  // A stream with fewer symbols is as good.
  (void)encode(encode_job({cdf, any_symbols(input, cdf)}, style, stream));
  return finished(stream);
}

void encode_again(const Cdf& cdf, const Decoded& decoded) {
  EncodedStream stream;
  const Case again = with_symbols(cdf, decoded.symbols);
  expect(encode(encode_job(again, {}, stream)).ok(), "decoded symbols can be encoded");
  expect(stream.num_bits() == decoded.num_bits, "in as many bits as they were decoded from");
  const Bytes bytes = finished(stream);
  expect(bytes.size() == (decoded.num_bits + 7) / 8, "and no byte more");
  if (ascends(cdf))
    expect(decode(cdf, bytes).symbols == decoded.symbols, "and decode to the same again");
}

}  // namespace

void run(Input input) {
  const Style style = any_style(input);
  Bytes stream = input.bytes(input.below(40) * input.one_of<std::size_t>({0, 1, 20}));
  const Cdf cdf = any_cdf(input, style);
  if (stream.empty()) stream = damaged(input, stream_of(input, cdf, style));

  const Decoded decoded = decode(cdf, stream);
  expect_same(decoded, expected_decode(cdf, stream));
  if (decoded.report.ok()) encode_again(cdf, decoded);
}

}  // namespace torchac::fuzz
