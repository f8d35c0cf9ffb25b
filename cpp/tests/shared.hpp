// Symbols whose rows are shared tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/coding.hpp"
#include "torchac/sources.hpp"
#include "torchac/strided.hpp"

namespace torchac::test {

// Symbols that tables code: which table each of them is coded with.
struct Shared {
  // `kind` says how to read the tables: possibly not as they themselves do.
  Shared(Random& random, const StoredCdf& tables, Kind kind, std::size_t count)
      : kind(kind),
        format(tables.read_as(kind).format()),
        view{tables.row(0), tables.row(1) - tables.row(0), tables.count()},
        index(count) {
    const auto converted = tables.read_as(kind).reference_rows();
    for (auto& i : index) {
      i = static_cast<std::uint8_t>(random.between(0, view.count - 1));
      reference_rows.push_back(converted[i]);
    }
  }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(index.size()); }

  [[nodiscard]] Integers indices() const {
    const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{count(), 1}});
    return {IntegerType::kUint8, walk, view.count, false};
  }

  [[nodiscard]] Rows rows() const { return {view, indices()}; }

  [[nodiscard]] Integers source(const Symbols& symbols) const {
    const StridedWalk walk(std::as_bytes(std::span(symbols)).data(), {{count(), 2}});
    return {IntegerType::kInt16, walk, kind.symbols, false};
  }

  [[nodiscard]] EncodeItem encode_item(EncodedStream& stream, const Symbols& symbols) const {
    return {format, rows(), source(symbols), count(), &stream};
  }

  [[nodiscard]] DecodeItem decode_item(Decoder& stream, Symbols& symbols) const {
    return {format, rows(), symbols.data(), count(), &stream};
  }

  Kind kind;
  AnyRowFormat format;
  TableView view;
  std::vector<std::uint8_t> index;
  std::vector<reference::Row> reference_rows;
};

inline StoredCdf random_tables(Random& random) {
  return random.one_in(2) ? random_cdf(random, 3) : hostile_cdf(random, 3);
}

}  // namespace torchac::test
