#include "coding.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "case.hpp"
#include "expected.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::fuzz {

EncodeJob encode_job(const Case& coded, const Style& style, EncodedStream& stream) {
  return {{CdfRows{coded.cdf.layout(), coded.cdf.source(), style.check, style.clamp},
           coded.cdf.count()},
          coded.symbols.source(),
          &stream};
}

DecodeJob decode_job(const Cdf& cdf, Symbols& symbols, Decoder& stream) {
  symbols.assign(static_cast<std::size_t>(cdf.count()), -1);
  return {
      {CdfRows{cdf.layout(), cdf.source(), Check::kNone}, cdf.count()}, symbols.data(), &stream};
}

Report encode(std::span<const EncodeJob> items, std::size_t threads) {
  ThreadTeam team(threads);
  return torchac::encode(items, team);
}

Report encode(const EncodeJob& item) { return encode(std::span(&item, 1), 1); }

Report encode_or_undo(const Case& coded, const Style& style, EncodedStream& stream) {
  Undo undo({&stream, 1});
  const Report report = encode(encode_job(coded, style, stream));
  if (report.ok()) undo.keep();
  return report;
}

Report decode(std::span<const DecodeJob> items, std::size_t threads) {
  ThreadTeam team(threads);
  return torchac::decode(items, team);
}

Report decode(const DecodeJob& item) { return decode(std::span(&item, 1), 1); }

Bytes finished(EncodedStream stream) {
  Bytes bytes(stream.size());
  stream.finish(bytes);
  return bytes;
}

Bytes damaged(Input& input, Bytes stream) {
  if (stream.empty()) return stream;
  for (std::uint64_t changes = input.below(4); changes > 0; --changes)
    stream[input.below(stream.size())] ^= static_cast<std::uint8_t>(input.below(256));
  if (input.one_in(3)) stream.resize(input.below(stream.size()));
  return stream;
}

Decoded decode(const Cdf& cdf, const Bytes& stream) {
  Decoder decoder(stream);
  Decoded result{};
  result.report = decode(decode_job(cdf, result.symbols, decoder));
  result.num_bits = decoder.num_bits();
  for (const std::int16_t symbol : result.symbols)
    expect(-1 <= symbol && symbol < cdf.kind.symbols,
           "a symbol is in the alphabet, or not written");
  return result;
}

Decoded expected_decode(const Cdf& cdf, const Bytes& stream) {
  test::reference::Decoder decoder(stream);
  Decoded result{};
  result.report = expected_decode(decoder, cdf, result.symbols);
  result.num_bits = decoder.num_bits();
  return result;
}

void expect_same(const Decoded& decoded, const Decoded& expected) {
  expect_same(decoded.report, expected.report);
  expect(std::ranges::equal(std::span(decoded.symbols).first(expected.symbols.size()),
                            expected.symbols),
         "decoded are the expected symbols");
  if (decoded.report.ok()) expect(decoded.num_bits == expected.num_bits, "they took as many bits");
}

}  // namespace torchac::fuzz
