// Jobs: the requests of a caller, one for each stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"

namespace torchac {

// A model of values. It is copied and moved by functions that are compiled once.
struct AnyModel : std::variant<CdfRows, Parameters, TableRows, Categories> {
  using variant::operator=;
  using variant::variant;

  AnyModel(const AnyModel& other);
  AnyModel(AnyModel&& other) noexcept;
  AnyModel& operator=(const AnyModel& other);
  AnyModel& operator=(AnyModel&& other) noexcept;
  ~AnyModel();
};

using Elements = std::variant<Parameters, Categories>;

// The elements of a model that values share, and the element of each value, which an index or the
// expansion of the model selects.
struct SharedElements {
  std::shared_ptr<const Elements> elements;  // contiguous
  std::int64_t count;
  std::optional<Numbers> index = std::nullopt;
  // Without an index: the steps from element to element along the dimensions of the values, the
  // element of the first value, and the number of skipped values.
  std::vector<Dimension> steps{};  // NOLINT(readability-redundant-member-init): GCC warns without
  std::int64_t first = 0;
  std::int64_t skipped = 0;

  void skip(std::int64_t values) {
    if (index) {
      index->walk.skip(values);
    } else {
      skipped += values;
    }
  }

  // The number of each value's element. Without an index, they are views of `all`, which becomes
  // 0, 1, ….
  [[nodiscard]] Numbers numbers(std::vector<std::uint32_t>& all) const {
    if (index) return *index;
    if (all.empty()) {
      all.resize(static_cast<std::size_t>(count));
      std::iota(all.begin(), all.end(), 0u);
    }
    std::vector<Dimension> dimensions = steps;
    for (Dimension& dimension : dimensions) dimension.stride *= std::int64_t{sizeof all[0]};
    Numbers result{DType::kUint32, StridedWalk(std::as_bytes(std::span(all)).data() +
                                                   static_cast<std::size_t>(first) * sizeof all[0],
                                               dimensions)};
    result.walk.skip(skipped);
    return result;
  }
};

// Values that are coded together, with their model.
struct Job {
  AnyModel model;
  std::int64_t count;                                   // the number of values
  std::optional<SharedElements> shared = std::nullopt;  // if values share elements of the model
};

// The streams of a job: each has the next `symbols_per_stream` values.
template <class Stream>
struct StreamRange {
  // One stream of all values.
  // NOLINTNEXTLINE(misc-explicit-constructor): mostly there is one
  StreamRange(Stream* only) : data(only), symbols_per_stream(INT64_MAX) {}
  StreamRange(Stream* streams, std::int64_t symbols) : data(streams), symbols_per_stream(symbols) {}

  Stream* data;
  std::int64_t symbols_per_stream;
};

// With a CDF, values are symbols of an integer type.
struct EncodeJob : Job {
  Numbers values;
  StreamRange<EncodedStream> streams;
};

struct DecodeJob : Job {
  SymbolSink values;
  StreamRange<Decoder> streams;
};

// Values whose costs are to be computed, in bits.
struct MeasureJob : Job {
  Numbers values;
  double* bits;
};

// Rows to be computed: their windows, and their values, `stride` to a row, unless these are null.
struct TabulateJob {
  AnyModel model;
  std::int64_t count;
  std::int32_t* first;
  std::int32_t* symbols;
  std::uint8_t* shifts;
  std::uint16_t* rows;
  std::int64_t stride;
};

// Rows of a CDF to be quantized, `count` of them, with their last values.
struct QuantizeJob {
  CdfRows cdf;
  std::int64_t count;
  std::byte* values;  // 16 bits each
};

// The jobs of a call, of any type: only their models and values.
class Jobs {
 public:
  template <class AnyJob>
  explicit Jobs(std::span<const AnyJob> jobs)
      : first_(jobs.data()), size_(jobs.size()), stride_(sizeof(AnyJob)) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const Job& operator[](std::size_t i) const {
    return *reinterpret_cast<const Job*>(reinterpret_cast<const std::byte*>(first_) + i * stride_);
  }

 private:
  const Job* first_;
  std::size_t size_;
  std::size_t stride_;
};

}  // namespace torchac
