// Reports name the first symbol that could not be coded, in any block of symbols.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/error.hpp"

namespace torchac::test {
namespace {

constexpr std::size_t kCount = 3 * kBlock;

// Four symbols of equal probability.
StoredCdf even_rows() {
  StoredCdf cdf({DType::kInt16, false, 4}, kCount, {10, 2});
  for (std::int64_t i = 0; i < cdf.count(); ++i) {
    for (std::int64_t j = 0; j < 4; ++j) cdf.set(i, j, static_cast<std::uint64_t>(j * 16384));
  }
  return cdf;
}

Report encode_all(const StoredCdf& cdf, const Symbols& symbols) {
  EncodedStream stream;
  return encode(stream, cdf, 0, symbols);
}

}  // namespace

TEST_CASE("a symbol outside the alphabet") {
  for (const std::size_t position : {std::size_t{0}, kBlock - 1, kBlock, kCount - 1}) {
    Symbols symbols(kCount);
    symbols[position] = 4;
    const Report report = encode_all(even_rows(), symbols);
    CHECK(report.problem == Problem::kSymbol);
    CHECK(report.position == static_cast<std::int64_t>(position));
  }
}

TEST_CASE("an empty interval, before and after a symbol outside the alphabet") {
  for (const std::size_t position : {std::size_t{0}, kBlock - 1, kBlock, kCount - 1}) {
    StoredCdf cdf = even_rows();
    cdf.set(static_cast<std::int64_t>(position), 1, 0);
    Symbols symbols(kCount);
    CHECK(encode_all(cdf, symbols).problem == Problem::kInterval);
    CHECK(encode_all(cdf, symbols).position == static_cast<std::int64_t>(position));
    if (position + 1 < kCount) symbols[position + 1] = -1;
    CHECK(encode_all(cdf, symbols).problem == Problem::kInterval);
    if (position > 0) {
      symbols[position - 1] = -1;
      CHECK(encode_all(cdf, symbols).problem == Problem::kSymbol);
    }
  }
}

TEST_CASE("an index that is out of range") {
  for (const std::size_t position : {std::size_t{0}, kBlock - 1, kBlock, kCount - 1}) {
    const StoredCdf tables = even_rows();
    const Symbols symbols(kCount);
    std::vector<std::int8_t> index(kCount);
    index[position] = 2;
    EncodedStream stream;
    EncodeJob item = encode_job(stream, tables, 0, symbols);
    const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{kCount, 1}});
    cdf_of(item).rows = Rows({tables.row(0), 10, 2}, {DType::kInt8, walk});
    const Report report = encode(item);
    CHECK(report.problem == Problem::kIndex);
    CHECK(report.position == static_cast<std::int64_t>(position));
  }
}

TEST_CASE("the end of a truncated stream") {
  const StoredCdf cdf = even_rows();
  // Symbol 3 is the bits 11. The 2 bits that end the stream must be there too.
  const Decoded decoded = decode(Bytes(100, 0xFF), cdf);
  CHECK(decoded.report.problem == Problem::kTruncated);
  CHECK(decoded.report.position == 399);
}

}  // namespace torchac::test
