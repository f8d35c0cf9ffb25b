// Rows of a CDF in memory, at strides like those of tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "definition.hpp"
#include "random.hpp"
#include "reference.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/support/load.hpp"

namespace torchac::test {

struct Strides {
  std::int64_t row;
  std::int64_t value;
};

class StoredCdf {
 public:
  // The memory begins and ends with the values, so that a sanitizer sees a step beyond.
  StoredCdf(Kind kind, std::int64_t count, Strides strides)
      : kind_(kind), count_(count), strides_(strides) {
    const std::int64_t rows = (std::max<std::int64_t>(count, 1) - 1) * strides.row;
    const std::int64_t values = kind.symbols * strides.value;
    first_ = -std::min<std::int64_t>(rows, 0) - std::min<std::int64_t>(values, 0);
    memory_.resize(static_cast<std::size_t>(std::abs(rows) + std::abs(values)) + value_size());
  }

  [[nodiscard]] const Kind& kind() const { return kind_; }
  [[nodiscard]] std::int64_t count() const { return count_; }

  // The same values, read in another way.
  [[nodiscard]] StoredCdf read_as(Kind kind) const {
    StoredCdf result = *this;
    result.kind_ = kind;
    return result;
  }

  // `count` rows from row `i` on.
  [[nodiscard]] Rows rows(std::int64_t i, std::int64_t count) const {
    return Rows(StridedWalk(row(i), {{count, strides_.row}}));
  }
  [[nodiscard]] CdfLayout layout() const {
    return {kind_.type, kind_.normalize, static_cast<std::uint32_t>(kind_.symbols), strides_.value};
  }
  [[nodiscard]] const std::byte* row(std::int64_t i) const { return memory_.data() + offset(i, 0); }

  [[nodiscard]] std::uint64_t bits(std::int64_t i, std::int64_t j) const {
    const std::byte* from = memory_.data() + offset(i, j);
    switch (value_size()) {
      case 2:
        return load<std::uint16_t>(from);
      case 4:
        return load<std::uint32_t>(from);
      default:
        return load<std::uint64_t>(from);
    }
  }

  void set(std::int64_t i, std::int64_t j, std::uint64_t bits) {
    std::byte* to = memory_.data() + offset(i, j);
    switch (value_size()) {
      case 2:
        return store(to, static_cast<std::uint16_t>(bits));
      case 4:
        return store(to, static_cast<std::uint32_t>(bits));
      default:
        return store(to, bits);
    }
  }

  // Row i as 16-bit values, by the definition.
  [[nodiscard]] reference::Row reference_row(std::int64_t i) const {
    reference::Row row;
    for (std::int64_t j = 0; j < kind_.symbols; ++j) {
      row.push_back(converted(kind_, bits(i, j), j));
    }
    row.push_back(65536);
    return row;
  }

  [[nodiscard]] std::vector<reference::Row> reference_rows() const {
    std::vector<reference::Row> result;
    for (std::int64_t i = 0; i < count_; ++i) result.push_back(reference_row(i));
    return result;
  }

 private:
  [[nodiscard]] std::size_t value_size() const {
    return static_cast<std::size_t>(bit_fields(kind_.type).bytes());
  }

  [[nodiscard]] std::ptrdiff_t offset(std::int64_t i, std::int64_t j) const {
    return static_cast<std::ptrdiff_t>(first_ + i * strides_.row + j * strides_.value);
  }

  template <class T>
  static void store(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof value);
  }

  Kind kind_;
  std::int64_t count_;
  Strides strides_;
  std::int64_t first_;
  std::vector<std::byte> memory_;
};

}  // namespace torchac::test
