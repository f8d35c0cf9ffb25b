// The computed rows of elements that values share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "torchac/engine/job.hpp"
#include "torchac/engine/tabulate.hpp"
#include "torchac/models/categories.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/table_rows.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

class ElementRows {
 public:
  // Computes the rows of elements. Returns nothing if one of them is not a distribution, which
  // coding reports.
  static std::optional<ElementRows> of(const Elements& elements, std::int64_t count, Poll& poll) {
    ElementRows rows;
    const bool good =
        std::visit([&](const auto& model) { return rows.compute(model, count, poll); }, elements);
    return good ? std::optional(std::move(rows)) : std::nullopt;
  }

  [[nodiscard]] TableRowsView view() const {
    return {std::as_bytes(std::span(values_)).data(),
            sizeof values_[0],
            static_cast<std::int64_t>(first_.size()),
            columns_,
            first_.data(),
            symbols_.data(),
            shifts_.data(),
            bounds_,
            places_.data()};
  }

 private:
  bool compute(const Parameters& parameters, std::int64_t count, Poll& poll) {
    bounds_ = parameters.bounds;
    const auto add = [&](const ParameterBlock& block, std::size_t i) {
      const Window& window = block.window(i);
      if (window.has_zones()) return Problem::kZones;
      const std::uint32_t symbols = window.last() + 1;
      add_row(window.first(), symbols, window.shift());
      block.write_row(i, values_.data() + places_.back());
      poll.after(symbols * block.size());
      return Problem::kNone;
    };
    return for_each_element(parameters, count, poll, add).ok();
  }

  bool compute(const Categories& categories, std::int64_t count, Poll& poll) {
    const std::uint32_t symbols = categories.layout.categories();
    bounds_ = {0, static_cast<std::int32_t>(symbols) - 1};
    for (std::int64_t k = 0; k < count; ++k) add_row(0, symbols + 1, 0);
    const TabulateJob job{categories,     count,          first_.data(), symbols_.data(),
                          shifts_.data(), values_.data(), symbols + 1};
    return tabulate_categories(job, poll).ok();
  }

  void add_row(std::int32_t first, std::uint32_t symbols, std::uint32_t shift) {
    places_.push_back(static_cast<std::uint32_t>(values_.size()));
    first_.push_back(first);
    symbols_.push_back(static_cast<std::int32_t>(symbols));
    shifts_.push_back(static_cast<std::uint8_t>(shift));
    values_.resize(values_.size() + symbols);
    columns_ = std::max(columns_, std::int64_t{symbols});
  }

  Bounds bounds_;
  std::int64_t columns_ = 0;
  std::vector<std::uint16_t> values_;
  std::vector<std::uint32_t> places_;
  std::vector<std::int32_t> first_;
  std::vector<std::int32_t> symbols_;
  std::vector<std::uint8_t> shifts_;
};

TORCHAC_END_TARGET
