#include "streams.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/core.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

Job cdf_job(const StoredCdf& cdf, std::int64_t first, std::int64_t count) {
  return {CdfRows{cdf.layout(), cdf.rows(first, count), Check::kNone}, count};
}

}  // namespace

EncodeJob encode_job(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
                     std::span<const std::int16_t> symbols) {
  const auto count = static_cast<std::int64_t>(symbols.size());
  const StridedWalk walk(std::as_bytes(symbols).data(), {{count, sizeof(std::int16_t)}});
  return {cdf_job(cdf, first, count), {DType::kInt16, walk}, &stream};
}

DecodeJob decode_job(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
                     std::span<std::int16_t> symbols) {
  const auto count = static_cast<std::int64_t>(symbols.size());
  return {cdf_job(cdf, first, count), symbols.data(), &stream};
}

Report encode(EncodedStream& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<const std::int16_t> symbols, Check check) {
  return encode(encode_job(stream, cdf, first, symbols), check);
}

Report decode(Decoder& stream, const StoredCdf& cdf, std::int64_t first,
              std::span<std::int16_t> symbols) {
  return decode(decode_job(stream, cdf, first, symbols));
}

Report encode(const EncodeJob& item, Check check) {
  ThreadTeam alone(1);
  const EncodeJob job = checked(item, check);
  return torchac::encode({&job, 1}, alone);
}

Report decode(const DecodeJob& item, Check check) {
  ThreadTeam alone(1);
  const DecodeJob job = checked(item, check);
  return torchac::decode({&job, 1}, alone);
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
  return with_cdf(cdf.layout(), [&](const auto& model) {
    reference::Row row;
    for (std::uint32_t symbol = 0; symbol < model.symbols(); ++symbol) {
      const std::uint32_t low = model.interval(cdf.row(i), symbol).low;
      row.push_back(low == kNotFinite ? -1 : std::int64_t{low});
    }
    row.push_back(model.interval(cdf.row(i), model.symbols() - 1).high);
    return row;
  });
}

}  // namespace torchac::test
