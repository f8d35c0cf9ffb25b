// The decoding loop, for one stream or several interleaved.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "torchac/arrays/block.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/kernels.hpp"
#include "torchac/engine/lane_loop.hpp"
#include "torchac/engine/scheduler.hpp"
#include "torchac/engine/simd_loop.hpp"
#include "torchac/engine/stream_task.hpp"
#include "torchac/error.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/models/tail.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/simd.hpp"
#include "torchac/support/target.hpp"

TORCHAC_BEGIN_TARGET

template <SymbolSource Source>
class DecodeTask final : public StreamTask {
 public:
  // Whether several streams are coded by SIMD.
  static constexpr bool kSimd = kHasAvx2 && LutSource<Source>;
  // Whether several streams are coded in lanes.
  static constexpr bool kInLanes = LaneSource<Source>;
  // The most streams that are coded together.
  static constexpr std::size_t kInterleaved = Rare<Source> ? 1 : kInterleave;
  static constexpr std::size_t kWithoutLanes = kSimd ? kMaxSimdStreams : kInterleaved;
  static constexpr std::size_t kMaxStreams = kInLanes ? kMaxLaneStreams : kWithoutLanes;

  // Decodes `count` symbols of `streams` to `symbols`. `source()` makes the source in place.
  template <class MakeSource>
  DecodeTask(SymbolSink symbols, std::int64_t count, StreamRange<Decoder> streams,
             const MakeSource& source)
      : StreamTask(count),
        source_(source()),
        symbols_(symbols),
        streams_(streams),
        stream_(streams.data),
        in_turns_(streams.symbols_per_stream < count) {}

  void fill() override {
    const ReadableBlock readable = source_.read(symbols_to_read());
    begin_block(readable, readable.count);
  }

  // Implements TaskKind::code.
  template <std::size_t kStreams>
  static void code(const std::array<DecodeTask*, kStreams>& tasks, std::size_t steps) {
    if constexpr (kStreams == 1) {
      if (tasks[0]->in_turns_) return tasks[0]->code_in_turns(steps);
    }
    code_each(tasks, steps);
  }

  template <std::size_t kStreams>
  static void code_each(const std::array<DecodeTask*, kStreams>& tasks, std::size_t steps) {
    std::array<std::array<std::uint32_t, kBlock>, kStreams> symbols;
    std::array<Work, kStreams> work;
    for (std::size_t k = 0; k < kStreams; ++k) work[k] = tasks[k]->open();
    for (std::size_t i = 0; i < steps; ++i) {
      TORCHAC_UNROLL
      for (std::size_t k = 0; k < kStreams; ++k) {
        Work& w = work[k];
        const Found found = w.source.find(i, w.target);
        if (!w.decoder.consume(found.interval)) [[unlikely]]
          return tasks[k]->refuse(symbols[k].data(), i, found.symbol, w.decoder.truncated());
        std::uint32_t symbol = found.symbol;
        if constexpr (TailSource<Source>) {
          symbol = w.source.value(i, found.symbol);
          if (w.source.has_tail(i, found.symbol)) [[unlikely]] {
            const TailResult tail = w.source.read_tail(i, found.symbol, w.decoder);
            if (tail.problem != Problem::kNone)
              return tasks[k]->refuse(symbols[k].data(), i, {tail.problem});
            w.decoder = tail.decoder;
            symbol = static_cast<std::uint32_t>(tail.value);
          }
        }
        w.target = w.source.target(w.decoder.state);
        symbols[k][i] = symbol;
      }
    }
    for (std::size_t k = 0; k < kStreams; ++k)
      tasks[k]->close(work[k].decoder, symbols[k].data(), steps);
  }

  // Does the same by SIMD across streams.
  template <std::size_t kStreams>
  static void code_simd(const std::array<DecodeTask*, kStreams>& tasks, std::size_t steps)
    requires kSimd
  {
    record(FastPath::kSimdStreams);
    const SimdLoop<kStreams>& loop = kernels().simd->get<kStreams>();
    const std::byte* const tables = tasks[0]->source_.view(0).model.tables();  // the same for all
    SymbolStrips<kStreams> symbols;
    std::size_t done = 0;
    while (done < steps) {
      const std::size_t n = std::min(kStrip, steps - done);
      std::array<Decoder, kStreams> decoders;
      std::array<const std::uint32_t*, kStreams> locators;
      for (std::size_t k = 0; k < kStreams; ++k) {
        decoders[k] = *tasks[k]->stream_;
        locators[k] = tasks[k]->source_.view(tasks[k]->next()).locators;
      }
      if (!loop.decode(tables, locators, n, decoders, symbols)) [[unlikely]]
        break;
      if constexpr (TailSource<Source>) {
        if (!to_values(tasks, n, symbols)) {
          for (DecodeTask* task : tasks) code<1>({task}, n);
          if (std::ranges::any_of(tasks, [](const DecodeTask* t) { return !t->report().ok(); }))
            return;
          done += n;
          continue;
        }
      }
      for (std::size_t k = 0; k < kStreams; ++k) tasks[k]->close(decoders[k], symbols[k].data(), n);
      done += n;
    }
    if (done == steps) return;
    for (DecodeTask* task : tasks) code<1>({task}, steps - done);  // one of them finds the fault
  }

#ifdef TORCHAC_TARGET_AVX2
  // Does the same in lanes.
  template <LaneSource S = Source>
  static void code_lanes(std::span<StreamTask* const> all, std::size_t steps) {
    constexpr std::size_t kGroups = S::Lanes::kGroups;
    while (!all.empty()) {
      // Almost all lanes of the groups are in use, or there is one group.
      const bool together = kGroups > 1 && all.size() > (kGroups - 1) * kLanes + kLanes / 2;
      const std::size_t now = std::min(all.size(), kLanes * (together ? kGroups : 1));
      const auto tasks = all.first(now);
      const std::size_t done =
          together ? code_groups<kGroups>(tasks, steps) : code_groups<1>(tasks, steps);
      if (done < steps) code_slowly(tasks, steps - done);
      all = all.subspan(now);
    }
  }
#endif

 private:
#ifdef TORCHAC_TARGET_AVX2
  static constexpr std::size_t kLaneChunk = 8 * kLaneSteps;

  static void code_slowly(std::span<StreamTask* const> tasks, std::size_t steps) {
    const auto task = [&](std::size_t k) { return static_cast<DecodeTask*>(tasks[k]); };
    std::size_t k = 0;
    for (; k + kInterleave <= tasks.size(); k += kInterleave)
      code<kInterleave>({task(k), task(k + 1), task(k + 2), task(k + 3)}, steps);
    for (; k < tasks.size(); ++k) code<1>({task(k)}, steps);
  }

  // Returns the number of steps before one that lanes do not code.
  template <std::size_t kGroups, LaneSource S = Source>
  // NOLINTNEXTLINE(readability-function-cognitive-complexity): loops over groups and lanes
  static std::size_t code_groups(std::span<StreamTask* const> all, std::size_t steps) {
    using Lanes = typename S::Lanes;
    std::array<LaneArray<DecodeTask*>, kGroups> tasks;
    std::array<LaneArray<const typename Lanes::Block*>, kGroups> blocks;
    bool alike = true;
    for (std::size_t k = 0; k < kGroups * kLanes; ++k) {
      // Lanes without a stream repeat the first one.
      auto* const task = static_cast<DecodeTask*>(all[k < all.size() ? k : 0]);
      tasks[k / kLanes][k % kLanes] = task;
      blocks[k / kLanes][k % kLanes] = &task->source_.rows();
      alike &= Lanes::alike(*blocks[0][0], task->source_.rows());
    }
    if (!alike) return 0;
    record(FastPath::kLanes);
    std::array<Lanes, kGroups> rows;
    std::size_t done = 0;
    while (done < steps) {
      const std::size_t chunk = std::min(steps - done, kLaneChunk);
      std::array<LaneArray<Decoder>, kGroups> decoders;
      std::array<LaneArray<std::array<std::uint32_t, kLaneChunk>>, kGroups> symbols;
      for (std::size_t k = 0; k < kGroups * kLanes; ++k)
        decoders[k / kLanes][k % kLanes] = *tasks[k / kLanes][k % kLanes]->stream_;
      std::size_t coded = 0;
      while (coded < chunk) {
        const std::size_t n = std::min(kLaneSteps, chunk - coded);
        const auto before = decoders;
        std::array<LaneSymbols, kGroups> found;
        bool good = true;
        for (std::size_t g = 0; g < kGroups; ++g) {
          LaneArray<std::size_t> from;
          for (std::size_t p = 0; p < kLanes; ++p) from[p] = tasks[g][p]->next() + coded;
          good &= rows[g].prepare(blocks[g], from, n);
        }
        if (!good || !decode_lanes(rows, n, decoders, found)) [[unlikely]] {
          decoders = before;
          break;
        }
        for (std::size_t g = 0; g < kGroups; ++g) {
          for (std::size_t j = 0; j < n; j += kTileRows) {
            LaneArray<std::byte*> to;
            for (std::size_t p = 0; p < kLanes; ++p)
              to[p] = reinterpret_cast<std::byte*>(&symbols[g][p][coded + j]);
            store_columns(reinterpret_cast<const std::byte*>(&found[g][j]), to);
          }
        }
        coded += n;
      }
      for (std::size_t k = 0; k < all.size(); ++k) {
        const std::size_t g = k / kLanes;
        const std::size_t p = k % kLanes;
        tasks[g][p]->close(decoders[g][p], symbols[g][p].data(), coded);
      }
      done += coded;
      if (coded < chunk) break;
    }
    return done;
  }
#endif

  // The working copy of the loop, so that the compiler sees that nothing else changes it.
  struct Work {
    Decoder decoder;
    Target target;
    typename Source::View source;
  };

  TORCHAC_INLINE Work open() {
    if constexpr (kInLanes) source_.prepare();
    const auto source = source_.view(next());
    return {*stream_, source.target(stream_->state), source};
  }

  TORCHAC_INLINE void close(const Decoder& decoder, const std::uint32_t* symbols,
                            std::size_t steps) {
    *stream_ = decoder;
    write_symbols(symbols, steps, symbols_);
    advance(steps);
  }

  // Turns symbols into values. False if one of them has a tail, which SIMD does not decode.
  template <std::size_t kStreams>
  static bool to_values(const std::array<DecodeTask*, kStreams>& tasks, std::size_t count,
                        SymbolStrips<kStreams>& symbols)
    requires TailSource<Source>
  {
    bool tails = false;
    for (std::size_t k = 0; k < kStreams; ++k) {
      const auto view = tasks[k]->source_.view(tasks[k]->next());
      for (std::size_t i = 0; i < count; ++i) {
        tails |= view.has_tail(i, symbols[k][i]);
        symbols[k][i] = view.value(i, symbols[k][i]);
      }
    }
    return !tails;
  }

  TORCHAC_COLD void refuse(const std::uint32_t* symbols, std::size_t i, std::uint32_t symbol,
                           bool truncated) {
    refuse(symbols, i,
           truncated ? Fault{Problem::kTruncated} : source_.why_invalid(next() + i, symbol));
  }

  TORCHAC_COLD void refuse(const std::uint32_t* symbols, std::size_t i, Fault fault) {
    write_symbols(symbols, i, symbols_);
    stop(next() + i, fault);
  }

  TORCHAC_NOINLINE void code_in_turns(std::size_t steps) {
    take_turns(
        steps, streams_.symbols_per_stream, [](std::size_t i) { return i; },
        [&](std::int64_t stream, std::size_t n) {
          stream_ = streams_.data + stream;
          code_each<1>({this}, n);
        });
  }

  Source source_;
  SymbolSink symbols_;
  StreamRange<Decoder> streams_;
  Decoder* stream_;  // the current stream
  bool in_turns_;
};

TORCHAC_END_TARGET
