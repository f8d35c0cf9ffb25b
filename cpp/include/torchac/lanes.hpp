// The coding loops. A lane is one stream on its way through the coder, block by block. The loops
// take one lane or several in turn: the next symbol of a stream waits for the last one, so
// a processor that has only one stream to work on is mostly idle.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"

namespace torchac {

// Symbols ahead of the one being coded whose bounds are asked for: as many as memory can have under
// way at once.
inline constexpr std::size_t kPrefetchDistance = 16;

// What encoding and decoding lanes have in common: the rows of a block, and how far they have come.
class Lane {
 public:
  [[nodiscard]] bool done() const { return left_ == 0 || !report_.ok(); }
  [[nodiscard]] std::size_t left_in_block() const { return end_ - next_; }
  [[nodiscard]] const Report& report() const { return report_; }

 protected:
  Lane(Rows rows, std::int64_t count) : rows_(std::move(rows)), left_(count) {}

  void start_block() {
    next_ = 0;
    end_ = static_cast<std::size_t>(std::min<std::int64_t>(left_, kBlock));
    cut_ = Problem::kNone;
    cut_block(rows_.read(end_, block_rows_.data()), Problem::kIndex);
  }

  // Ends the block before the first symbol that cannot be coded, and remembers why.
  void cut_block(std::size_t good, Problem problem) {
    if (good == end_) return;
    end_ = good;
    cut_ = problem;
    advance(0);
  }

  // The rows that are left in the block, and kPrefetchDistance that mean nothing.
  [[nodiscard]] const std::byte* const* rows_left() const { return &block_rows_[next_]; }

  // Whether rows are to be had from memory rather than from a cache.
  [[nodiscard]] bool rows_lie_apart() const { return !rows_.tables(); }

  void advance(std::size_t coded) {
    next_ += coded;
    done_ += static_cast<std::int64_t>(coded);
    left_ -= static_cast<std::int64_t>(coded);
    if (next_ == end_ && cut_ != Problem::kNone) stop(0, {cut_});
  }

  // The lane ends with symbol i of those that are being coded.
  void stop(std::size_t i, Fault fault) {
    report_ = {fault.problem, 0, done_ + static_cast<std::int64_t>(i), fault.column};
  }

  std::size_t next_ = 0;  // in the block

 private:
  Rows rows_;
  std::int64_t left_;
  std::int64_t done_ = 0;
  std::size_t end_ = 0;  // of the block
  Problem cut_ = Problem::kNone;
  Report report_;
  std::array<const std::byte*, kBlock + kPrefetchDistance> block_rows_{};
};

template <class Format>
class EncodeLane : public Lane {
 public:
  // Encodes `count` symbols at the end of `stream`. `check` asks for a check of every value of
  // every row, not only of those that coding needs.
  EncodeLane(const Format& format, Rows rows, Integers symbols, std::int64_t count, bool check,
             EncodedStream& stream)
      : Lane(std::move(rows), count),
        format_(&format),
        symbols_(std::move(symbols)),
        check_(check),
        stream_(&stream) {}

  void fill() {
    start_block();
    cut_block(symbols_.read(left_in_block(), block_symbols_.data()), Problem::kSymbol);
  }

  // Codes `count` symbols of each lane, which all must have in their blocks, or until a lane stops.
  template <std::size_t kLanes>
  static void code(const std::array<EncodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Work, kLanes> work;
    for (std::size_t k = 0; k < kLanes; ++k) work[k] = lanes[k]->open(count);
    for (std::size_t i = 0; i < count; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kLanes; ++k) {
        Work& w = work[k];
        if (w.far)
          w.format.prefetch(w.rows[i + kPrefetchDistance], w.symbols[i + kPrefetchDistance]);
        if (w.check && !lanes[k]->row_is_good(i)) [[unlikely]]
          return;
        const Interval interval = w.format.interval(w.rows[i], w.symbols[i]);
        if (!interval.codable()) [[unlikely]]
          return lanes[k]->refuse(i);
        w.encoder.encode(interval);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      lanes[k]->stream_->close(work[k].encoder);
      lanes[k]->advance(count);
    }
  }

 private:
  // What the loop works with: a copy, so that the compiler sees that nothing else changes it.
  struct Work {
    Encoder encoder;
    Format format{};
    const std::byte* const* rows;
    const std::uint32_t* symbols;
    bool check, far;
  };

  TORCHAC_INLINE Work open(std::size_t count) {
    return {stream_->open(count),   *format_, rows_left(),
            &block_symbols_[next_], check_,   rows_lie_apart()};
  }

  [[nodiscard]] bool row_is_good(std::size_t i) {
    const std::byte* row = rows_left()[i];
    if (row == checked_) return true;  // an expanded row, or a table, again
    checked_ = row;
    const Fault fault = format_->check(row);
    if (fault.problem != Problem::kNone) stop(i, fault);
    return fault.problem == Problem::kNone;
  }

  TORCHAC_COLD void refuse(std::size_t i) {
    stop(i, format_->why_not_codable(rows_left()[i], block_symbols_[next_ + i]));
  }

  const Format* format_;
  Integers symbols_;
  bool check_;
  const std::byte* checked_ = nullptr;
  EncodedStream* stream_;
  std::array<std::uint32_t, kBlock + kPrefetchDistance> block_symbols_{};
};

template <class Format>
class DecodeLane : public Lane {
 public:
  // Decodes `count` symbols from where `stream` stands to `symbols`.
  DecodeLane(const Format& format, Rows rows, std::int16_t* symbols, std::int64_t count,
             Decoder& stream)
      : Lane(std::move(rows), count), format_(&format), symbols_(symbols), stream_(&stream) {}

  void fill() { start_block(); }

  // As EncodeLane::code.
  template <std::size_t kLanes>
  static void code(const std::array<DecodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Work, kLanes> work;
    for (std::size_t k = 0; k < kLanes; ++k) work[k] = lanes[k]->open();
    for (std::size_t i = 0; i < count; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kLanes; ++k) {
        Work& w = work[k];
        const Found found = w.format.find(w.rows[i], w.decoder.target());
        if (!w.decoder.consume(found.interval)) [[unlikely]] {
          return lanes[k]->refuse(i, found.symbol, w.decoder.truncated());
        }
        w.symbols[i] = static_cast<std::int16_t>(found.symbol);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      *lanes[k]->stream_ = work[k].decoder;
      lanes[k]->symbols_ += count;
      lanes[k]->advance(count);
    }
  }

 private:
  // As EncodeLane::Work.
  struct Work {
    Decoder decoder;
    Format format{};
    const std::byte* const* rows;
    std::int16_t* symbols;
  };

  TORCHAC_INLINE Work open() { return {*stream_, *format_, rows_left(), symbols_}; }

  TORCHAC_COLD void refuse(std::size_t i, std::uint32_t symbol, bool truncated) {
    Fault fault = format_->why_not_codable(rows_left()[i], symbol);
    if (fault.problem != Problem::kNotFinite) fault = {Problem::kContradicted};
    if (truncated) fault = {Problem::kTruncated};
    stop(i, fault);
  }

  const Format* format_;
  std::int16_t* symbols_;
  Decoder* stream_;
};

}  // namespace torchac
