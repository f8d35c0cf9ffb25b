// Where the decoder looks for its symbols, block by block: in rows, each symbol its own, or in
// shared tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"
#include "torchac/windows.hpp"

namespace torchac {

template <class AnyFormat>
class RowSearch {
 public:
  static constexpr bool kGoesAbreast = false;
  using Format = AnyFormat;

  RowSearch(const Format& format, Rows rows) : format_(&format), rows_(std::move(rows)) {}

  [[nodiscard]] Readable read(std::size_t count) {
    return {rows_.read(count, block_.data()), {Problem::kIndex}};
  }

  // As RowIntervals::View.
  struct View {
    Format format{};
    const std::byte* const* rows = nullptr;

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderRange<std::uint64_t>& range) const {
      return format.target(range);
    }

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return format.find(rows[i], target);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {format(), rows(first)};
  }

  // Why a target cannot lie in the symbol that was found for it.
  [[nodiscard]] Fault why_contradicted(std::size_t i, std::uint32_t symbol) const {
    const Fault fault = format().why_not_codable(*rows(i), symbol);
    return fault.problem == Problem::kNotFinite ? fault : Fault{Problem::kContradicted};
  }

 protected:
  [[nodiscard]] const Format& format() const { return *format_; }

  // Of the block, from one of its symbols on.
  [[nodiscard]] const std::byte* const* rows(std::size_t first) const { return &block_[first]; }

 private:
  const Format* format_;
  Rows rows_;
  std::array<const std::byte*, kBlock> block_;
};

#ifdef TORCHAC_HAS_VECTORS

// Bytes in the smallest page of memory.
inline constexpr std::ptrdiff_t kPage = 4096;

// The same for rows that Windows, or OneWindow, are for, which are quicker.
template <class Windows>
class WindowSearch : public RowSearch<RowFormat<typename Windows::Value>> {
 public:
  using Format = RowFormat<typename Windows::Value>;

  // Whether it can be used.
  [[nodiscard]] static bool fits(const Format& format) {
    return cpu_has_avx2() && format.contiguous() && Windows::fit(format.symbols());
  }

  WindowSearch(const Format& format, Rows rows)
      : RowSearch<Format>(format, std::move(rows)), windows_(format.value(), format.symbols()) {}

  struct View {
    Windows windows;
    const Format* format = nullptr;
    const std::byte* const* rows = nullptr;

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderRange<std::uint64_t>& range) const {
      return Target::fused(range);
    }

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      // A processor follows rows in order by itself, but stops at the end of a page.
      prefetch_line<2>(rows[i], kPage);
      const auto samples = windows.sample(rows[i]);
      if (!windows.rises(rows[i])) [[unlikely]]
        return format->find_apart(rows[i], target);
      return windows.find(rows[i], samples, target);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {windows_, &this->format(), this->rows(first)};
  }

 private:
  Windows windows_;
};

#endif

class TableSearch {
 public:
  static constexpr bool kGoesAbreast = true;

  TableSearch(const Tables& tables, Integers index) : tables_(&tables), index_(std::move(index)) {}

  [[nodiscard]] Readable read(std::size_t count) {
    const Readable readable = {index_.read(count, block_.data()), {Problem::kIndex}};
    const std::uint32_t size = tables_->size();
    for (std::size_t i = 0; i < readable.count; ++i) block_[i] *= size;
    return readable;
  }

  struct View {
    TableFormat format;
    const std::byte* tables = nullptr;
    const std::uint32_t* places = nullptr;

    [[nodiscard]] TORCHAC_INLINE Target target(const DecoderRange<std::uint64_t>& range) const {
      return Target(range);
    }

    [[nodiscard]] TORCHAC_INLINE Found find(std::size_t i, const Target& target) const {
      return format.find(tables + std::size_t{places[i]} * Tables::kPlace, target);
    }
  };

  [[nodiscard]] TORCHAC_INLINE View view(std::size_t first) const {
    return {tables_->format(), tables_->data(), &block_[first]};
  }

  [[nodiscard]] Fault why_contradicted(std::size_t, std::uint32_t) const {
    return {Problem::kContradicted};
  }

 private:
  const Tables* tables_;
  Integers index_;
  std::array<std::uint32_t, kBlock> block_;
};

}  // namespace torchac
