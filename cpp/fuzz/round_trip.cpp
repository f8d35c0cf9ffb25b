// Any symbols, encoded with any rows, give the stream of the definition, or the right problem; and
// ascending rows give the symbols back.
#include "case.hpp"
#include "coding.hpp"
#include "expected.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {
void run(Input input) {
  const Style style = any_style(input);
  const Case coded = any_case(input, style);
  const Cdf& cdf = coded.cdf;

  EncodedStream stream;
  const Report report = encode(encode_job(coded, style, stream));
  test::reference::Encoder expected;
  expect_same(report, expected_encode(expected, coded, style));
  if (!report.ok()) return;
  expect(stream.num_bits() == expected.num_bits(), "the stream has the expected number of bits");
  const Bytes bytes = finished(stream);
  expect(bytes == expected.finish(), "the stream is the expected one");

  const Decoded decoded = decode(cdf, bytes);
  expect_same(decoded, expected_decode(cdf, bytes));
  if (ascends(cdf))
    expect(decoded.symbols == coded_symbols(coded), "symbols come back as they were");
}

}  // namespace torchac::fuzz
