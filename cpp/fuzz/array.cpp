#include "array.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "input.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/support/load.hpp"

namespace torchac::fuzz {
namespace {

// Converts through a number of that size, so that the byte order is the machine's.
template <class T>
void copy_bits(std::byte* to, std::uint64_t bits) {
  const auto value = static_cast<T>(bits);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

Array::Array(std::vector<Dimension> dimensions, std::int64_t item_size)
    : dimensions_(std::move(dimensions)), item_size_(item_size) {
  std::int64_t size = 0;
  if (count() > 0) {
    size = item_size;
    for (const Dimension& d : dimensions_) {
      const std::int64_t last = (d.size - 1) * d.stride;
      first_ -= std::min<std::int64_t>(last, 0);
      size += std::abs(last);
    }
  }
  memory_ = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(size));
}

std::int64_t Array::count() const {
  std::int64_t count = 1;
  for (const Dimension& d : dimensions_) count *= d.size;
  return count;
}

std::int64_t Array::place(std::int64_t i) const {
  std::int64_t place = first_;
  for (auto d = dimensions_.rbegin(); d != dimensions_.rend(); ++d) {
    place += i % d->size * d->stride;
    i /= d->size;
  }
  return place;
}

std::uint64_t Array::bits(std::int64_t i) const {
  const std::byte* from = memory_->data() + place(i);
  switch (item_size_) {
    case 1:
      return load<std::uint8_t>(from);
    case 2:
      return load<std::uint16_t>(from);
    case 4:
      return load<std::uint32_t>(from);
    default:
      return load<std::uint64_t>(from);
  }
}

void Array::set(std::int64_t i, std::uint64_t bits) {
  std::byte* to = memory_->data() + place(i);
  switch (item_size_) {
    case 1:
      return copy_bits<std::uint8_t>(to, bits);
    case 2:
      return copy_bits<std::uint16_t>(to, bits);
    case 4:
      return copy_bits<std::uint32_t>(to, bits);
    default:
      return copy_bits<std::uint64_t>(to, bits);
  }
}

Array Array::part(std::int64_t begin, std::int64_t end) const {
  Array result = *this;
  result.dimensions_[0].size = end - begin;
  if (result.count() > 0) result.first_ += begin * dimensions_[0].stride;
  return result;
}

Array Array::narrowed(std::int64_t size) const {
  Array result = *this;
  result.dimensions_.back().size = size;
  return result;
}

Array any_array(Input& input, const std::vector<std::int64_t>& sizes, std::int64_t item_size) {
  std::vector<Dimension> dimensions(sizes.size());
  const bool transposed = input.one_in(4);
  std::int64_t stride = item_size + input.one_of<std::int64_t>({0, 0, item_size, 1});
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::size_t k = transposed ? i : sizes.size() - 1 - i;
    dimensions[k] = {sizes[k], stride};
    stride *= std::max<std::int64_t>(sizes[k], 1);
  }
  for (Dimension& d : dimensions) {
    const std::uint64_t choice = input.below(8);
    if (choice == 5) d.stride = 0;
    if (choice == 6) d.stride *= -1;
    if (choice == 7) d.stride = input.between(-40, 40);
  }
  return {dimensions, item_size};
}

}  // namespace torchac::fuzz
