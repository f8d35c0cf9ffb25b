// The coding loops. A lane is one stream on its way through the coder, block by block. The loops
// take one lane or several in turn: the next symbol of a stream waits for the last one, so
// a processor that has only one stream to work on is mostly idle.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/report.hpp"
#include "torchac/row.hpp"
#include "torchac/sources.hpp"

namespace torchac {

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

  [[nodiscard]] const std::byte* row(std::size_t i) const { return block_rows_[next_ + i]; }

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
  std::array<const std::byte*, kBlock> block_rows_;
};

template <class Format>
class EncodeLane : public Lane {
 public:
  // Encodes `count` symbols at the end of `stream`. `check` asks for a check of every value of every
  // row, not only of those that coding needs.
  EncodeLane(const Format& format, Rows rows, Integers symbols, std::int64_t count, bool check, EncodedStream& stream)
      : Lane(std::move(rows), count), format_(&format), symbols_(std::move(symbols)), check_(check), stream_(&stream) {}

  void fill() {
    start_block();
    cut_block(symbols_.read(left_in_block(), block_symbols_.data()), Problem::kSymbol);
  }

  // Codes `count` symbols of each lane, which all must have in their blocks, or until a lane stops.
  template <std::size_t kLanes>
  static void code(const std::array<EncodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Encoder, kLanes> encoders;
    for (std::size_t k = 0; k < kLanes; ++k) encoders[k] = lanes[k]->stream_->open(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < kLanes; ++k) {
        EncodeLane& lane = *lanes[k];
        if (lane.check_ && !lane.row_is_good(i)) [[unlikely]] return;
        const Interval interval = lane.format_->interval(lane.row(i), lane.symbol(i));
        if (!interval.codable()) [[unlikely]] return lane.refuse(i);
        encoders[k].encode(interval);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      lanes[k]->stream_->close(encoders[k]);
      lanes[k]->advance(count);
    }
  }

 private:
  [[nodiscard]] std::uint32_t symbol(std::size_t i) const { return block_symbols_[next_ + i]; }

  bool row_is_good(std::size_t i) {
    if (row(i) == checked_) return true;  // an expanded row, or a table, again
    checked_ = row(i);
    const Fault fault = format_->check(checked_);
    if (fault.problem != Problem::kNone) stop(i, fault);
    return fault.problem == Problem::kNone;
  }

  void refuse(std::size_t i) { stop(i, format_->why_not_codable(row(i), symbol(i))); }

  const Format* format_;
  Integers symbols_;
  bool check_;
  const std::byte* checked_ = nullptr;
  EncodedStream* stream_;
  std::array<std::uint32_t, kBlock> block_symbols_;
};

template <class Format>
class DecodeLane : public Lane {
 public:
  // Decodes `count` symbols from where `stream` stands to `symbols`.
  DecodeLane(const Format& format, Rows rows, std::int16_t* symbols, std::int64_t count, Decoder& stream)
      : Lane(std::move(rows), count), format_(&format), symbols_(symbols), stream_(&stream) {}

  void fill() { start_block(); }

  // As EncodeLane::code.
  template <std::size_t kLanes>
  static void code(const std::array<DecodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Decoder, kLanes> decoders;
    for (std::size_t k = 0; k < kLanes; ++k) decoders[k] = *lanes[k]->stream_;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < kLanes; ++k) {
        DecodeLane& lane = *lanes[k];
        const Found found = lane.format_->find(lane.row(i), decoders[k].target());
        if (!decoders[k].consume(found.interval)) [[unlikely]] return lane.refuse(i, found.symbol, decoders[k]);
        lane.symbols_[i] = static_cast<std::int16_t>(found.symbol);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      *lanes[k]->stream_ = decoders[k];
      lanes[k]->symbols_ += count;
      lanes[k]->advance(count);
    }
  }

 private:
  void refuse(std::size_t i, std::uint32_t symbol, const Decoder& decoder) {
    Fault fault = format_->why_not_codable(row(i), symbol);
    if (fault.problem != Problem::kNotFinite) fault = {Problem::kContradicted};
    if (decoder.truncated()) fault = {Problem::kTruncated};
    stop(i, fault);
  }

  const Format* format_;
  std::int16_t* symbols_;
  Decoder* stream_;
};

}  // namespace torchac
