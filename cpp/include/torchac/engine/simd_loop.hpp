// SIMD across streams: one stream in each lane, so that each instruction codes a symbol of all
// streams. Only symbols with lookup tables are coded this way: symbols with their own rows are
// bound by memory bandwidth, and would gain nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "torchac/bits/reader.hpp"
#include "torchac/bits/writer.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/encoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/models/lut_layout.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/load.hpp"
#include "torchac/support/simd_words.hpp"
#include "torchac/support/target.hpp"
#include "torchac/support/word.hpp"

namespace torchac {

// Streams come in vectors of four words. There are up to three vectors, because the processor works
// on one while it waits for the others.
inline constexpr std::size_t kMaxSimdStreams = 12;

// The size of a strip: the most symbols of each stream that are coded before any other work. All
// data of a strip fits the L1 cache.
inline constexpr std::size_t kStrip = 64;

// The symbols of a strip, of each stream.
template <std::size_t kStreams>
using SymbolStrips = std::array<std::array<std::uint32_t, kStrip>, kStreams>;

// The two loops for kStreams streams, compiled for an instruction set.
template <std::size_t kStreams>
struct SimdLoop {
  // Encodes `count` symbols of each stream, at most kStrip. The packed intervals must be codable,
  // and the encoders must have room.
  void (*encode)(const std::array<const std::uint32_t*, kStreams>& intervals, std::size_t count,
                 std::array<Encoder, kStreams>& encoders);

  // Decodes `count` symbols of each stream, at most kStrip, with the tables at those LutLocators.
  // False if a stream ends or contradicts a table; decoders and symbols are then unusable.
  bool (*decode)(const std::byte* tables,
                 const std::array<const std::uint32_t*, kStreams>& locators, std::size_t count,
                 std::array<Decoder, kStreams>& decoders, SymbolStrips<kStreams>& symbols);
};

struct SimdLoops {
  std::tuple<SimdLoop<4>, SimdLoop<8>, SimdLoop<12>> loops;

  template <std::size_t kStreams>
  [[nodiscard]] const SimdLoop<kStreams>& get() const {
    return std::get<SimdLoop<kStreams>>(loops);
  }
};

}  // namespace torchac

#ifdef TORCHAC_HAS_X86_SIMD

TORCHAC_BEGIN_TARGET

// A number for each stream, for each symbol of a strip.
template <std::size_t kStreams>
using LaneStrip = std::array<std::array<std::uint32_t, kStreams>, kStrip>;

using Tile = std::array<Vec4<std::uint32_t>, kVec4>;

// Transposes a 4x4 tile by interleaving its halves twice.
TORCHAC_INLINE void transpose(Tile& rows) {
  TORCHAC_UNROLL
  for (int round = 0; round < 2; ++round) {
    const Tile old = rows;
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kVec4 / 2; ++k) {
      rows[2 * k] = shuffled<0, 4, 1, 5>(old[k], old[k + kVec4 / 2]);
      rows[2 * k + 1] = shuffled<2, 6, 3, 7>(old[k], old[k + kVec4 / 2]);
    }
  }
}

// Copies `count` numbers, but at most four.
TORCHAC_INLINE void copy4(void* to, const void* from, std::size_t count) {
  if (count >= kVec4) {
    std::memcpy(to, from, kVec4 * sizeof(std::uint32_t));  // one instruction
  } else {
    std::memcpy(to, from, count * sizeof(std::uint32_t));
  }
}

// Interleaves `count` numbers of each stream.
template <std::size_t kStreams>
TORCHAC_INLINE void to_lanes(const std::array<const std::uint32_t*, kStreams>& from,
                             std::size_t count, LaneStrip<kStreams>& to) {
  for (std::size_t first = 0; first < kStreams; first += kVec4) {
    for (std::size_t i = 0; i < count; i += kVec4) {
      Tile tile{};
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kVec4; ++k) copy4(&tile[k], from[first + k] + i, count - i);
      transpose(tile);
      TORCHAC_UNROLL
      for (std::size_t j = 0; j < kVec4; ++j) copy4(&to[i + j][first], &tile[j], kVec4);
    }
  }
}

// Undoes `to_lanes`. Numbers after the first `count` are meaningless.
template <std::size_t kStreams>
TORCHAC_INLINE void from_lanes(const LaneStrip<kStreams>& from, std::size_t count,
                               SymbolStrips<kStreams>& to) {
  for (std::size_t first = 0; first < kStreams; first += kVec4) {
    for (std::size_t i = 0; i < count; i += kVec4) {
      Tile tile;
      TORCHAC_UNROLL
      for (std::size_t j = 0; j < kVec4; ++j) copy4(&tile[j], &from[i + j][first], kVec4);
      transpose(tile);
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kVec4; ++k) copy4(&to[first + k][i], &tile[k], kVec4);
    }
  }
}

// Implements SimdLoop::encode.
template <std::size_t kStreams>
void encode_strip(const std::array<const std::uint32_t*, kStreams>& packed_intervals,
                  std::size_t count, std::array<Encoder, kStreams>& encoders) {
  using Word = Words<kStreams>;
  LaneStrip<kStreams> intervals;
  to_lanes(packed_intervals, count, intervals);

  // The bits that two symbols shift out of the state are written to a stream together. Until then
  // they are in a word with their number.
  constexpr std::uint32_t kNumberBits = 6;
  static_assert(2 * kMaxShift < (1u << kNumberBits) && 2 * kMaxShift <= BitWriter::kMaxAppend);
  static_assert(kNumberBits + 2 * kMaxShift + 1 <= 64);
  std::array<std::array<std::uint64_t, kStreams>, (kStrip + 1) / 2> shifted;

  EncoderState<Word> state{words_of<kStreams>([&](auto k) { return encoders[k].state.low; }),
                           words_of<kStreams>([&](auto k) { return encoders[k].state.range; })};
  for (std::size_t i = 0; i < count; i += 2) {
    const auto first = load_words<kStreams>(intervals[i].data());
    Word number = state.narrow(packed_low(first), packed_high(first));
    Word bits = state.take_out();
    if (i + 1 < count) {
      const auto second = load_words<kStreams>(intervals[i + 1].data());
      const Word more = state.narrow(packed_low(second), packed_high(second));
      bits = (bits << more) + state.take_out();
      number += more;
    }
    store_words(bits << kNumberBits | number, shifted[i / 2].data());
  }
  const auto lows = to_array(state.low);
  const auto ranges = to_array(state.range);
  for (std::size_t k = 0; k < kStreams; ++k) encoders[k].state = {lows[k], ranges[k]};
  // The symbols at a time, limited by the number of registers.
  constexpr std::size_t kAtOnce = 2;
  for (std::size_t first = 0; first < kStreams; first += kAtOnce) {
    std::array<BitWriter, kAtOnce> writers;
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kAtOnce; ++k) writers[k] = encoders[first + k].writer;
    for (std::size_t i = 0; i < count; i += 2) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kAtOnce; ++k) {
        const std::uint64_t bits = shifted[i / 2][first + k];
        writers[k].append(bits >> kNumberBits, bits & ((1u << kNumberBits) - 1));
      }
    }
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kAtOnce; ++k) encoders[first + k].writer = writers[k];
  }
}

// Replaces entries that miss.
template <std::size_t kStreams>
TORCHAC_INLINE LutEntry<Words<kStreams>> find_slow(
    const std::byte* tables, const std::array<std::uint32_t, kStreams>& locators,
    const LutEntry<Words<kStreams>>& entries, const Words<kStreams>& all_quantiles) {
  const auto misses = to_array(entries.is_miss(all_quantiles));
  const auto quantiles = to_array(all_quantiles);
  auto found = to_array(entries.bits());
  for (std::size_t k = 0; k < kStreams; ++k) {
    if (misses[k] != 0)
      found[k] = LutLayout::find_slow(tables, locators[k], found[k], quantiles[k]).bits();
  }
  return LutEntry(load_words<kStreams>(found.data()));
}

// Implements SimdLoop::decode.
template <std::size_t kStreams>
bool decode_strip(const std::byte* tables,
                  const std::array<const std::uint32_t*, kStreams>& of_streams, std::size_t count,
                  std::array<Decoder, kStreams>& decoders, SymbolStrips<kStreams>& to) {
  using Word = Words<kStreams>;
  LaneStrip<kStreams> locators;
  to_lanes(of_streams, count, locators);
  LaneStrip<kStreams> symbols;

  auto state =
      DecoderState<Word>::at(words_of<kStreams>([&](auto k) { return decoders[k].state.low; }),
                             words_of<kStreams>([&](auto k) { return decoders[k].state.range; }),
                             words_of<kStreams>([&](auto k) { return decoders[k].state.offset; }));
  Word contradicted{};
  for (std::size_t i = 0; i < count;) {
    // The number of symbols whose bits are read at once.
    constexpr std::size_t kRead = BitReader::kPeekBits / kMaxShift;
    auto next = words_of<kStreams>([&](auto k) { return decoders[k].reader.peek(); });
    Word moved{};
    for (const std::size_t end = std::min(i + kRead, count); i < end; ++i) {
      const Word quantile = state.quantile();
      const LutLocator locator(load_words<kStreams>(locators[i].data()));
      LutEntry entry(load_words(tables, locator.entry(quantile)));
      if (any_above_half(entry.is_miss(quantile))) [[unlikely]]
        entry = find_slow(tables, locators[i], entry, quantile);
      const Word second = entry.second_mask(quantile);
      const Word low_part = scale(state.range, entry.low(second));
      const Word high_part = scale(state.range, entry.high(second));
      contradicted |= state.offset - low_part;
      const Word shift = state.narrow(low_part, high_part, next);
      next <<= shift;
      moved += shift;
      store_words(entry.symbol(second), symbols[i].data());
    }
    const auto skipped = to_array(moved);
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kStreams; ++k) decoders[k].reader.skip(skipped[k]);
  }
  const auto lows = to_array(state.low);
  const auto ranges = to_array(state.range);
  const auto codes = to_array(state.offset);
  bool truncated = false;
  for (std::size_t k = 0; k < kStreams; ++k) {
    decoders[k].state = DecoderState<std::uint64_t>::at(lows[k], ranges[k], codes[k]);
    truncated |= decoders[k].truncated();
  }
  if (truncated || any_above_half(contradicted)) return false;
  from_lanes(symbols, count, to);
  return true;
}

inline constexpr SimdLoops kSimdLoops{{{encode_strip<4>, decode_strip<4>},
                                       {encode_strip<8>, decode_strip<8>},
                                       {encode_strip<12>, decode_strip<12>}}};

TORCHAC_END_TARGET

#endif
