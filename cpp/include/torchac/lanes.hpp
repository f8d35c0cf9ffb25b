// The coding loops. A lane is one stream on its way through the coder, block by block. The loops
// take one lane or several in turn: the next symbol of a stream waits for the last one, so
// a processor that has only one stream to work on is mostly idle. Lanes with tables can also go
// abreast.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/abreast.hpp"
#include "torchac/cpu.hpp"
#include "torchac/decoder.hpp"
#include "torchac/encoder.hpp"
#include "torchac/report.hpp"
#include "torchac/sources.hpp"

namespace torchac {

// What encoding and decoding lanes have in common: how far they have come.
class Lane {
 public:
  [[nodiscard]] bool done() const { return left_ == 0 || !report_.ok(); }
  [[nodiscard]] std::size_t left_in_block() const { return end_ - next_; }
  [[nodiscard]] const Report& report() const { return report_; }

 protected:
  explicit Lane(std::int64_t count) : left_(count) {}

  // Reads the next block from `source`.
  template <class Source>
  void read_block(Source& source) {
    const auto count = static_cast<std::size_t>(std::min<std::int64_t>(left_, kBlock));
    const Readable readable = source.read(count);
    next_ = 0;
    end_ = readable.count;
    cut_ = readable.count < count ? readable.fault : Fault{};
    advance(0);
  }

  [[nodiscard]] std::size_t next() const { return next_; }

  void advance(std::size_t coded) {
    next_ += coded;
    done_ += static_cast<std::int64_t>(coded);
    left_ -= static_cast<std::int64_t>(coded);
    if (next_ == end_ && cut_.problem != Problem::kNone) stop(0, cut_);
  }

  // The lane ends with symbol i of those that are being coded.
  void stop(std::size_t i, Fault fault) {
    report_ = {fault.problem, 0, done_ + static_cast<std::int64_t>(i), fault.column};
  }

 private:
  std::int64_t left_;
  std::int64_t done_ = 0;
  std::size_t next_ = 0;  // in the block
  std::size_t end_ = 0;   // of the block, before the first symbol that cannot be read
  Fault cut_;             // why that cannot be read
  Report report_;
};

template <class Intervals>
class EncodeLane : public Lane {
 public:
  static constexpr bool kGoesAbreast = Intervals::kGoesAbreast;

  // Encodes `count` symbols at the end of `stream`. The others are what Intervals are made of:
  // blocks are large, so they are made where they stay.
  template <class... Arguments>
  EncodeLane(std::int64_t count, EncodedStream& stream, Arguments&&... intervals)
      : Lane(count), intervals_(std::forward<Arguments>(intervals)...), stream_(&stream) {}

  void fill() { read_block(intervals_); }

  // Codes `count` symbols of each lane, which all must have in their blocks, or until a lane stops.
  template <std::size_t kLanes>
  static void code(const std::array<EncodeLane*, kLanes>& lanes, std::size_t count) {
    cpu_has_avx2() ? code_for_avx2(lanes, count) : code_for_any(lanes, count);
  }

  // The same for lanes abreast.
  template <std::size_t kLanes>
  static void code(const Abreast<kLanes>& abreast, const std::array<EncodeLane*, kLanes>& lanes,
                   std::size_t count)
    requires(Intervals::kGoesAbreast && Intervals::kIsChecked)
  {
    std::array<Encoder, kLanes> encoders;
    for (std::size_t k = 0; k < kLanes; ++k) encoders[k] = lanes[k]->stream_->open(count);
    for (std::size_t done = 0; done < count; done += kStretch) {
      std::array<const std::uint32_t*, kLanes> intervals;
      for (std::size_t k = 0; k < kLanes; ++k)
        intervals[k] = lanes[k]->intervals_.view(lanes[k]->next() + done).intervals;
      abreast.encode(intervals, std::min(kStretch, count - done), encoders);
    }
    for (std::size_t k = 0; k < kLanes; ++k) lanes[k]->close(encoders[k], count);
  }

 private:
  // What the loop works with: a copy, so that the compiler sees that nothing else changes it.
  struct Work {
    Encoder encoder;
    typename Intervals::View intervals;
  };

  TORCHAC_INLINE Work open(std::size_t count) {
    return {stream_->open(count), intervals_.view(next())};
  }

  TORCHAC_INLINE void close(const Encoder& encoder, std::size_t count) {
    stream_->close(encoder);
    advance(count);
  }

  template <std::size_t kLanes>
  TORCHAC_INLINE static void code_for_any(const std::array<EncodeLane*, kLanes>& lanes,
                                          std::size_t count) {
    std::array<Work, kLanes> work;
    for (std::size_t k = 0; k < kLanes; ++k) work[k] = lanes[k]->open(count);
    for (std::size_t i = 0; i < count; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kLanes; ++k) {
        const Interval interval = work[k].intervals.interval(i);
        if constexpr (!Intervals::kIsChecked) {
          if (!interval.codable()) [[unlikely]]
            return lanes[k]->refuse(i);
        }
        work[k].encoder.encode(interval);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) lanes[k]->close(work[k].encoder, count);
  }

  template <std::size_t kLanes>
  TORCHAC_FOR_AVX2 static void code_for_avx2(const std::array<EncodeLane*, kLanes>& lanes,
                                             std::size_t count) {
    code_for_any(lanes, count);
  }

  TORCHAC_COLD void refuse(std::size_t i) { stop(i, intervals_.why_not_codable(next() + i)); }

  Intervals intervals_;
  EncodedStream* stream_;
};

template <class Search>
class DecodeLane : public Lane {
 public:
  static constexpr bool kGoesAbreast = Search::kGoesAbreast;

  // Decodes `count` symbols from where `stream` stands to `symbols`. The others are what a Search
  // is made of.
  template <class... Arguments>
  DecodeLane(std::int16_t* symbols, std::int64_t count, Decoder& stream, Arguments&&... search)
      : Lane(count),
        search_(std::forward<Arguments>(search)...),
        symbols_(symbols),
        stream_(&stream) {}

  void fill() { read_block(search_); }

  // As EncodeLane::code.
  template <std::size_t kLanes>
  static void code(const std::array<DecodeLane*, kLanes>& lanes, std::size_t count) {
    cpu_has_avx2() ? code_for_avx2(lanes, count) : code_for_any(lanes, count);
  }

  // The same for lanes abreast, as long as all is well; the rest one by one.
  template <std::size_t kLanes>
  static void code(const Abreast<kLanes>& abreast, const std::array<DecodeLane*, kLanes>& lanes,
                   std::size_t count)
    requires(Search::kGoesAbreast)
  {
    std::array<Decoder, kLanes> decoders;
    for (std::size_t k = 0; k < kLanes; ++k) decoders[k] = *lanes[k]->stream_;
    std::size_t done = 0;
    while (done < count) {
      const std::size_t n = std::min(kStretch, count - done);
      std::array<const std::uint32_t*, kLanes> places;
      std::array<std::int16_t*, kLanes> symbols;
      for (std::size_t k = 0; k < kLanes; ++k) {
        places[k] = lanes[k]->search_.view(lanes[k]->next() + done).places;
        symbols[k] = lanes[k]->symbols_ + done;
      }
      const auto view = lanes[0]->search_.view(0);   // the tables are the same for all
      std::array<Decoder, kLanes> after = decoders;  // NOLINT(misc-const-correctness)
      if (!abreast.decode(view.format, view.tables, places, n, after, symbols)) break;
      decoders = after;
      done += n;
    }
    for (std::size_t k = 0; k < kLanes; ++k) {
      lanes[k]->close(decoders[k], done);
      if (done < count) code<1>({lanes[k]}, count - done);
    }
  }

 private:
  // As EncodeLane::Work.
  struct Work {
    Decoder decoder;
    Target target;
    typename Search::View search;
    std::int16_t* symbols;
  };

  TORCHAC_INLINE Work open() {
    const auto search = search_.view(next());
    return {*stream_, search.target(stream_->range), search, symbols_};
  }

  TORCHAC_INLINE void close(const Decoder& decoder, std::size_t count) {
    *stream_ = decoder;
    symbols_ += count;
    advance(count);
  }

  template <std::size_t kLanes>
  TORCHAC_INLINE static void code_for_any(const std::array<DecodeLane*, kLanes>& lanes,
                                          std::size_t count) {
    std::array<Work, kLanes> work;
    for (std::size_t k = 0; k < kLanes; ++k) work[k] = lanes[k]->open();
    for (std::size_t i = 0; i < count; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kLanes; ++k) {
        Work& w = work[k];
        const Found found = w.search.find(i, w.target);
        if (!w.decoder.consume(found.interval)) [[unlikely]]
          return lanes[k]->refuse(i, found.symbol, w.decoder.truncated());
        w.target = w.search.target(w.decoder.range);
        w.symbols[i] = static_cast<std::int16_t>(found.symbol);
      }
    }
    for (std::size_t k = 0; k < kLanes; ++k) lanes[k]->close(work[k].decoder, count);
  }

  template <std::size_t kLanes>
  TORCHAC_FOR_AVX2 static void code_for_avx2(const std::array<DecodeLane*, kLanes>& lanes,
                                             std::size_t count) {
    code_for_any(lanes, count);
  }

  TORCHAC_COLD void refuse(std::size_t i, std::uint32_t symbol, bool truncated) {
    stop(i, truncated ? Fault{Problem::kTruncated} : search_.why_contradicted(next() + i, symbol));
  }

  Search search_;
  std::int16_t* symbols_;
  Decoder* stream_;
};

}  // namespace torchac
