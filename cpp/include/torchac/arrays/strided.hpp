// Arrays like those of NumPy and PyTorch: a first element, and a stride in bytes for each
// dimension.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace torchac {

// The size and the stride of a dimension.
struct Dimension {
  std::int64_t size;
  std::int64_t stride;  // in bytes; zero if the dimension is expanded, negative if it is reversed

  bool operator==(const Dimension&) const = default;
};

// Visits the elements of an array in row-major order.
class StridedWalk {
 public:
  StridedWalk(const std::byte* first, std::initializer_list<Dimension> dimensions)
      : StridedWalk(first, std::span(dimensions.begin(), dimensions.size())) {}
  StridedWalk(const std::byte* first, std::span<const Dimension> dimensions) : at_(first) {
    for (const Dimension& d : dimensions) add(d);
    if (!outer_.empty()) {
      inner_ = outer_.back().dimension;
      outer_.pop_back();
    }
    left_ = inner_.size;
  }

  bool operator==(const StridedWalk&) const = default;

  // The current element. Must not be called after all have been visited.
  [[nodiscard]] const std::byte* at() const { return at_; }

  // The number of elements that lie one stride apart, from `at` on.
  [[nodiscard]] std::int64_t run() const { return left_; }
  [[nodiscard]] std::int64_t stride() const { return inner_.stride; }

  // An element and its position in the order.
  struct Place {
    const std::byte* at;
    std::int64_t position;
  };

  // The number of elements with different addresses, before any was visited.
  [[nodiscard]] std::int64_t distinct() const {
    std::int64_t count = distinct(inner_);
    for (const Counter& digit : outer_) count *= distinct(digit.dimension);
    return count;
  }

  // The first element at each of these addresses.
  [[nodiscard]] std::vector<Place> distinct_places() const {
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

  // Advances by `steps`, at most `run`.
  void advance(std::int64_t steps) {
    at_ += steps * inner_.stride;
    left_ -= steps;
    if (left_ == 0) [[unlikely]]
      carry();
  }

  // Advances by any number of steps, up to the end.
  void skip(std::int64_t steps) {
    while (steps > 0) {
      const std::int64_t n = std::min(steps, left_);
      advance(n);
      steps -= n;
    }
  }

 private:
  struct Counter {
    Dimension dimension;
    std::int64_t index;

    bool operator==(const Counter&) const = default;
  };

  static std::int64_t distinct(const Dimension& d) { return d.stride == 0 ? 1 : d.size; }

  // Merges dimensions in which the elements are evenly spaced, and drops dimensions of size 1.
  void add(const Dimension& d) {
    if (d.size == 1) return;
    if (!outer_.empty() && outer_.back().dimension.stride == d.stride * d.size) {
      outer_.back().dimension = {outer_.back().dimension.size * d.size, d.stride};
    } else {
      outer_.push_back({d, 0});
    }
  }

  // Moves to the first element of the next run, as the digits of a number carry.
  void carry() {
    at_ -= inner_.size * inner_.stride;
    left_ = inner_.size;
    for (auto digit = outer_.rbegin(); digit != outer_.rend(); ++digit) {
      at_ += digit->dimension.stride;
      if (++digit->index < digit->dimension.size) return;
      at_ -= digit->dimension.size * digit->dimension.stride;
      digit->index = 0;
    }
  }

  const std::byte* at_;
  Dimension inner_{1, 0};
  std::int64_t left_;
  std::vector<Counter> outer_;
};

}  // namespace torchac
