// The decoding loop in lanes: one stream in each lane of a vector.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/bits/reader.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/decoder_lanes.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/error.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

#ifdef TORCHAC_TARGET_AVX2

TORCHAC_BEGIN_TARGET

// Distributions in lanes, from blocks of as many streams.
template <class R>
concept RowsInLanes = requires(R rows, const R& prepared, const typename R::Block& block,
                               const std::array<const typename R::Block*, kLanes>& blocks,
                               const std::array<std::size_t, kLanes>& from, std::size_t i,
                               const DecoderLanes& lanes) {
  // Whether the distributions of two blocks can be in lanes together.
  { R::alike(block, block) } -> std::same_as<bool>;
  // Prepares the next i distributions of each block, at most kLaneSteps. False if lanes cannot
  // decode one of them.
  { rows.prepare(blocks, from, i) } -> std::same_as<bool>;
  // The symbols of step i, each with a part of the range that holds the code.
  { prepared.find(i, lanes) } -> std::same_as<FoundLanes>;
};

// Distributions whose symbols stand for values, and may have tails.
template <class R>
concept TailsInLanes = RowsInLanes<R> && requires(const R& rows, std::size_t i) {
  rows.windows(i).of(i);
  rows.bounds(i);
};

// The next bytes of each stream, followed by zeros. Lanes read from these, never from a stream.
class LaneBytes {
 public:
  // A step takes at most the bits of a symbol and of 16 lowest bits. An escape is followed by a
  // new `fill`.
  static constexpr std::size_t kBytes = 64;
  static_assert(7 + kLaneSteps * 2 * kMaxShift + 64 <= kBytes * 8);

  void fill(std::size_t lane, const BitReader& reader) {
    reader.copy_next<kBytes>(&bytes_[lane * kStride]);
    positions_[lane] = static_cast<std::uint32_t>(lane * kStride * 8 + reader.position() % 8);
  }

  [[nodiscard]] TORCHAC_INLINE Words8 positions() const { return load_vec8(positions_.data()); }

  // The next 64 bits of each stream, 57 of them valid: the upper and the lower 32.
  [[nodiscard]] TORCHAC_INLINE PairVec8 peek(const Words8& positions) const {
    return load_bits(bytes_.data(), positions);
  }

 private:
  // A shift is below 64 whatever a state is, so no position leaves a lane's bytes.
  static constexpr std::size_t kStride = 256;

  std::array<std::uint8_t, kLanes * kStride> bytes_{};
  LaneArray<std::uint32_t> positions_;
};

// Eight streams that are being decoded.
template <RowsInLanes Rows>
class LaneGroup {
 public:
  // Begins with `rows`, and the states of `decoders`, which change as well.
  TORCHAC_INLINE LaneGroup(const Rows& rows, LaneArray<Decoder>& decoders, LaneSymbols& symbols)
      : rows_(rows), decoders_(decoders), symbols_(symbols) {
    LaneArray<std::uint32_t> low;
    LaneArray<std::uint32_t> last;
    LaneArray<std::uint32_t> offset;
    for (std::size_t p = 0; p < kLanes; ++p) {
      const DecoderState<std::uint64_t>& state = decoders[p].state;
      low[p] = static_cast<std::uint32_t>(state.low);
      last[p] = static_cast<std::uint32_t>(state.range - 1);
      offset[p] = static_cast<std::uint32_t>(state.offset);
      bytes_.fill(p, decoders[p].reader);
    }
    lanes_ = {load_vec8(low.data()) & INT32_MAX, load_vec8(last.data()), load_vec8(offset.data())};
    positions_ = bytes_.positions();
  }

  // Reads the bits of the next symbols, BitReader::kPeekBits of them.
  TORCHAC_INLINE void peek() { next_ = bytes_.peek(positions_); }

  // Decodes step i. False if a value is outside the bounds, or an escape is invalid.
  [[nodiscard]] TORCHAC_INLINE bool decode(std::size_t i) {
    const FoundLanes found = rows_.find(i, lanes_);
    const Words8 shift = lanes_.narrow(found.low, found.high, next_.first);
    next_.first = next_.first << shift | next_.second >> 1 >> (31 - shift);
    next_.second <<= shift;
    positions_ += shift;
    if constexpr (TailsInLanes<Rows>) {
      const auto& windows = rows_.windows(i);
      const Ints8 escapes = (found.symbol == load_vec8(windows.end_below.data())) |
                            (found.symbol == load_vec8(windows.end_above.data()));
      store_vec8(words(load_vec8(windows.first.data())) + found.symbol, symbols_[i].data());
      if (any_set(escapes | load_vec8(windows.shift.data()))) [[unlikely]]
        return decode_tails(i, found.symbol, escapes);
    } else {
      store_vec8(found.symbol, symbols_[i].data());
    }
    return true;
  }

  // Returns the states to the decoders. False if a stream is truncated.
  [[nodiscard]] TORCHAC_INLINE bool finish() {
    bool truncated = false;
    for (std::size_t p = 0; p < kLanes; ++p) {
      to_decoder(p);
      truncated |= decoders_[p].truncated();
    }
    return !truncated;
  }

 private:
  void to_decoder(std::size_t p) {
    Decoder& decoder = decoders_[p];
    decoder.state = DecoderState<std::uint64_t>::at(
        lanes_.low[p], std::uint64_t{lanes_.last[p]} + 1, lanes_.offset[p]);
    decoder.reader.skip(positions_[p] - bytes_.positions()[p]);
  }

  // Lowest bits are one more step of all lanes: those without do not move. Escapes are decoded one
  // by one.
  TORCHAC_NOINLINE bool decode_tails(std::size_t i, const Words8& symbol, const Ints8& escapes) {
    const auto& windows = rows_.windows(i);
    const Words8 bits = words(load_vec8(windows.shift.data()) & ~escapes);
    const Words8 rest = kPrecision - bits;
    const Words8 number = lanes_.quantiles() >> rest;
    const Words8 high = (number + 1) << rest;
    const Words8 high_part =
        high == kTotalFrequency ? lanes_.last : part_below(lanes_.last, high) - 1;
    positions_ += lanes_.narrow(part_below(lanes_.last, number << rest), high_part,
                                bytes_.peek(positions_).first);
    Ints8 value = ints(((words(load_vec8(windows.first.data())) + symbol) << bits) + number);
    Ints8 bad = ((value < rows_.lowest()) | (value > rows_.highest())) & ~escapes;
    for (std::size_t p = 0; any_set(escapes) && p < kLanes; ++p) {
      if (escapes[p] == 0) continue;
      to_decoder(p);
      const TailResult tail =
          TailReader::read(decoders_[p], windows.of(p), rows_.bounds(p), symbol[p]);
      if (tail.problem != Problem::kNone) bad[p] = -1;
      decoders_[p] = tail.decoder;
      bytes_.fill(p, tail.decoder.reader);
      lanes_.low[p] = static_cast<std::uint32_t>(tail.decoder.state.low) & INT32_MAX;
      lanes_.last[p] = static_cast<std::uint32_t>(tail.decoder.state.range - 1);
      lanes_.offset[p] = static_cast<std::uint32_t>(tail.decoder.state.offset);
      positions_[p] = bytes_.positions()[p];
      value[p] = tail.value;
    }
    store_vec8(words(value), symbols_[i].data());
    peek();
    return !any_set(bad);
  }

  const Rows& rows_;
  LaneArray<Decoder>& decoders_;
  LaneSymbols& symbols_;
  DecoderLanes lanes_;
  Words8 positions_;
  PairVec8 next_{};
  LaneBytes bytes_;
};

// Decodes `steps` symbols or values of each stream, at most kLaneSteps. False if a stream ends or
// contradicts its rows; decoders and symbols are then unusable. Groups wait for themselves, so a
// processor works on one while it waits for the others.
template <RowsInLanes Rows, std::size_t kGroups>
TORCHAC_NOINLINE bool decode_lanes(const std::array<Rows, kGroups>& rows, std::size_t steps,
                                   std::array<LaneArray<Decoder>, kGroups>& decoders,
                                   std::array<LaneSymbols, kGroups>& symbols) {
  using Group = LaneGroup<Rows>;
  auto groups = [&]<std::size_t... g>(std::index_sequence<g...>) {
    return std::array<Group, kGroups>{Group(rows[g], decoders[g], symbols[g])...};
  }(std::make_index_sequence<kGroups>());
  bool good = true;
  for (std::size_t i = 0; good && i < steps;) {
    // The number of symbols whose bits are read at once.
    constexpr std::size_t kRead = BitReader::kPeekBits / kMaxShift;
    TORCHAC_UNROLL
    for (Group& group : groups) group.peek();
    for (const std::size_t end = std::min(i + kRead, steps); i < end; ++i) {
      TORCHAC_UNROLL
      for (Group& group : groups) good &= group.decode(i);
    }
  }
  for (Group& group : groups) good &= group.finish();
  return good;
}

TORCHAC_END_TARGET

#endif
