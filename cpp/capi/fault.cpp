// The words for what the core refuses, as Python has them.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "array.hpp"
#include "call.hpp"
#include "model.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_rows.hpp"
#include "torchac/models/parameters.hpp"

namespace torchac::c {
namespace {

class Words {
 public:
  Words(const Report& report, const Item& item)
      : report_(report),
        item_(item),
        position_(position_in(item.values.shape(), report.position)),
        at_("at index " + to_string(position_)) {
    if (report.problem == Problem::kTruncated || report.problem == Problem::kInvalidCode) return;
    element_ = position_;
    if (item.index) element_ = {static_cast<std::int64_t>(item.index->at(position_).integer)};
  }

  [[nodiscard]] std::string operator()() const {
    const bool cdf = item_.model.is_cdf();
    switch (report_.problem) {
      case Problem::kTruncated:
        return std::string("the stream ends before its ") + (cdf ? "symbols" : "values") +
               " do: " + std::to_string(report_.position) + " of " +
               std::to_string(item_.values.count()) + (cdf ? " symbols" : "") + " are in it";
      case Problem::kInvalidCode:
        return "the stream contradicts the " + std::string(cdf ? "CDF " : "model ") + at_ +
               (cdf ? ": no symbol of that row" : ": no value") +
               " can have been written there, so it is damaged or was written with another " +
               (cdf ? "CDF" : "model");
      case Problem::kValue: {
        const Bounds bounds = item_.model.bounds();
        return "value " + value() + " " + at_ + ": expected whole numbers from " +
               std::to_string(bounds.low) + " to " + std::to_string(bounds.high);
      }
      case Problem::kSymbol:
        return "symbol " + value() + " " + at_ + " is outside the alphabet: rows of " +
               std::to_string(symbols() + 1) + " values allow symbols 0 … " +
               std::to_string(symbols() - 1);
      case Problem::kIndex:
        return index();
      default:
        return std::visit([&](const auto& arrays) { return of_element(arrays); },
                          item_.model.arrays());
    }
  }

 private:
  [[nodiscard]] std::string value() const { return to_string(item_.values.at(position_)); }
  [[nodiscard]] std::int64_t symbols() const { return std::int64_t{item_.model.bounds().high} + 1; }

  [[nodiscard]] std::string index() const {
    if (!item_.index) return changed();
    const std::int64_t elements = item_.model.shape()[0];
    const std::string begin =
        "index " + to_string(item_.index->at(position_)) + " " + at_ + " is out of range: ";
    return item_.model.is_cdf() ? begin + std::to_string(elements) + " tables allow 0 … " +
                                      std::to_string(elements - 1)
                                : begin + "expected 0 to " + std::to_string(elements - 1);
  }

  // If another thread has changed the arguments, the fault may be gone.
  [[nodiscard]] static std::string changed() {
    return "the model, the values or their index were changed while they were coded";
  }
  [[nodiscard]] bool is_element(const Shape& element) const {
    const Shape& shape = item_.model.shape();
    bool inside = element.size() == shape.size();
    for (std::size_t d = 0; inside && d < shape.size(); ++d)
      inside = element[d] >= 0 && element[d] < shape[d];
    return inside;
  }

  [[nodiscard]] std::string of_element(const ParameterArrays& arrays) const {
    const bool weight = report_.problem == Problem::kWeight;
    const auto name = weight                             ? Parameter::kWeight
                      : report_.problem == Problem::kLoc ? Parameter::kLoc
                                                         : Parameter::kScale;
    const auto of = [&](std::size_t k) {
      return to_string(
          arrays.components[k].arrays[static_cast<std::size_t>(name)]->at(element_).real);
    };
    if (!is_element(element_)) return changed();
    if (report_.column < 0) {
      std::string all;
      for (std::size_t k = 0; k < arrays.components.size(); ++k)
        all += (k == 0 ? "" : ", ") + of(k);
      return "weights are [" + all + "] at index " + to_string(element_) +
             ": expected a finite sum above 0";
    }
    Shape place = element_;
    if (arrays.mixture()) place.push_back(report_.column);
    constexpr std::array<const char*, 3> kNames{"loc", "scale", "weights"};
    constexpr std::array<const char*, 3> kExpected{"finite numbers", "numbers from 0 to 16777216",
                                                   "finite numbers that are not negative"};
    const auto k = static_cast<std::size_t>(name);
    return std::string(kNames[k]) + " is " + of(static_cast<std::size_t>(report_.column)) +
           " at index " + to_string(place) + ": expected " + kExpected[k];
  }

  [[nodiscard]] std::string of_element(const CategoryArrays& arrays) const {
    if (!is_element(element_)) return changed();
    const std::string name = arrays.logits() ? "logits" : "probs";
    if (report_.column < 0)
      return name + " are all " + (arrays.logits() ? "-inf" : "below 2^-100") + " at index " +
             to_string(element_) + ": expected one above that";
    Shape place = element_;
    if (!arrays.bernoulli()) place.push_back(report_.column);
    const char* const expected = arrays.logits() ? "numbers below 3.4e38, or -inf"
                                 : arrays.bernoulli()
                                     ? "numbers from 0 to 1"
                                     : "numbers below 3.4e38 that are not negative";
    return name + " is " + to_string(arrays.numbers.at(place)) + " at index " + to_string(place) +
           ": expected " + expected;
  }

  [[nodiscard]] std::string of_element(const TableArrays&) const {
    if (!is_element(element_)) return changed();
    return "symbol " + std::to_string(report_.column) + " of the row at index " +
           to_string(element_) + " has an empty interval: expected rows that increase";
  }

  [[nodiscard]] std::string of_element(const CdfArrays& arrays) const {
    const Shape key = report_.table < 0 ? element_ : Shape{report_.table};
    if (!is_element(key)) return changed();
    const Row row(arrays, key);
    const Shape place = item_.index ? key : position_;
    const std::int64_t column = report_.column;
    const std::string advice = is_float(arrays.rows.type) && !arrays.normalize
                                   ? ", or rows without TORCHAC_RAW, which gives every symbol an "
                                     "interval"
                                   : "";
    switch (report_.problem) {
      case Problem::kInterval:
        return "symbol " + std::to_string(column) + " " + at_ + " has an empty interval, from " +
               row.quantized(column) + " to " + row.quantized(column + 1) +
               " of 65536, so it cannot be coded: its row is not normalized. Expected values that "
               "increase" +
               advice;
      case Problem::kNotFinite:
        return row.name(column, place) + " cannot be converted: expected finite numbers in [0, 1]";
      case Problem::kOutOfBounds:
        return row.name(column, place) + " is outside [0, 1]";
      default:
        return row.name(column, place) + " converts to " + row.quantized(column) +
               " of 65536, less than the value before it, " + row.value(column - 1) +
               ", which converts to " + row.quantized(column - 1) +
               ": expected rows that do not decrease" + advice;
    }
  }

  // A faulty row of a CDF.
  class Row {
   public:
    Row(const CdfArrays& arrays, const Shape& key) : arrays_(arrays), key_(key) {}

    [[nodiscard]] std::string value(std::int64_t column) const {
      return to_string(arrays_.rows.at(place(column, key_)));
    }
    [[nodiscard]] std::string name(std::int64_t column, const Shape& at) const {
      return "CDF value " + value(column) + " at index " + to_string(place(column, at));
    }
    // The value in parts of 65536.
    [[nodiscard]] std::string quantized(std::int64_t column) const {
      const CdfLayout layout = arrays_.layout();
      if (column == layout.symbols) return "65536";
      const std::byte* row = arrays_.rows.first;
      for (std::size_t d = 0; d < key_.size(); ++d)
        row += key_[d] * arrays_.rows.dimensions[d].stride;
      return std::to_string(with_cdf(layout, [&](const auto& cdf) {
        return cdf.at(row, static_cast<std::uint32_t>(column));
      }));
    }

   private:
    [[nodiscard]] static Shape place(std::int64_t column, Shape at) {
      at.push_back(column);
      return at;
    }

    const CdfArrays& arrays_;
    const Shape& key_;
  };

  const Report& report_;
  const Item& item_;
  Shape position_;
  std::string at_;
  Shape element_;
};

}  // namespace

void explain(const Report& report, const Item& item, const std::string& prefix) {
  const bool corrupt =
      report.problem == Problem::kTruncated || report.problem == Problem::kInvalidCode;
  throw Refused(corrupt ? TORCHAC_CORRUPT : TORCHAC_INVALID, prefix + Words(report, item)());
}

}  // namespace torchac::c
