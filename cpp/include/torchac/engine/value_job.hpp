// Jobs on values: integers of any size, whose rows have windows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "torchac/arrays/integers.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/engine/streams.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window_rows.hpp"

namespace torchac {

// A model of values. Where memory ends, the copies of a std::variant destroy what they have not
// made yet, with GCC 11's library; this one does not.
struct AnyModel : std::variant<Parameters, WindowRows, Categories> {
  using variant::operator=;
  using variant::variant;

  AnyModel(const AnyModel& other)
      : variant(std::visit([](const auto& model) { return variant(model); },
                           static_cast<const variant&>(other))) {}
  AnyModel(AnyModel&&) noexcept = default;
  AnyModel& operator=(const AnyModel& other) { return *this = AnyModel(other); }
  AnyModel& operator=(AnyModel&&) noexcept = default;
  ~AnyModel() = default;
};

using Elements = std::variant<Parameters, Categories>;

// Which kind of model it is: models of one kind are coded together, by one type of task.
[[nodiscard]] inline std::uint32_t kind_of(const AnyModel& model) {
  if (const auto* parameters = std::get_if<Parameters>(&model))
    return parameters->mixture() ? 1 : 0;
  if (const auto* rows = std::get_if<WindowRows>(&model))
    return rows->luts.tables == nullptr ? 2 : 11;
  const auto& [layout, rows] = std::get<Categories>(model);
  const std::uint32_t kind = layout.logits() ? 3 : 4;
  if (layout.categories() <= kFew) return kind;
  if (layout.categories() <= kOneRow) return kind + 2;
  return rows.tables() ? kind + 4 : kind + 6;  // trees that values may share, or of their own
}

// The elements of a model that values share, and which of them each value has: those of an index,
// or those that lie where the model was expanded to the values.
struct SharedElements {
  std::shared_ptr<const Elements> elements;  // one after the other
  std::int64_t count;
  std::optional<Integers> index = std::nullopt;
  // Without an index, the steps from element to element along the dimensions of the values, the
  // element of the first one, and how many of them were skipped.
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

  // The number of each value's element, read from the numbers 0, 1, … of all, if they are needed.
  [[nodiscard]] Integers numbers(std::vector<std::uint32_t>& all) const {
    if (index) return *index;
    if (all.empty()) {
      all.resize(static_cast<std::size_t>(count));
      std::iota(all.begin(), all.end(), 0u);
    }
    std::vector<Dimension> dimensions = steps;
    for (Dimension& dimension : dimensions) dimension.stride *= std::int64_t{sizeof all[0]};
    Integers result{IntegerType::kUint32,
                    StridedWalk(std::as_bytes(std::span(all)).data() +
                                    static_cast<std::size_t>(first) * sizeof all[0],
                                dimensions)};
    result.walk.skip(skipped);
    return result;
  }
};

// The model of so many values, and what of it they share, if they do.
struct ValueJob {
  AnyModel model;
  std::int64_t count;
  std::optional<SharedElements> shared = std::nullopt;
};

struct EncodeValuesJob : ValueJob {
  Numbers values;
  Streams<EncodedStream> streams;
};

struct DecodeValuesJob : ValueJob {
  std::int32_t* values;
  Streams<Decoder> streams;
};

// Values whose cost is asked for, in bits.
struct MeasureValuesJob : ValueJob {
  Numbers values;
  double* bits;
};

// Rows to be computed: their windows, and, unless null, their values, `stride` to a row.
struct TabulateJob {
  AnyModel model;
  std::int64_t count;
  std::int32_t* first;
  std::int32_t* symbols;
  std::uint8_t* shifts;
  std::uint16_t* rows;
  std::int64_t stride;
};

}  // namespace torchac
