// Settled parameters: docs/format.md, "Settled parameters", defines them.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "array.hpp"
#include "bytes.hpp"
#include "call.hpp"
#include "model.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/support/float_mode.hpp"

using namespace torchac;
using namespace torchac::c;

namespace {

constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kCells = 256;
constexpr std::int64_t kPlain = kCells / 2;
constexpr std::uint8_t kHalved = 255;
constexpr double kLowest = -0x1p39;
constexpr double kHighest = 0x1p39 - 256;

// The values in parts of a step, and the caller's room for numbers.
class Values {
 public:
  Values(const torchac_array* x, double step, const torchac_array* numbers)
      : x_(Array::of(given(x, "x"), "x")), step_(step), room_(room(numbers, false)) {
    if (!is_float(x_.type))
      refuse(std::string("x has dtype ") + name_of(x_.type) + ": expected floats");
    if (room_.shape() != x_.shape())
      refuse("numbers has shape " + to_string(room_.shape()) + ": expected " +
             to_string(x_.shape()) + ", that of x");
    if (!(step >= 1e-30 && step <= 1e100))
      refuse("step is " + to_string(step) + ": expected a number from 1e-30 to 1e100");
  }

  [[nodiscard]] std::int64_t count() const { return x_.count(); }

  // The cells of all values and their shifts, `offset` added to each value.
  [[nodiscard]] std::vector<std::int64_t> cells(double offset) const {
    const auto count = static_cast<std::size_t>(x_.count());
    std::vector<double> values(count);
    Numbers from = x_.numbers();
    for (std::size_t i = 0; i < count; i += kBlock)
      read_doubles(from, std::min<std::size_t>(kBlock, count - i), values.data() + i);
    std::vector<std::int64_t> result(count);
    const double factor = static_cast<double>(kCells) / step_;
    for (std::size_t i = 0; i < count; ++i) {
      const double cell = std::nearbyint((values[i] + offset) * factor);
      if (!(cell >= kLowest && cell <= kHighest)) refuse_value(values[i], i);
      result[i] = static_cast<std::int64_t>(cell);
    }
    return result;
  }

  void put(const std::vector<std::int64_t>& cells, const std::vector<std::uint8_t>& shifts) const {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto number = static_cast<std::int32_t>((cells[i] + shifts[i]) >> 8);
      std::memcpy(room_.first + i * sizeof number, &number, sizeof number);
    }
  }

 private:
  [[noreturn]] void refuse_value(double value, std::size_t i) const {
    std::string expected = "a finite number";
    if (std::isfinite(value))
      expected = "a number from " + to_string(kLowest / kCells * step_) + " to " +
                 to_string(kHighest / kCells * step_) +
                 ", as steps are counted in an int32; a larger step allows more";
    refuse("x is " + to_string(value) + " at index " +
           to_string(position_in(x_.shape(), static_cast<std::int64_t>(i))) + ": expected " +
           expected);
  }

  Array x_;
  double step_;
  Array room_;
};

// The shift of each value. `tell(begin, end)` gives the byte of a block, longest blocks first.
template <class Tell>
std::vector<std::uint8_t> each_shift(std::int64_t count, const Tell& tell) {
  std::vector<std::uint8_t> shifts(static_cast<std::size_t>(count));
  std::vector<std::int64_t> blocks;
  for (std::int64_t begin = 0; begin < count; begin += kBlock) blocks.push_back(begin);
  for (std::int64_t length = kBlock; !blocks.empty(); length /= 2) {
    std::vector<std::int64_t> halves;
    for (const std::int64_t begin : blocks) {
      const std::int64_t end = std::min(begin + length, count);
      const std::uint8_t told = tell(begin, end, length);
      std::fill(shifts.begin() + begin, shifts.begin() + end, told);
      if (told != kHalved) continue;
      halves.push_back(begin);
      if (begin + length / 2 < count) halves.push_back(begin + length / 2);
    }
    blocks = std::move(halves);
  }
  return shifts;
}

// The shift, closest to plain rounding, with which no value lies near a border, or kHalved.
std::uint8_t choose(std::span<const std::int64_t> low, std::span<const std::int64_t> high) {
  std::array<bool, kCells> excluded{};
  for (std::size_t i = 0; i < low.size(); ++i) {
    for (std::int64_t cell = low[i]; cell < high[i]; ++cell)
      excluded[static_cast<std::size_t>(-(cell + 1) & (kCells - 1))] = true;
  }
  for (std::int64_t distance = 0; distance <= kPlain; ++distance) {
    for (const std::int64_t shift : {kPlain - distance, kPlain + distance})
      if (shift < kHalved && !excluded[static_cast<std::size_t>(shift)])
        return static_cast<std::uint8_t>(shift);
  }
  return kHalved;
}

}  // namespace

int torchac_settle(const torchac_array* x, double step, double tolerance,
                   const torchac_array* numbers, torchac_bytes* shifts, torchac_error* error) {
  return call(error, [&] {
    const StandardFloats floats;
    given(shifts, "shifts");
    const Values values(x, step, numbers);
    if (!(tolerance > 0 && tolerance <= 0.25 * step))
      refuse("tolerance is " + to_string(tolerance) +
             ": expected a number above 0 and at most step / 4, which is " +
             to_string(0.25 * step) + "; a larger step allows a larger tolerance");
    const std::vector<std::int64_t> low = values.cells(-tolerance);
    const std::vector<std::int64_t> high = values.cells(tolerance);
    std::vector<std::uint8_t> told;
    const auto tell = [&](std::int64_t begin, std::int64_t end, std::int64_t) {
      const auto [at, size] =
          std::pair(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
      told.push_back(choose(std::span(low).subspan(at, size), std::span(high).subspan(at, size)));
      return told.back();
    };
    const std::vector<std::uint8_t> each = each_shift(values.count(), tell);
    OwnedBytes result{std::span<const std::uint8_t>(told)};
    values.put(low, each);
    *shifts = result.release();
  });
}

int torchac_settled(const torchac_array* x, const std::uint8_t* shifts, std::size_t size,
                    double step, const torchac_array* numbers, torchac_error* error) {
  return call(error, [&] {
    const StandardFloats floats;
    const Values values(x, step, numbers);
    const std::span<const std::uint8_t> given = bytes_of(shifts, size, "shifts");
    const auto refuse_size = [&](const std::string& needed) {
      throw Refused(TORCHAC_CORRUPT, "shifts has " + std::to_string(size) + " bytes, and " +
                                         std::to_string(values.count()) + " values need " + needed +
                                         ": expected those that torchac_settle gave for them");
    };
    std::size_t used = 0;
    const auto tell = [&](std::int64_t, std::int64_t, std::int64_t length) {
      if (used == size) refuse_size("more");
      const std::uint8_t told = given[used++];
      if (length == 1 && told == kHalved)
        throw Refused(TORCHAC_CORRUPT,
                      "shifts is 255 at index " + std::to_string(used - 1) +
                          ", where the block is one value, which has no halves: expected the "
                          "shifts that torchac_settle gave");
      return told;
    };
    const std::vector<std::uint8_t> each = each_shift(values.count(), tell);
    if (used < size) refuse_size(std::to_string(used));
    values.put(values.cells(0), each);
  });
}
