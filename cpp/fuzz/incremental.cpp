// Symbols in any pieces, with rows of any kinds, give the stream of all of them; a piece that
// cannot be coded changes nothing; and the stream can be read in any other pieces.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "case.hpp"
#include "coding.hpp"
#include "expected.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/error.hpp"

namespace torchac::fuzz {
namespace {

struct Piece {
  Case coded;
  Style style;
};

// The piece cut in any places along its first dimension.
std::vector<Piece> cut(Input& input, const Piece& piece) {
  const std::vector<Dimension> shape = piece.coded.cdf.shape();
  if (shape.empty()) return {1, piece};
  std::vector<std::int64_t> places(input.below(4) + 1, shape[0].size);
  for (auto place = places.begin() + 1; place != places.end(); ++place)
    *place = input.between(0, shape[0].size);
  std::ranges::sort(places);
  std::vector<Piece> pieces;
  pieces.reserve(places.size());
  std::int64_t begin = 0;
  for (const std::int64_t end : places) {
    pieces.push_back({piece.coded.part(begin, end), piece.style});
    begin = end;
  }
  return pieces;
}

// Returns whether the piece is in the stream.
bool encode_piece(const Piece& piece, EncodedStream& stream, test::reference::Encoder& expected) {
  const test::reference::Encoder before = expected;
  const Report report = encode_or_undo(piece.coded, piece.style, stream);
  expect_same(report, expected_encode(expected, piece.coded, piece.style));
  if (!report.ok()) expected = before;
  expect(stream.num_bits() == expected.num_bits(), "a piece takes the expected number of bits");
  return report.ok();
}

bool decode_piece(const Cdf& cdf, Decoder& decoder, test::reference::Decoder& expected) {
  Symbols symbols, expected_symbols;
  const Report report = decode(decode_job(cdf, symbols, decoder));
  expect_same(report, expected_decode(expected, cdf, expected_symbols));
  if (!report.ok()) return false;
  expect(symbols == expected_symbols, "a piece has the expected symbols");
  expect(decoder.num_bits() == expected.num_bits(), "and the expected number of bits");
  return true;
}

// Finishing a stream leaves it as it was.
void finish_and_go_on(EncodedStream& stream) {
  Bytes bytes(stream.size());
  stream.finish(bytes);
}

}  // namespace

void run(Input input) {
  EncodedStream stream;
  test::reference::Encoder expected;
  std::vector<Piece> pieces;
  for (std::uint64_t left = 1 + input.below(3); left > 0; --left) {
    const Style style = any_style(input);
    for (Piece& piece : cut(input, {any_case(input, style), style})) {
      if (encode_piece(piece, stream, expected)) pieces.push_back(std::move(piece));
      if (input.one_in(8)) stream = EncodedStream(stream);  // a fork
      if (input.one_in(8)) stream = EncodedStream::from_saved(stream.save()).value();
      if (input.one_in(8)) finish_and_go_on(stream);
    }
  }
  const Bytes bytes = finished(stream);
  expect(bytes == expected.finish(), "the stream is the expected one");

  Decoder decoder(bytes);
  test::reference::Decoder expected_decoder(bytes);
  for (const Piece& whole : pieces) {
    for (const Piece& piece : cut(input, whole)) {
      if (!decode_piece(piece.coded.cdf, decoder, expected_decoder)) return;
      if (input.one_in(8)) expect(decoder.restore(decoder.save()), "a state is one of a decoder");
    }
  }
}

}  // namespace torchac::fuzz
