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
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/core.hpp"

namespace torchac::test {

// Symbols that are coded with tables, and the table of each.
struct Shared {
  // `kind` says how to read the tables: possibly not as they themselves do.
  Shared(Random& random, const StoredCdf& tables, Kind kind, std::size_t count)
      : kind(kind),
        layout(tables.read_as(kind).layout()),
        view{tables.row(0), tables.row(1) - tables.row(0), tables.count()},
        index(count) {
    const auto converted = tables.read_as(kind).reference_rows();
    for (auto& i : index) {
      i = static_cast<std::uint8_t>(random.between(0, view.count - 1));
      reference_rows.push_back(converted[i]);
    }
  }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(index.size()); }

  [[nodiscard]] Numbers indices() const {
    const StridedWalk walk(std::as_bytes(std::span(index)).data(), {{count(), 1}});
    return {DType::kUint8, walk};
  }

  [[nodiscard]] Rows rows() const { return {view, indices()}; }

  [[nodiscard]] Numbers source(const Symbols& symbols) const {
    const StridedWalk walk(std::as_bytes(std::span(symbols)).data(), {{count(), 2}});
    return {DType::kInt16, walk};
  }

  [[nodiscard]] Job job() const { return {CdfRows{layout, rows(), Check::kNone}, count()}; }

  [[nodiscard]] EncodeJob encode_job(EncodedStream& stream, const Symbols& symbols) const {
    return {job(), source(symbols), &stream};
  }

  [[nodiscard]] DecodeJob decode_job(Decoder& stream, Symbols& symbols) const {
    return {job(), symbols.data(), &stream};
  }

  Kind kind;
  CdfLayout layout;
  TableView view;
  std::vector<std::uint8_t> index;
  std::vector<reference::Row> reference_rows;
};

inline StoredCdf random_tables(Random& random) {
  return random.one_in(2) ? random_cdf(random, 3) : hostile_cdf(random, 3);
}

}  // namespace torchac::test
