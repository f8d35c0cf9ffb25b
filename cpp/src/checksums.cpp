// Adds encoded values to checksums.
#include "torchac/engine/checksums.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/models/cdf_layout.hpp"

namespace torchac {
namespace {

// Adds the numbers that `read(count, to)` reads to checksums, equally many to each. A block is for
// several, if they fit.
template <class Read>
void add(std::int64_t count, std::span<Checksum> to, const Read& read) {
  const auto each = static_cast<std::size_t>(count) / std::max<std::size_t>(to.size(), 1);
  if (each == 0) return;
  const std::size_t together = std::max<std::size_t>(kBlock / each, 1);
  std::array<std::uint32_t, kBlock> block;
  for (std::size_t done = 0; done < to.size(); done += together) {
    const auto part = to.subspan(done, std::min(together, to.size() - done));
    for (std::size_t left = each * part.size(); left > 0;) {
      const std::size_t n = std::min(left, kBlock);
      const std::size_t own = std::min(n, each);
      read(n, block.data());
      for (std::size_t k = 0; k < n / own; ++k)
        part[k].add(std::span<const std::uint32_t>(block).subspan(k * own, own));
      left -= n;
    }
  }
}

}  // namespace

void add_symbols(Numbers symbols, bool clamp, std::int64_t count, std::uint32_t most,
                 std::span<Checksum> to) {
  add(count, to, [&](std::size_t n, std::uint32_t* block) {
    read_integers(symbols, n, block, clamp);
    for (std::size_t i = 0; i < n; ++i) block[i] = std::min(block[i], most);
  });
}

void add_values(Numbers values, std::int64_t count, std::span<Checksum> to) {
  add(count, to, [&](std::size_t n, std::uint32_t* block) {
    std::array<std::int32_t, kBlock> integers;
    (void)read_values(values, n, integers.data());
    std::copy_n(integers.begin(), n, block);
  });
}

void add_values_of(const EncodeJob& job, std::span<Checksum> to) {
  if (const auto* cdf = std::get_if<CdfRows>(&job.model)) {
    add_symbols(job.values, cdf->clamp, job.count, cdf->layout.symbols - 1, to);
  } else {
    add_values(job.values, job.count, to);
  }
}

}  // namespace torchac
