// The encoding loop, for one stream or several interleaved.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/encoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/scheduler.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/stream_task.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

template <class Source>
  requires(LazySource<Source> || PackedSource<Source>)
class EncodeTask final : public StreamTask {
 public:
  // Whether several streams are coded by SIMD.
  static constexpr bool kSimd = kHasAvx2 && PackedSource<Source>;
  static constexpr bool kInLanes = false;
  // The most streams that are coded together.
  static constexpr std::size_t kInterleaved = Rare<Source> ? 1 : kInterleave;
  static constexpr std::size_t kMaxStreams = kSimd ? kMaxSimdStreams : kInterleaved;

  // Encodes `count` symbols at the ends of `streams`. `source()` makes the source in place, as its
  // blocks are large.
  template <class MakeSource>
  EncodeTask(std::int64_t count, StreamRange<EncodedStream> streams, const MakeSource& source)
      : StreamTask(count),
        source_(source()),
        streams_(streams),
        stream_(streams.data),
        in_turns_(streams.symbols_per_stream < count) {}

  void fill() override {
    const ReadableBlock readable = source_.read(symbols_to_read());
    begin_block(readable, source_.size());
  }

  // Implements TaskKind::code.
  template <std::size_t kStreams>
  static void code(const std::array<EncodeTask*, kStreams>& tasks, std::size_t steps) {
    if constexpr (kStreams == 1) {
      if (tasks[0]->in_turns_) return tasks[0]->code_in_turns(steps);
    }
    code_each(tasks, steps);
  }

  template <std::size_t kStreams>
  static void code_each(const std::array<EncodeTask*, kStreams>& tasks, std::size_t steps) {
    std::array<Work, kStreams> work;
    for (std::size_t k = 0; k < kStreams; ++k) work[k] = tasks[k]->open(steps);
    for (std::size_t i = 0; i < steps; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kStreams; ++k) {
        const Interval interval = work[k].intervals.interval(i);
        if constexpr (LazySource<Source>) {
          if (!interval.codable()) [[unlikely]]
            return refuse(tasks, work, i, k);
        }
        work[k].encoder.encode(interval);
      }
    }
    for (std::size_t k = 0; k < kStreams; ++k) tasks[k]->close(work[k].encoder, steps);
  }

  // Does the same by SIMD across streams.
  template <std::size_t kStreams>
  static void code_simd(const std::array<EncodeTask*, kStreams>& tasks, std::size_t steps)
    requires kSimd
  {
    record(FastPath::kSimdStreams);
    const SimdLoop<kStreams>& loop = kernels().simd->get<kStreams>();
    std::array<Encoder, kStreams> encoders;
    for (std::size_t k = 0; k < kStreams; ++k) encoders[k] = tasks[k]->stream_->open(steps);
    for (std::size_t done = 0; done < steps; done += kStrip) {
      std::array<const std::uint32_t*, kStreams> intervals;
      for (std::size_t k = 0; k < kStreams; ++k)
        intervals[k] = tasks[k]->source_.packed(tasks[k]->next() + done);
      loop.encode(intervals, std::min(kStrip, steps - done), encoders);
    }
    for (std::size_t k = 0; k < kStreams; ++k) tasks[k]->close(encoders[k], steps);
  }

 private:
  struct Work {
    Encoder encoder;
    decltype(std::declval<const Source&>().view(0)) intervals;
  };

  TORCHAC_INLINE Work open(std::size_t steps) {
    return {stream_->open(steps), source_.view(next())};
  }

  TORCHAC_INLINE void close(const Encoder& encoder, std::size_t steps) {
    stream_->close(encoder);
    advance(steps);
  }

  // Stops at interval `i` of stream `k`. The other streams keep their coded symbols, so that none
  // is coded again. `work` is a copy, so that the loop keeps its own in registers.
  template <std::size_t kStreams>
  TORCHAC_COLD static void refuse(const std::array<EncodeTask*, kStreams>& tasks,
                                  std::array<Work, kStreams> work, std::size_t i, std::size_t k)
    requires(LazySource<Source>)
  {
    for (std::size_t j = 0; j < kStreams; ++j) tasks[j]->close(work[j].encoder, j < k ? i + 1 : i);
    EncodeTask& task = *tasks[k];
    task.stop(task.source_.symbol(task.next()), task.source_.why_not_codable(task.next()));
  }

  TORCHAC_NOINLINE void code_in_turns(std::size_t steps) {
    take_turns(
        steps, streams_.symbols_per_stream, [&](std::size_t i) { return source_.symbol(i); },
        [&](std::int64_t stream, std::size_t n) {
          stream_ = streams_.data + stream;
          code_each<1>({this}, n);
        });
  }

  Source source_;
  StreamRange<EncodedStream> streams_;
  EncodedStream* stream_;  // the current stream
  bool in_turns_;
};

TORCHAC_END_TARGET
