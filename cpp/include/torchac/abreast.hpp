// Streams abreast: each in its own place of vector registers, so that one instruction codes a
// symbol of each. For symbols that have shared tables; rows of their own keep the memory busy as it
// is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/input.hpp"
#include "torchac/interval.hpp"
#include "torchac/output.hpp"
#include "torchac/range.hpp"
#include "torchac/strided.hpp"
#include "torchac/tables.hpp"
#include "torchac/vectors.hpp"
#include "torchac/words.hpp"

namespace torchac {

// Streams go abreast in groups, each as many as a register of AVX2 holds words: up to three groups,
// whose registers a processor works on while it waits for the others'.
inline constexpr std::size_t kMostAbreast = 3 * kGroup;

// The most symbols of each stream that are coded before anything else is looked at: as many as
// leave all that is needed for them in the fastest cache.
inline constexpr std::size_t kStretch = 64;

// Something of each symbol and stream.
template <class T, std::size_t kStreams>
using Stretch = std::array<std::array<T, kStreams>, kStretch>;

#ifdef TORCHAC_HAS_VECTORS

template <class T>
using Square = std::array<Group<T>, kGroup>;

// Makes columns of the rows. Twice, what is in the upper half of the rows comes between what is in
// the lower half.
template <class T>
TORCHAC_INLINE void transpose(Square<T>& rows) {
  TORCHAC_UNROLL
  for (int round = 0; round < 2; ++round) {
    const Square<T> old = rows;
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kGroup / 2; ++k) {
      const Group<T> a = old[k];
      const Group<T> b = old[k + kGroup / 2];
      rows[2 * k] = shuffled<0, 4, 1, 5>(a, b);
      rows[2 * k + 1] = shuffled<2, 6, 3, 7>(a, b);
    }
  }
}

// Copies a group of numbers, or less where there is less.
template <class T>
TORCHAC_INLINE void copy_group(void* to, const void* from, std::size_t count) {
  if (count >= kGroup) {
    std::memcpy(to, from, kGroup * sizeof(T));  // one instruction
  } else {
    std::memcpy(to, from, count * sizeof(T));
  }
}

// Brings `count` numbers of each stream side by side.
template <class T, std::size_t kStreams>
TORCHAC_INLINE void interleave(const std::array<const T*, kStreams>& from, std::size_t count,
                               Stretch<T, kStreams>& to) {
  for (std::size_t first = 0; first < kStreams; first += kGroup) {
    for (std::size_t i = 0; i < count; i += kGroup) {
      Square<T> square{};
      for (std::size_t k = 0; k < kGroup; ++k)
        copy_group<T>(&square[k], from[first + k] + i, count - i);
      transpose<T>(square);
      for (std::size_t j = 0; j < kGroup; ++j) copy_group<T>(&to[i + j][first], &square[j], kGroup);
    }
  }
}

// The other way round.
template <class T, std::size_t kStreams>
TORCHAC_INLINE void separate(const Stretch<T, kStreams>& from, std::size_t count,
                             const std::array<T*, kStreams>& to) {
  for (std::size_t first = 0; first < kStreams; first += kGroup) {
    for (std::size_t i = 0; i < count; i += kGroup) {
      Square<T> square;
      for (std::size_t j = 0; j < kGroup; ++j)
        copy_group<T>(&square[j], &from[i + j][first], kGroup);
      transpose<T>(square);
      for (std::size_t k = 0; k < kGroup; ++k)
        copy_group<T>(to[first + k] + i, &square[k], count - i);
    }
  }
}

// Encodes `count` symbols of each stream, at most kStretch. The intervals must be codable, and the
// encoders have room.
template <std::size_t kStreams>
TORCHAC_INLINE void encode_stretch(
    const std::array<const std::uint32_t*, kStreams>& packed_intervals, std::size_t count,
    std::array<Encoder, kStreams>& encoders) {
  using Word = Words<kStreams>;
  Stretch<std::uint32_t, kStreams> intervals;
  interleave(packed_intervals, count, intervals);

  // The bits that two symbols move out of the window go to a stream together, and until then lie in
  // a word with their number.
  constexpr std::uint32_t kNumberBits = 6;
  static_assert(2 * kMaxDoublings < (1u << kNumberBits) && 2 * kMaxDoublings <= Output::kMost);
  static_assert(kNumberBits + 2 * kMaxDoublings + 1 <= 64);
  std::array<std::array<std::uint64_t, kStreams>, (kStretch + 1) / 2> moved;

  EncoderRange<Word> range{words_of<kStreams>([&](auto k) { return encoders[k].range.low; }),
                           words_of<kStreams>([&](auto k) { return encoders[k].range.span; })};
  for (std::size_t i = 0; i < count; i += 2) {
    const auto first = load_words<kStreams>(intervals[i].data());
    Word number = range.narrow(packed_low(first), packed_high(first));
    Word bits = range.take_out();
    if (i + 1 < count) {
      const auto second = load_words<kStreams>(intervals[i + 1].data());
      const Word more = range.narrow(packed_low(second), packed_high(second));
      bits = (bits << more) + range.take_out();
      number += more;
    }
    store_words(bits << kNumberBits | number, moved[i / 2].data());
  }
  const auto lows = to_array(range.low);
  const auto spans = to_array(range.span);
  for (std::size_t k = 0; k < kStreams; ++k) encoders[k].range = {lows[k], spans[k]};
  // As many at a time as there are registers for.
  constexpr std::size_t kAtOnce = 2;
  for (std::size_t first = 0; first < kStreams; first += kAtOnce) {
    std::array<Output, kAtOnce> outputs;
    for (std::size_t k = 0; k < kAtOnce; ++k) outputs[k] = encoders[first + k].output;
    for (std::size_t i = 0; i < count; i += 2) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kAtOnce; ++k) {
        const std::uint64_t bits = moved[i / 2][first + k];
        outputs[k].append(bits >> kNumberBits, bits & ((1u << kNumberBits) - 1));
      }
    }
    for (std::size_t k = 0; k < kAtOnce; ++k) encoders[first + k].output = outputs[k];
  }
}

// The entries, where they do not settle it others that do.
template <std::size_t kStreams>
TORCHAC_INLINE TableEntry<Words<kStreams>> find_beyond(const TableFormat& format,
                                                       const std::byte* tables,
                                                       const Words<kStreams>& table_places,
                                                       TableEntry<Words<kStreams>> entries,
                                                       const Words<kStreams>& all_quantiles) {
  const auto beyond = to_array(entries.beyond(all_quantiles));
  const auto places = to_array(table_places);
  const auto quantiles = to_array(all_quantiles);
  auto found = to_array(entries.bits());
  for (std::size_t k = 0; k < kStreams; ++k) {
    if (beyond[k] == 0) continue;
    const TableEntry<std::uint64_t> entry(found[k]);
    found[k] = TableFormat::find_beyond(format, tables + places[k], entry, quantiles[k]).bits();
  }
  return TableEntry(load_words<kStreams>(found.data()));
}

// Decodes `count` symbols of each stream, at most kStretch, each with the table at its place. False
// if a stream ends or contradicts a table; decoders and symbols are of no use then.
template <std::size_t kStreams>
TORCHAC_INLINE bool decode_stretch(const TableFormat& format, const std::byte* tables,
                                   const std::array<const std::uint32_t*, kStreams>& table_places,
                                   std::size_t count, std::array<Decoder, kStreams>& decoders,
                                   const std::array<std::int16_t*, kStreams>& to) {
  using Word = Words<kStreams>;
  Stretch<std::uint32_t, kStreams> places;
  interleave(table_places, count, places);
  Stretch<std::int16_t, kStreams> symbols;

  auto range =
      DecoderRange<Word>::at(words_of<kStreams>([&](auto k) { return decoders[k].range.low; }),
                             words_of<kStreams>([&](auto k) { return decoders[k].range.span; }),
                             words_of<kStreams>([&](auto k) { return decoders[k].range.offset; }));
  Word contradicted{};
  for (std::size_t i = 0; i < count;) {
    // So many symbols' bits are read at once.
    constexpr std::size_t kRead = Input::kShown / kMaxDoublings;
    auto next = words_of<kStreams>([&](auto k) { return decoders[k].input.peek(); });
    Word moved{};
    for (const std::size_t end = std::min(i + kRead, count); i < end; ++i) {
      const Word quantile = range.quantile();
      const Word place = load_words<kStreams>(places[i].data()) * Tables::kPlace;
      TableEntry entry(load_words(tables, place + format.entry_offset(quantile)));
      if (any_above_half(entry.beyond(quantile))) [[unlikely]]
        entry = find_beyond(format, tables, place, entry, quantile);
      const Word is_next = entry.next(quantile);
      const Word low_part = scale(range.span, entry.low(is_next));
      const Word high_part = scale(range.span, entry.high(is_next));
      contradicted |= range.offset - low_part;
      const Word shift = range.narrow(low_part, high_part, next);
      next <<= shift;
      moved += shift;
      store_words(entry.symbol(is_next), symbols[i].data());
    }
    const auto skipped = to_array(moved);
    for (std::size_t k = 0; k < kStreams; ++k) decoders[k].input.skip(skipped[k]);
  }
  const auto lows = to_array(range.low);
  const auto spans = to_array(range.span);
  const auto offsets = to_array(range.offset);
  bool truncated = false;
  for (std::size_t k = 0; k < kStreams; ++k) {
    decoders[k].range = DecoderRange<std::uint64_t>::at(lows[k], spans[k], offsets[k]);
    truncated |= decoders[k].truncated();
  }
  if (truncated || any_above_half(contradicted)) return false;
  separate(symbols, count, to);
  return true;
}

#endif

// The two functions, for a kind of processor.
template <std::size_t kStreams>
struct Abreast {
  template <class T>
  using Each = std::array<T, kStreams>;

  void (*encode)(const Each<const std::uint32_t*>& packed_intervals, std::size_t count,
                 Each<Encoder>& encoders);
  bool (*decode)(const TableFormat& format, const std::byte* tables,
                 const Each<const std::uint32_t*>& table_places, std::size_t count,
                 Each<Decoder>& decoders, const Each<std::int16_t*>& symbols);

#ifdef TORCHAC_HAS_VECTORS
  static constexpr Abreast for_avx2() { return {encode_avx2, decode_avx2}; }
  static constexpr Abreast for_avx512() { return {encode_avx512, decode_avx512}; }

 private:
  TORCHAC_FOR_AVX2 static void encode_avx2(const Each<const std::uint32_t*>& intervals,
                                           std::size_t count, Each<Encoder>& encoders) {
    encode_stretch<kStreams>(intervals, count, encoders);
  }

  TORCHAC_FOR_AVX512 static void encode_avx512(const Each<const std::uint32_t*>& intervals,
                                               std::size_t count, Each<Encoder>& encoders) {
    encode_stretch<kStreams>(intervals, count, encoders);
  }

  TORCHAC_FOR_AVX2 static bool decode_avx2(const TableFormat& format, const std::byte* tables,
                                           const Each<const std::uint32_t*>& places,
                                           std::size_t count, Each<Decoder>& decoders,
                                           const Each<std::int16_t*>& symbols) {
    return decode_stretch<kStreams>(format, tables, places, count, decoders, symbols);
  }

  TORCHAC_FOR_AVX512 static bool decode_avx512(const TableFormat& format, const std::byte* tables,
                                               const Each<const std::uint32_t*>& places,
                                               std::size_t count, Each<Decoder>& decoders,
                                               const Each<std::int16_t*>& symbols) {
    return decode_stretch<kStreams>(format, tables, places, count, decoders, symbols);
  }
#endif
};

// Whether processor and compiler have vectors that make it worth while.
inline bool can_go_abreast() { return cpu_has_avx2(); }

// For this processor, which must be able to.
template <std::size_t kStreams>
Abreast<kStreams> abreast() {
#ifdef TORCHAC_HAS_VECTORS
  return cpu_has_avx512() ? Abreast<kStreams>::for_avx512() : Abreast<kStreams>::for_avx2();
#else
  return {};
#endif
}

}  // namespace torchac
