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
  StridedWalk(const std::byte* first, std::span<const Dimension> dimensions);
  // Not copied inline: calls copy whole jobs, with many of these, in many places.
  StridedWalk(const StridedWalk& other);
  StridedWalk(StridedWalk&& other) noexcept = default;
  StridedWalk& operator=(const StridedWalk& other);
  StridedWalk& operator=(StridedWalk&& other) noexcept = default;
  ~StridedWalk() = default;

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
  [[nodiscard]] std::vector<Place> distinct_places() const;

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

  void add(const Dimension& d);
  void carry();

  const std::byte* at_;
  Dimension inner_{1, 0};
  std::int64_t left_;
  std::vector<Counter> outer_;
};

}  // namespace torchac
