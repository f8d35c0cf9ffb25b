#include "torchac/arrays/strided.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace torchac {

StridedWalk::StridedWalk(const std::byte* first, std::span<const Dimension> dimensions)
    : at_(first) {
  for (const Dimension& d : dimensions) add(d);
  if (!outer_.empty()) {
    inner_ = outer_.back().dimension;
    outer_.pop_back();
  }
  left_ = inner_.size;
}

StridedWalk::StridedWalk(const StridedWalk& other) = default;
StridedWalk& StridedWalk::operator=(const StridedWalk& other) = default;

std::vector<StridedWalk::Place> StridedWalk::distinct_places() const {
  std::vector<Place> places;
  if (left_ == 0) return places;
  places.push_back({at_, 0});
  std::int64_t elements = 1;  // elements in a step along the dimension
  const auto add = [&](const Dimension& d) {
    const std::size_t before = places.size();
    for (std::int64_t i = 1; i < distinct(d); ++i) {
      for (std::size_t k = 0; k < before; ++k)
        places.push_back({places[k].at + i * d.stride, places[k].position + i * elements});
    }
    elements *= d.size;
  };
  add(inner_);
  for (auto digit = outer_.rbegin(); digit != outer_.rend(); ++digit) add(digit->dimension);
  return places;
}

// Merges dimensions in which the elements are evenly spaced, and drops dimensions of size 1.
void StridedWalk::add(const Dimension& d) {
  if (d.size == 1) return;
  if (!outer_.empty() && outer_.back().dimension.stride == d.stride * d.size) {
    outer_.back().dimension = {outer_.back().dimension.size * d.size, d.stride};
  } else {
    outer_.push_back({d, 0});
  }
}

// Moves to the first element of the next run, as the digits of a number carry.
void StridedWalk::carry() {
  at_ -= inner_.size * inner_.stride;
  left_ = inner_.size;
  for (auto digit = outer_.rbegin(); digit != outer_.rend(); ++digit) {
    at_ += digit->dimension.stride;
    if (++digit->index < digit->dimension.size) return;
    at_ -= digit->dimension.size * digit->dimension.stride;
    digit->index = 0;
  }
}

}  // namespace torchac
