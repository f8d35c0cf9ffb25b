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

class EncodeLane : public Lane {
 public:
  // `check` asks for a check of every value of every row, not only of those that coding needs.
  EncodeLane(EncodedStream& stream, Rows rows, Integers symbols, std::int64_t count, bool check)
      : Lane(std::move(rows), count), stream_(&stream), symbols_(std::move(symbols)), check_(check) {}

  void fill() {
    start_block();
    cut_block(symbols_.read(left_in_block(), block_symbols_.data()), Problem::kSymbol);
  }

  // Codes `count` symbols of each lane, which all must have in their blocks. False if a lane stopped.
  template <class Format, std::size_t kLanes>
  static bool code(const Format& format, const std::array<EncodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Encoder, kLanes> encoders;
    for (std::size_t k = 0; k < kLanes; ++k) encoders[k] = lanes[k]->stream_->open(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < kLanes; ++k) {
        EncodeLane& lane = *lanes[k];
        if (lane.check_ && !lane.row_is_good(format, i)) [[unlikely]] return false;
        const Interval interval = format.interval(lane.row(i), lane.symbol(i));
        if (!interval.codable()) [[unlikely]] return lane.refuse(format, i);
        encoders[k].encode(interval);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      lanes[k]->stream_->close(encoders[k]);
      lanes[k]->advance(count);
    }
    return true;
  }

 private:
  [[nodiscard]] std::uint32_t symbol(std::size_t i) const { return block_symbols_[next_ + i]; }

  template <class Format>
  bool row_is_good(const Format& format, std::size_t i) {
    if (row(i) == checked_) return true;  // an expanded row, or a table, again
    checked_ = row(i);
    const Fault fault = format.check(checked_);
    if (fault.problem != Problem::kNone) stop(i, fault);
    return fault.problem == Problem::kNone;
  }

  template <class Format>
  bool refuse(const Format& format, std::size_t i) {
    stop(i, format.why_not_codable(row(i), symbol(i)));
    return false;
  }

  EncodedStream* stream_;
  Integers symbols_;
  bool check_;
  const std::byte* checked_ = nullptr;
  std::array<std::uint32_t, kBlock> block_symbols_;
};

class DecodeLane : public Lane {
 public:
  // Writes `count` symbols from `symbols` on.
  DecodeLane(Decoder& stream, Rows rows, std::int16_t* symbols, std::int64_t count)
      : Lane(std::move(rows), count), stream_(&stream), symbols_(symbols) {}

  void fill() { start_block(); }

  // Codes `count` symbols of each lane, which all must have in their blocks. False if a lane stopped.
  template <class Format, std::size_t kLanes>
  static bool code(const Format& format, const std::array<DecodeLane*, kLanes>& lanes, std::size_t count) {
    std::array<Decoder, kLanes> decoders;
    for (std::size_t k = 0; k < kLanes; ++k) decoders[k] = *lanes[k]->stream_;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < kLanes; ++k) {
        DecodeLane& lane = *lanes[k];
        const std::uint32_t symbol = format.find(lane.row(i), decoders[k].target());
        if (!decoders[k].consume(format.interval(lane.row(i), symbol))) [[unlikely]] {
          return lane.refuse(format, i, symbol, decoders[k]);
        }
        lane.symbols_[i] = static_cast<std::int16_t>(symbol);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      *lanes[k]->stream_ = decoders[k];
      lanes[k]->symbols_ += count;
      lanes[k]->advance(count);
    }
    return true;
  }

 private:
  template <class Format>
  bool refuse(const Format& format, std::size_t i, std::uint32_t symbol, const Decoder& decoder) {
    Fault fault = format.why_not_codable(row(i), symbol);
    if (fault.problem != Problem::kNotFinite) fault = {Problem::kContradicted};
    if (decoder.truncated()) fault = {Problem::kTruncated};
    stop(i, fault);
    return false;
  }

  Decoder* stream_;
  std::int16_t* symbols_;
};

// Codes one stream to its end.
template <class Format, class AnyLane>
Report code_alone(const Format& format, AnyLane& lane) {
  while (!lane.done()) {
    if (lane.left_in_block() == 0) lane.fill();
    AnyLane::code(format, std::array{&lane}, lane.left_in_block());
  }
  return lane.report();
}

}  // namespace torchac
