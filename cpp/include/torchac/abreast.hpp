// Streams abreast: each in its own place of vector registers, so that one instruction codes a
// symbol of each. For symbols that have shared tables; rows of their own keep the memory busy as it
// is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/input.hpp"
#include "torchac/interval.hpp"
#include "torchac/output.hpp"
#include "torchac/range.hpp"
#include "torchac/strided.hpp"
#include "torchac/tables.hpp"
#include "torchac/words.hpp"

namespace torchac {

// As many streams as words in a register of AVX-512, or in two of AVX2.
inline constexpr std::size_t kAbreast = 8;

// The most symbols of each stream that are coded before anything else is looked at: as many as
// leave all that is needed for them in the fastest cache.
inline constexpr std::size_t kStretch = 96;

// Something of each stream, or of each symbol and stream.
template <class T>
using Each = std::array<T, kAbreast>;
template <class T>
using Stretch = std::array<Each<T>, kStretch>;

#ifdef TORCHAC_HAS_VECTORS

template <class T>
using Square = Each<Vector<T, kAbreast>>;

// Makes columns of the rows. In each of three rounds, what is in the upper half of the rows comes
// between what is in the lower half.
template <class T>
TORCHAC_INLINE void transpose(Square<T>& rows) {
  TORCHAC_UNROLL
  for (int round = 0; round < 3; ++round) {
    const Square<T> old = rows;
    TORCHAC_UNROLL
    for (std::size_t k = 0; k < kAbreast / 2; ++k) {
      const Vector<T, kAbreast> a = old[k];
      const Vector<T, kAbreast> b = old[k + kAbreast / 2];
      rows[2 * k] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
      rows[2 * k + 1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
    }
  }
}

// Copies all of a row, or less where there is less.
template <class T>
TORCHAC_INLINE void copy_row(void* to, const void* from, std::size_t count) {
  if (count >= kAbreast) {
    std::memcpy(to, from, kAbreast * sizeof(T));  // one instruction
  } else {
    std::memcpy(to, from, count * sizeof(T));
  }
}

// Brings `count` numbers of each stream side by side.
template <class T>
TORCHAC_INLINE void interleave(const Each<const T*>& from, std::size_t count, Stretch<T>& to) {
  for (std::size_t i = 0; i < count; i += kAbreast) {
    Square<T> square{};
    for (std::size_t k = 0; k < kAbreast; ++k) copy_row<T>(&square[k], from[k] + i, count - i);
    transpose<T>(square);
    std::memcpy(&to[i], &square, sizeof square);
  }
}

// The other way round.
template <class T>
TORCHAC_INLINE void separate(const Stretch<T>& from, std::size_t count, const Each<T*>& to) {
  for (std::size_t i = 0; i < count; i += kAbreast) {
    Square<T> square;
    std::memcpy(&square, &from[i], sizeof square);
    transpose<T>(square);
    for (std::size_t k = 0; k < kAbreast; ++k) copy_row<T>(to[k] + i, &square[k], count - i);
  }
}

// Encodes `count` symbols of each stream, at most kStretch. The intervals must be codable, and the
// encoders have room.
template <std::size_t kWidth>
TORCHAC_INLINE void encode_stretch(const Each<const std::uint32_t*>& packed_intervals,
                                   std::size_t count, Each<Encoder>& encoders) {
  using Word = Vector<std::uint64_t, kWidth>;
  Stretch<std::uint32_t> intervals;
  interleave(packed_intervals, count, intervals);

  // The bits that two symbols move out of the window go to a stream together, and until then lie in
  // a word with their number.
  constexpr std::uint32_t kNumberBits = 6;
  static_assert(2 * kMaxDoublings < (1u << kNumberBits) && 2 * kMaxDoublings <= Output::kMost);
  static_assert(kNumberBits + 2 * kMaxDoublings + 1 <= 64);
  std::array<Each<std::uint64_t>, (kStretch + 1) / 2> moved;

  std::array<EncoderRange<Word>, kAbreast / kWidth> ranges;
  for (std::size_t k = 0; k < kAbreast; ++k) {
    ranges[k / kWidth].low[k % kWidth] = encoders[k].range.low;
    ranges[k / kWidth].span[k % kWidth] = encoders[k].range.span;
  }
  for (std::size_t i = 0; i < count; i += 2) {
    TORCHAC_UNROLL
    for (std::size_t g = 0; g < ranges.size(); ++g) {
      EncoderRange<Word>& range = ranges[g];
      const auto narrow = [&](std::size_t symbol) {
        const auto packed = load_words<Word>(&intervals[symbol][g * kWidth]);
        return range.narrow(packed_low(packed), packed_high(packed));
      };
      Word number = narrow(i);
      Word bits = range.take_out();
      if (i + 1 < count) {
        const Word more = narrow(i + 1);
        bits = (bits << more) + range.take_out();
        number += more;
      }
      store_words(bits << kNumberBits | number, &moved[i / 2][g * kWidth]);
    }
  }
  for (std::size_t k = 0; k < kAbreast; ++k) {
    const EncoderRange<Word>& range = ranges[k / kWidth];
    encoders[k].range = {range.low[k % kWidth], range.span[k % kWidth]};
    Output output = encoders[k].output;
    for (std::size_t i = 0; i < count; i += 2) {
      const std::uint64_t bits = moved[i / 2][k];
      output.append(bits >> kNumberBits, bits & ((1u << kNumberBits) - 1));
    }
    encoders[k].output = output;
  }
}

// Replaces entries that do not settle it.
template <class Word>
TORCHAC_INLINE TableEntry<Word> find_beyond(const TableFormat& format, const std::byte* tables,
                                            Word places, TableEntry<Word> entries, Word beyond,
                                            Word quantiles) {
  Word found = entries.bits();
  for (std::size_t k = 0; k < kWidth<Word>; ++k) {
    if (beyond[k] == 0) continue;
    const TableEntry<std::uint64_t> entry(found[k]);
    found[k] = format.find_beyond(tables + places[k], entry, quantiles[k]).bits();
  }
  return TableEntry(found);
}

// Decodes `count` symbols of each stream, at most kStretch, each with the table at its place. False
// if a stream ends or contradicts a table; decoders and symbols are of no use then.
template <std::size_t kWidth>
TORCHAC_INLINE bool decode_stretch(const TableFormat& format, const std::byte* tables,
                                   const Each<const std::uint32_t*>& table_places,
                                   std::size_t count, Each<Decoder>& decoders,
                                   const Each<std::int16_t*>& to) {
  using Word = Vector<std::uint64_t, kWidth>;
  constexpr std::size_t kGroups = kAbreast / kWidth;
  Stretch<std::uint32_t> places;
  interleave(table_places, count, places);
  Stretch<std::int16_t> symbols;

  std::array<DecoderRange<Word>, kGroups> ranges;
  for (std::size_t k = 0; k < kAbreast; ++k) {
    ranges[k / kWidth].low[k % kWidth] = decoders[k].range.low;
    ranges[k / kWidth].span[k % kWidth] = decoders[k].range.span;
    ranges[k / kWidth].offset[k % kWidth] = decoders[k].range.offset;
    ranges[k / kWidth].width[k % kWidth] = decoders[k].range.width;
    ranges[k / kWidth].shift[k % kWidth] = decoders[k].range.shift;
  }
  Word contradicted{};
  for (std::size_t i = 0; i < count;) {
    // So many symbols' bits are read at once.
    constexpr std::size_t kRead = Input::kShown / kMaxDoublings;
    Each<std::uint64_t> shown;
    for (std::size_t k = 0; k < kAbreast; ++k) shown[k] = decoders[k].input.peek();
    std::array<Word, kGroups> next;
    std::array<Word, kGroups> moved{};
    for (std::size_t g = 0; g < kGroups; ++g) next[g] = load_words<Word>(&shown[g * kWidth]);
    for (const std::size_t end = std::min(i + kRead, count); i < end; ++i) {
      TORCHAC_UNROLL
      for (std::size_t g = 0; g < kGroups; ++g) {
        DecoderRange<Word>& range = ranges[g];
        const Word quantile = range.quantile();
        const Word place = load_words<Word>(&places[i][g * kWidth]) * Tables::kPlace;
        const Word offset = place + format.entry_offset(quantile);
        TableEntry entry(make_words<Word>(
            [&](std::size_t k) { return load<std::uint64_t>(tables + offset[k]); }));
        const Word beyond = entry.is_beyond(quantile);
        if (any(beyond)) [[unlikely]]
          entry = find_beyond(format, tables, place, entry, beyond, quantile);
        const Word is_next = entry.is_next(quantile);
        const Word low_part = scale(range.span, entry.low(is_next));
        const Word high_part = scale(range.span, entry.high(is_next));
        contradicted |= is_greater(low_part, range.offset);
        const Word shift = range.narrow(low_part, high_part, next[g]);
        next[g] <<= shift;
        moved[g] += shift;
        store_words(entry.symbol(is_next), &symbols[i][g * kWidth]);
      }
    }
    for (std::size_t k = 0; k < kAbreast; ++k)
      decoders[k].input.skip(moved[k / kWidth][k % kWidth]);
  }
  bool truncated = false;
  for (std::size_t k = 0; k < kAbreast; ++k) {
    const DecoderRange<Word>& range = ranges[k / kWidth];
    const std::size_t at = k % kWidth;
    decoders[k].range = {range.low[at], range.span[at], range.offset[at], range.width[at],
                         range.shift[at]};
    truncated |= decoders[k].truncated();
  }
  if (truncated || any(contradicted)) return false;
  separate(symbols, count, to);
  return true;
}

TORCHAC_FOR_AVX2 inline void encode_avx2(const Each<const std::uint32_t*>& intervals,
                                         std::size_t count, Each<Encoder>& encoders) {
  encode_stretch<4>(intervals, count, encoders);
}

TORCHAC_FOR_AVX512 inline void encode_avx512(const Each<const std::uint32_t*>& intervals,
                                             std::size_t count, Each<Encoder>& encoders) {
  encode_stretch<8>(intervals, count, encoders);
}

TORCHAC_FOR_AVX2 inline bool decode_avx2(const TableFormat& format, const std::byte* tables,
                                         const Each<const std::uint32_t*>& places,
                                         std::size_t count, Each<Decoder>& decoders,
                                         const Each<std::int16_t*>& symbols) {
  return decode_stretch<4>(format, tables, places, count, decoders, symbols);
}

TORCHAC_FOR_AVX512 inline bool decode_avx512(const TableFormat& format, const std::byte* tables,
                                             const Each<const std::uint32_t*>& places,
                                             std::size_t count, Each<Decoder>& decoders,
                                             const Each<std::int16_t*>& symbols) {
  return decode_stretch<8>(format, tables, places, count, decoders, symbols);
}

#endif

// The two functions for this processor.
struct Abreast {
  void (*encode)(const Each<const std::uint32_t*>& packed_intervals, std::size_t count,
                 Each<Encoder>& encoders);
  bool (*decode)(const TableFormat& format, const std::byte* tables,
                 const Each<const std::uint32_t*>& table_places, std::size_t count,
                 Each<Decoder>& decoders, const Each<std::int16_t*>& symbols);
};

// Nothing, where the processor or the compiler has no vectors that make it worth while.
inline std::optional<Abreast> abreast() {
#ifdef TORCHAC_HAS_VECTORS
  if (cpu_has_avx512()) return Abreast{encode_avx512, decode_avx512};
  if (cpu_has_avx2()) return Abreast{encode_avx2, decode_avx2};
#endif
  return std::nullopt;
}

}  // namespace torchac
