// A new model, and a source of several intervals for one symbol, need no change in a loop.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/arrays/symbol_sink.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/coder/target.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/decode_loop.hpp"
#include "torchac/engine/decode_source.hpp"
#include "torchac/engine/encode_loop.hpp"
#include "torchac/engine/encode_source.hpp"
#include "torchac/engine/tasks.hpp"
#include "torchac/error.hpp"
#include "torchac/models/concepts.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

// Uniform distributions over n symbols; each symbol has its own n.
struct Uniform {
  using Locator = std::uint32_t;  // n
  static std::uint32_t symbols(std::uint32_t n) { return n; }
  static Interval interval(std::uint32_t n, std::uint32_t s) {
    return {s * kTotalFrequency / n, (s + 1) * kTotalFrequency / n};
  }
  static Fault why_not_codable(std::uint32_t, std::uint32_t s) { return {Problem::kInterval, s}; }
  static Target target(const DecoderState<std::uint64_t>& state) {
    return Target::of<false>(state);
  }
  static Found find(std::uint32_t n, const Target& target) {
    const std::uint32_t s = ((target.quantile() + 1) * n - 1) / kTotalFrequency;
    return {s, interval(n, s)};
  }
};
static_assert(Model<Uniform>);

struct SizeReader {
  Numbers sizes;
  ReadableBlock read(std::size_t count, std::uint32_t* to) {
    read_integers(sizes, count, to);
    return {count};
  }
};
static_assert(LocatorReader<SizeReader, Uniform>);

template <class T>
Numbers integers(DType type, const std::vector<T>& from) {
  const auto count = static_cast<std::int64_t>(from.size());
  return {type, StridedWalk(std::as_bytes(std::span(from)).data(), {{count, sizeof(T)}})};
}

// Symbols of such distributions.
struct Stream {
  explicit Stream(Random& random) : count(random.between(1, 1300)) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto n = static_cast<std::uint16_t>(random.between(1, 1000));
      sizes.push_back(n);
      symbols.push_back(static_cast<std::int16_t>(random.between(0, n - 1)));
      reference::Row row;
      for (std::uint32_t s = 0; s < n; ++s) row.push_back(Uniform::interval(n, s).low);
      row.push_back(kTotalFrequency);
      rows.push_back(row);
    }
  }

  [[nodiscard]] SizeReader reader() const { return {integers(DType::kUint16, sizes)}; }

  std::int64_t count;
  std::vector<std::uint16_t> sizes;
  Symbols symbols;
  std::vector<reference::Row> rows;
};

using UniformEncode = EncodeTask<EncodeSource<Uniform, SizeReader>>;
using UniformDecode = DecodeTask<DecodeSource<Uniform, SizeReader>>;

Report encode_uniform(const std::vector<Stream>& streams, std::vector<EncodedStream>& encoded,
                      bool clamp = false) {
  ThreadTeam alone(1);
  return run_tasks_of<UniformEncode>(streams.size(), alone, [&](void* memory, std::size_t i) {
    const Stream& stream = streams[i];
    return new (memory) UniformEncode(stream.count, &encoded[i], [&] {
      return EncodeSource(Uniform{}, stream.reader(), integers(DType::kInt16, stream.symbols),
                          clamp);
    });
  });
}

template <class T>
void check_decoded(const std::vector<Stream>& streams, const std::vector<Bytes>& bytes) {
  std::vector<Decoder> decoders(bytes.begin(), bytes.end());
  std::vector<std::vector<T>> decoded;
  for (const Stream& stream : streams) decoded.emplace_back(stream.symbols.size());
  ThreadTeam alone(1);
  const Report report =
      run_tasks_of<UniformDecode>(streams.size(), alone, [&](void* memory, std::size_t i) {
        return new (memory) UniformDecode(decoded[i].data(), streams[i].count, &decoders[i], [&] {
          return DecodeSource(Uniform{}, streams[i].reader());
        });
      });
  REQUIRE(report.ok());
  for (std::size_t i = 0; i < streams.size(); ++i)
    CHECK(decoded[i] == std::vector<T>(streams[i].symbols.begin(), streams[i].symbols.end()));
}

std::vector<Stream> random_streams(Random& random) {
  std::vector<Stream> streams;
  for (std::int64_t k = random.between(1, 7); k > 0; --k) streams.emplace_back(random);
  return streams;
}

}  // namespace

TEST_CASE("a model that is computed from parameters") {
  for_seeds(20, [](Random& random) {
    const std::vector<Stream> streams = random_streams(random);
    std::vector<EncodedStream> encoded(streams.size());
    REQUIRE(encode_uniform(streams, encoded).ok());
    std::vector<Bytes> bytes;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      bytes.push_back(finished(encoded[i]));
      CHECK(bytes[i] == reference::encode(streams[i].rows, streams[i].symbols).bytes);
    }
    check_decoded<std::int16_t>(streams, bytes);
    check_decoded<std::int32_t>(streams, bytes);
  });
}

TEST_CASE("each symbol has an alphabet of its own") {
  for_seeds(50, [](Random& random) {
    std::vector<Stream> streams = random_streams(random);
    const std::size_t bad = random.below(streams.size());
    Stream& stream = streams[bad];
    const std::size_t i = random.below(stream.symbols.size());
    const bool below = random.one_in(2);
    stream.symbols[i] = static_cast<std::int16_t>(below ? -1 : stream.sizes[i]);
    std::vector<EncodedStream> encoded(streams.size());
    const Report report = encode_uniform(streams, encoded);
    CHECK(report.problem == Problem::kSymbol);
    CHECK(report.item == static_cast<std::int64_t>(bad));
    CHECK(report.position == static_cast<std::int64_t>(i));

    std::vector<EncodedStream> clamped(streams.size());
    REQUIRE(encode_uniform(streams, clamped, true).ok());
    stream.symbols[i] = static_cast<std::int16_t>(below ? 0 : stream.sizes[i] - 1);
    CHECK(finished(clamped[bad]) == reference::encode(stream.rows, stream.symbols).bytes);
  });
}

namespace {

// Numbers below 256 as two digits of four bits, or as one if the high digit is 0, after a bit that
// says which.
class DigitSource {
 public:
  explicit DigitSource(Numbers numbers) : numbers_(std::move(numbers)) {}

  [[nodiscard]] ReadableBlock read(std::size_t count) {
    std::array<std::uint32_t, kBlock> numbers;
    read_integers(numbers_, count, numbers.data());
    intervals_.clear();
    symbols_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t high = numbers[i] / 16;
      push(i, 2, high > 0 ? 1 : 0);
      if (high > 0) push(i, 16, high);
      push(i, 16, numbers[i] % 16);
    }
    return {count};
  }

  [[nodiscard]] std::size_t size() const { return intervals_.size(); }
  [[nodiscard]] std::size_t symbol(std::size_t i) const { return symbols_[i]; }

  struct View {
    const Interval* intervals = nullptr;
    [[nodiscard]] Interval interval(std::size_t i) const { return intervals[i]; }
  };
  [[nodiscard]] View view(std::size_t first) const { return {intervals_.data() + first}; }

  [[nodiscard]] static Fault why_not_codable(std::size_t) { return {Problem::kInterval}; }

 private:
  // A digit beyond its base has an interval beyond the range.
  void push(std::size_t symbol, std::uint32_t base, std::uint32_t digit) {
    symbols_.push_back(symbol);
    intervals_.push_back(digit < base ? Uniform::interval(base, digit) : Interval{1, 1});
  }

  Numbers numbers_;
  std::vector<Interval> intervals_;
  std::vector<std::size_t> symbols_;
};
static_assert(LazySource<DigitSource>);

using DigitEncode = EncodeTask<DigitSource>;

}  // namespace

TEST_CASE("a source of several intervals for one symbol") {
  for_seeds(50, [](Random& random) {
    Symbols numbers(1 + random.below(1300));
    std::vector<reference::Row> rows;
    Symbols digits;
    const auto push = [&](std::int64_t base, std::int64_t digit) {
      reference::Row row;
      for (std::int64_t s = 0; s <= base; ++s) row.push_back(s * 65536 / base);
      rows.push_back(row);
      digits.push_back(static_cast<std::int16_t>(digit));
    };
    for (auto& number : numbers) {
      number = static_cast<std::int16_t>(random.below(random.one_in(2) ? 16 : 256));
      push(2, number / 16 > 0 ? 1 : 0);
      if (number / 16 > 0) push(16, number / 16);
      push(16, number % 16);
    }
    ThreadTeam alone(1);
    const auto encode_numbers = [&](EncodedStream& stream) {
      return run_tasks_of<DigitEncode>(1, alone, [&](void* memory, std::size_t) {
        return new (memory) DigitEncode(static_cast<std::int64_t>(numbers.size()), &stream, [&] {
          return DigitSource(integers(DType::kInt16, numbers));
        });
      });
    };
    EncodedStream stream;
    REQUIRE(encode_numbers(stream).ok());
    CHECK(finished(stream) == reference::encode(rows, digits).bytes);

    const std::size_t bad = random.below(numbers.size());
    numbers[bad] = 16 * 16;
    EncodedStream other;
    const Report report = encode_numbers(other);
    CHECK(report.problem == Problem::kInterval);
    CHECK(report.position == static_cast<std::int64_t>(bad));
  });
}

TEST_CASE("symbols are decoded to int32 as to int16") {
  for_seeds(100, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(1, 900));
    const Symbols symbols = random_symbols(random, cdf);
    const Bytes bytes = encode(cdf, symbols);
    Decoder decoder(bytes);
    Symbols unused(symbols.size());
    DecodeJob job = decode_job(decoder, cdf, 0, unused);
    std::vector<std::int32_t> decoded(symbols.size(), -1);
    job.values = decoded.data();
    REQUIRE(decode(job).ok());
    CHECK(decoded == std::vector<std::int32_t>(symbols.begin(), symbols.end()));
  });
}

TEST_CASE("rows of different types in one call are coded as those of one") {
  for_seeds(20, [](Random& random) {
    std::vector<StoredCdf> cdfs;
    std::vector<Symbols> symbols;
    for (auto left = random.below(9) + 2; left > 0; --left) {
      cdfs.push_back(random_cdf(random, random.between(1, 90)));
      symbols.push_back(random_symbols(random, cdfs.back()));
    }
    std::vector<EncodedStream> streams(cdfs.size());
    std::vector<EncodeJob> encode_these;
    for (std::size_t i = 0; i < cdfs.size(); ++i)
      encode_these.push_back(encode_job(streams[i], cdfs[i], 0, symbols[i]));
    ThreadTeam alone(1);
    REQUIRE(torchac::encode(encode_these, alone).ok());
    std::vector<Bytes> bytes;
    std::vector<Symbols> decoded;
    for (std::size_t i = 0; i < cdfs.size(); ++i) {
      bytes.push_back(finished(streams[i]));
      CHECK(bytes[i] == encode(cdfs[i], symbols[i]));
      decoded.emplace_back(symbols[i].size());
    }
    std::vector<Decoder> decoders(bytes.begin(), bytes.end());
    std::vector<DecodeJob> decode_these;
    for (std::size_t i = 0; i < cdfs.size(); ++i)
      decode_these.push_back(decode_job(decoders[i], cdfs[i], 0, decoded[i]));
    REQUIRE(torchac::decode(decode_these, alone).ok());
    CHECK(decoded == symbols);

    // The first one with a problem is reported.
    const std::size_t bad = random.below(cdfs.size());
    for (std::size_t i = bad; i < cdfs.size(); ++i) symbols[i].back() = -1;
    const Report report = torchac::encode(encode_these, alone);
    CHECK(report.problem == Problem::kSymbol);
    CHECK(report.item == static_cast<std::int64_t>(bad));
  });
}

}  // namespace torchac::test
