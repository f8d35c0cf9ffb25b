// Categories: a number for each says how likely it is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The meaning of the numbers. That of a Bernoulli distribution is for category 1 of two.
enum class CategoryNumbers : std::uint8_t {
  kProbabilities,
  kLogits,
  kBernoulliProbabilities,
  kBernoulliLogits
};

// The layout of the numbers of one distribution.
struct CategoryLayout {
  CategoryNumbers kind;
  DType type;           // a float
  std::uint32_t count;  // numbers
  std::int64_t stride;  // bytes from one number to the next

  bool operator==(const CategoryLayout&) const = default;

  [[nodiscard]] bool bernoulli() const { return kind >= CategoryNumbers::kBernoulliProbabilities; }
  [[nodiscard]] std::uint32_t categories() const { return bernoulli() ? 2 : count; }
  [[nodiscard]] bool logits() const {
    return kind == CategoryNumbers::kLogits || kind == CategoryNumbers::kBernoulliLogits;
  }
};

struct Categories {
  CategoryLayout layout;
  Rows rows;

  bool operator==(const Categories&) const = default;
};

inline constexpr std::uint32_t kMaxCategories = 1u << 20;

// The most categories in one row: an 8-bit pixel, and one category more. Each symbol of a row has
// at least one part of 65536, which costs at most 257 / 65536 * log2(e) = 0.0057 bits.
inline constexpr std::uint32_t kMaxRowCategories = 257;

// The most categories that are computed for many values at once.
inline constexpr std::uint32_t kMaxTransposedCategories = 32;

// More categories than one row has are coded in steps: a group, then a place in it.
inline constexpr std::uint32_t kCategoriesPerGroup = 64;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

// Reads `count` numbers from number `first` on, rounded to 32 bits, by `put(i, number)`.
template <class Put>
TORCHAC_INLINE void read_floats(const CategoryLayout& layout, const std::byte* row,
                                std::size_t first, std::size_t count, const Put& put) {
  with_dtype(FloatTypes(), layout.type, [&]<class T>(const T*) {
    const auto stride = static_cast<std::ptrdiff_t>(layout.stride);
    const std::byte* at = row + static_cast<std::ptrdiff_t>(first) * stride;
    const auto read = [&](const std::byte* from) { return static_cast<float>(load<T>(from)); };
    if (stride == sizeof(T)) {  // a constant, so that the compiler makes vector code
      for (std::size_t i = 0; i < count; ++i) put(i, read(at + i * sizeof(T)));
    } else {
      for (std::size_t i = 0; i < count; ++i, at += stride) put(i, read(at));
    }
  });
}

TORCHAC_END_TARGET
