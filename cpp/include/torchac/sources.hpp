// Where the coder gets its rows and symbols from: arrays of any layout and type, read in blocks
// into plain arrays, which is all that the coding loops see.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/cpu.hpp"
#include "torchac/report.hpp"
#include "torchac/strided.hpp"

namespace torchac {

// Symbols in a block: enough to make the work between blocks negligible, few enough for several
// blocks to stay in the fastest cache.
inline constexpr std::size_t kBlock = 512;

// How many of the symbols of a block can be coded, and why no more.
struct Readable {
  std::size_t count;
  Fault fault{};

  // No more than `shorter`, because of `why`.
  void cut(std::size_t shorter, Fault why) {
    if (shorter < count) *this = {shorter, why};
  }
};

enum class IntegerType : std::uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64
};

// An array of integers of any type that are to lie in 0 ... limit - 1.
class Integers {
 public:
  Integers(IntegerType type, StridedWalk walk, std::int64_t limit, bool clamp)
      : type_(type),
        walk_(std::move(walk)),
        limit_(static_cast<std::uint32_t>(limit)),
        clamp_(clamp) {}

  // Reads the next `count`, each once, and tells how many come before the first that is not in
  // range.
  std::size_t read(std::size_t count, std::uint32_t* to) {
    return cpu_has_avx2() ? read_for_avx2(count, to) : read_for_any(count, to);
  }

 private:
  TORCHAC_INLINE std::size_t read_for_any(std::size_t count, std::uint32_t* to) {
    for (std::size_t done = 0; done < count;) {
      const std::size_t n = std::min(count - done, static_cast<std::size_t>(walk_.run()));
      read_run(n, to + done);
      walk_.advance(static_cast<std::int64_t>(n));
      done += n;
    }
    prefetch(count);
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, to[i]);
    if (largest < limit_) return count;
    return static_cast<std::size_t>(
        std::find_if(to, to + count, [&](auto x) { return x >= limit_; }) - to);
  }

  TORCHAC_FOR_AVX2 std::size_t read_for_avx2(std::size_t count, std::uint32_t* to) {
    return read_for_any(count, to);
  }

  // Asks memory for the next `count`: of two blocks of a stream others may come between.
  TORCHAC_INLINE void prefetch(std::size_t count) const {
    constexpr std::size_t kInLine = 64 / sizeof(std::int64_t);  // at least, if there are no gaps
    for (std::size_t i = 0; i < count; i += kInLine)
      prefetch_line(walk_.at(), static_cast<std::ptrdiff_t>(i) * walk_.stride());
  }

  TORCHAC_INLINE void read_run(std::size_t n, std::uint32_t* to) const {
    switch (type_) {
      case IntegerType::kInt8:
        return read_as<std::int8_t>(n, to);
      case IntegerType::kInt16:
        return read_as<std::int16_t>(n, to);
      case IntegerType::kInt32:
        return read_as<std::int32_t>(n, to);
      case IntegerType::kInt64:
        return read_as<std::int64_t>(n, to);
      case IntegerType::kUint8:
        return read_as<std::uint8_t>(n, to);
      case IntegerType::kUint16:
        return read_as<std::uint16_t>(n, to);
      case IntegerType::kUint32:
        return read_as<std::uint32_t>(n, to);
      case IntegerType::kUint64:
        return read_as<std::uint64_t>(n, to);
    }
  }

  template <class T>
  TORCHAC_INLINE void read_as(std::size_t n, std::uint32_t* to) const {
    const std::byte* from = walk_.at();
    const std::ptrdiff_t stride = walk_.stride();
    if (clamp_) {
      for (std::size_t i = 0; i < n; ++i, from += stride) to[i] = clamped(load<T>(from));
    } else if (stride == sizeof(T)) {  // a constant, so that the compiler makes vector code
      for (std::size_t i = 0; i < n; ++i, from += sizeof(T)) to[i] = narrow(load<T>(from));
    } else {
      for (std::size_t i = 0; i < n; ++i, from += stride) to[i] = narrow(load<T>(from));
    }
  }

  template <class T>
  [[nodiscard]] std::uint32_t clamped(T value) const {
    if (static_cast<std::uint64_t>(value) < limit_) return static_cast<std::uint32_t>(value);
    return value < 0 ? 0 : limit_ - 1;
  }

  // Leaves what is not in range out of range: a negative number becomes a very large one.
  template <class T>
  [[nodiscard]] static std::uint32_t narrow(T value) {
    if constexpr (sizeof(T) <= sizeof(std::uint32_t)) {
      return static_cast<std::uint32_t>(value);
    } else {
      const auto whole = static_cast<std::uint64_t>(value);
      return whole > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(whole);
    }
  }

  IntegerType type_;
  StridedWalk walk_;
  std::uint32_t limit_;
  bool clamp_;
};

// Rows that symbols share: `count` of them, `stride` bytes apart.
struct TableView {
  const std::byte* first;
  std::int64_t stride;
  std::int64_t count;

  bool operator==(const TableView&) const = default;
};

// The rows of the symbols one after the other: rows of their own, or tables that an index chooses.
class Rows {
 public:
  explicit Rows(StridedWalk walk) : walk_(std::move(walk)) {}
  Rows(TableView tables, Integers index) : tables_(tables), index_(std::move(index)) {}

  [[nodiscard]] const std::optional<TableView>& tables() const { return tables_; }

  // Where each symbol has its own row, if there are no tables.
  [[nodiscard]] const StridedWalk& walk() const { return walk_; }

  // Which table each symbol has, if there are any.
  [[nodiscard]] const std::optional<Integers>& index() const { return index_; }

  // Addresses of the next `count` rows; tells how many come before the first index out of range.
  std::size_t read(std::size_t count, const std::byte** to) {
    return tables_ ? read_tables(count, to) : read_rows(count, to);
  }

 private:
  std::size_t read_rows(std::size_t count, const std::byte** to) {
    for (std::size_t done = 0; done < count;) {
      const std::size_t n = std::min(count - done, static_cast<std::size_t>(walk_.run()));
      const std::byte* row = walk_.at();
      for (std::size_t i = 0; i < n; ++i, row += walk_.stride()) to[done + i] = row;
      walk_.advance(static_cast<std::int64_t>(n));
      done += n;
    }
    return count;
  }

  std::size_t read_tables(std::size_t count, const std::byte** to) {
    std::array<std::uint32_t, kBlock> index;
    const std::size_t good = index_->read(count, index.data());
    for (std::size_t i = 0; i < good; ++i)
      to[i] = tables_->first + static_cast<std::ptrdiff_t>(index[i]) * tables_->stride;
    return good;
  }

  StridedWalk walk_{nullptr, {}};
  std::optional<TableView> tables_;
  std::optional<Integers> index_;
};

}  // namespace torchac
