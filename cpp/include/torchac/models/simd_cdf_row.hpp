// A stored row as a model, searched by SIMD if it is monotone, else linearly.
#pragma once

#include <cstddef>
#include <cstdint>

#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/error.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/models/cdf_row.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_HAS_SIMD

TORCHAC_BEGIN_TARGET

template <SimdSearch Search>
class SimdCdfRow {
 public:
  using Cdf = CdfRow<typename Search::Value>;
  using Locator = typename Cdf::Locator;

  // Whether this search supports rows of a layout.
  [[nodiscard]] static bool fits(const CdfLayout& cdf) {
    return Cdf(cdf).contiguous() && Search::fits(cdf.symbols);
  }

  SimdCdfRow() = default;
  explicit SimdCdfRow(const CdfLayout& cdf) : cdf_(cdf), search_(cdf_.value(), cdf.symbols) {
    if (!prefetches_rows()) return;
    constexpr std::ptrdiff_t kValue = sizeof(typename Search::Stored);
    prefetched_ = (std::ptrdiff_t{cdf.symbols} + 1) * kValue;
    ahead_ = kRowsAhead * prefetched_;
  }

  [[nodiscard]] Fault why_not_codable(const std::byte* row, std::uint32_t symbol) const {
    return cdf_.why_not_codable(row, symbol);
  }

  [[nodiscard]] TORCHAC_INLINE Target target(const DecoderState<std::uint64_t>& state) const {
    return Target::of<kHasFma>(state);
  }

  [[nodiscard]] TORCHAC_INLINE Found find(const std::byte* row, const Target& target) const {
    prefetch_bytes(row, ahead_, prefetched_);
    const auto samples = search_.sample(row);
    if (!search_.is_monotone(row)) [[unlikely]]
      return find_linear(cdf_, row, target);
    return search_.find(row, samples, target);
  }

 private:
  static constexpr std::ptrdiff_t kPage = 4096;  // bytes in the smallest page of memory
  static constexpr std::ptrdiff_t kRowsAhead = 6;

  [[nodiscard]] TORCHAC_NOINLINE static Found find_linear(Cdf cdf, const std::byte* row,
                                                          Target target) {
    return cdf.find(row, target);
  }

  // The bytes to prefetch for each row, and their distance from its beginning. A processor
  // prefetches consecutive rows itself, but stops at the end of a page; some need it for all rows.
  std::ptrdiff_t prefetched_ = 1;
  std::ptrdiff_t ahead_ = kPage;
  Cdf cdf_;
  Search search_;
};

TORCHAC_END_TARGET

#endif
