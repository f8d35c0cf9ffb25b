// Arrays of any layout that tensors may have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "input.hpp"
#include "torchac/arrays/strided.hpp"

namespace torchac::fuzz {

// Elements of one size. The memory begins and ends with them, so that a sanitizer sees a step
// beyond; they may overlap, be unaligned, or all be one.
class Array {
 public:
  Array(std::vector<Dimension> dimensions, std::int64_t item_size);

  [[nodiscard]] const std::byte* first() const { return memory_->data() + first_; }
  [[nodiscard]] const std::vector<Dimension>& dimensions() const { return dimensions_; }
  [[nodiscard]] std::int64_t count() const;

  // Element i in row-major order, as the low bits of the result.
  [[nodiscard]] std::uint64_t bits(std::int64_t i) const;
  void set(std::int64_t i, std::uint64_t bits);

  // The elements that have an index from `begin` up to `end` in the first dimension.
  [[nodiscard]] Array part(std::int64_t begin, std::int64_t end) const;

  // The first elements along the last dimension.
  [[nodiscard]] Array narrowed(std::int64_t size) const;

 private:
  // The position of element i in the memory.
  [[nodiscard]] std::int64_t place(std::int64_t i) const;

  std::vector<Dimension> dimensions_;
  std::int64_t item_size_;
  std::shared_ptr<std::vector<std::byte>> memory_;
  std::int64_t first_ = 0;
};

// An array of those sizes, in one of the layouts that expanding, transposing, slicing and reversing
// make, or with any small strides.
Array any_array(Input& input, const std::vector<std::int64_t>& sizes, std::int64_t item_size);

}  // namespace torchac::fuzz
