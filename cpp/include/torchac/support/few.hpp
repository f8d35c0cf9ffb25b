// A few elements, mostly one.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace torchac {

// One element needs no memory of its own: allocating it takes as long as coding some values.
template <class T>
class Few {
 public:
  explicit Few(std::size_t count = 0) : several_(count > 1 ? count : 0), count_(count) {}

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] T& operator[](std::size_t i) { return count_ > 1 ? several_[i] : one_; }
  [[nodiscard]] std::span<T> all() { return {count_ > 1 ? several_.data() : &one_, count_}; }

 private:
  T one_{};
  std::vector<T> several_;
  std::size_t count_;
};

}  // namespace torchac
