#include "streams.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <variant>

#include "torchac/coding.hpp"
#include "torchac/crew.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace torchac::test {

EncodeItem encode_item(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
                       std::span<const std::int16_t> symbols) {
  const auto count = static_cast<std::int64_t>(symbols.size());
  const StridedWalk walk(std::as_bytes(symbols).data(), {{count, sizeof(std::int16_t)}});
  const Integers source(IntegerType::kInt16, walk, cdf.kind().symbols, false);
  return {cdf.format(), cdf.rows(first, count), source, count, &stream};
}

DecodeItem decode_item(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
                       std::span<std::int16_t> symbols) {
  const auto count = static_cast<std::int64_t>(symbols.size());
  return {cdf.format(), cdf.rows(first, count), symbols.data(), count, &stream};
}

Report encode(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<const std::int16_t> symbols, Check check) {
  return encode(encode_item(stream, cdf, first, symbols), check);
}

Report decode(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<std::int16_t> symbols) {
  return decode(decode_item(stream, cdf, first, symbols));
}

Report encode(const EncodeItem& item, Check check) {
  Crew alone(1);
  return torchac::encode({&item, 1}, check, alone);
}

Report decode(const DecodeItem& item, Check check) {
  Crew alone(1);
  return torchac::decode({&item, 1}, check, alone);
}

Bytes finished(EncodedStream stream) {
  Bytes bytes(stream.size());
  stream.finish(bytes);
  return bytes;
}

Bytes encode(const StoredCdf& cdf, const Symbols& symbols) {
  EncodedStream stream;
  REQUIRE(encode(stream, cdf, 0, symbols).ok());
  return finished(std::move(stream));
}

Decoded decode(const Bytes& stream, const StoredCdf& cdf) {
  Decoder decoder(stream);
  Decoded result{Symbols(static_cast<std::size_t>(cdf.count())), {}, 0};
  result.report = decode(decoder, cdf, 0, result.symbols);
  result.num_bits = decoder.num_bits();
  return result;
}

reference::Row core_row(const StoredCdf& cdf, std::int64_t i) {
  const auto read = [&](const auto& format) {
    reference::Row row;
    for (std::uint32_t symbol = 0; symbol < format.symbols(); ++symbol) {
      const std::uint32_t low = format.interval(cdf.row(i), symbol).low;
      row.push_back(low == kNotFinite ? -1 : std::int64_t{low});
    }
    row.push_back(format.interval(cdf.row(i), format.symbols() - 1).high);
    return row;
  };
  return std::visit(read, cdf.format());
}

}  // namespace torchac::test
