// While symbols stay across the middle of the range, the next bits are 0111... or 1000... . The
// last symbol decides, and may change every written byte.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "random.hpp"
#include "reference.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/interval.hpp"

namespace torchac::test {
namespace {

// Defers 15 bits and leaves the range as it was.
constexpr Interval kAcross{32767, 32769};
constexpr Interval kDown{0, 1};
constexpr Interval kUp{65535, 65536};
constexpr std::size_t kThousands = 20000;

void code(EncodedStream& stream, const std::vector<Interval>& intervals) {
  Encoder encoder = stream.open(intervals.size());
  for (const Interval interval : intervals) encoder.encode(interval);
  stream.close(encoder);
}

Bytes coded(const std::vector<Interval>& intervals) {
  EncodedStream stream;
  code(stream, intervals);
  return finished(stream);
}

Bytes coded_by_reference(const std::vector<Interval>& intervals) {
  reference::Encoder encoder;
  for (const Interval interval : intervals) encoder.encode(interval.low, interval.high);
  return encoder.finish();
}

std::vector<Interval> deferred(std::size_t count, const std::vector<Interval>& end) {
  std::vector<Interval> intervals(count, kAcross);
  intervals.insert(intervals.end(), end.begin(), end.end());
  return intervals;
}

// Takes out bytes after each part, and returns the whole stream.
Bytes drained(const std::vector<std::vector<Interval>>& parts) {
  EncodedStream stream;
  Bytes bytes;
  for (const auto& part : parts) {
    code(stream, part);
    for (const std::uint8_t byte : stream.drain()) bytes.push_back(byte);
  }
  for (const std::uint8_t byte : finished(stream)) bytes.push_back(byte);
  return bytes;
}

}  // namespace

// 61 bits that the last symbol decides, its 15 other bits, and 01, the end.
TEST_CASE("four deferred symbols are 0 and 60 times 1, or 1 and 60 times 0") {
  CHECK(coded(deferred(4, {kDown})) ==
        Bytes{0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF8, 0x00, 0x04});
  CHECK(coded(deferred(4, {kUp})) ==
        Bytes{0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xFF, 0xF4});
}

TEST_CASE("deferred bits resolve down, up, or by the end of the stream") {
  for (const std::size_t count : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 30u, 31u, 32u, 33u, 20000u}) {
    CAPTURE(count);
    for (const auto& end : {std::vector<Interval>{},
                            {kDown},
                            {kUp},
                            {kDown, kAcross, kUp},
                            {kUp, kAcross, kAcross, kDown}}) {
      const auto intervals = deferred(count, end);
      CHECK(coded(intervals) == coded_by_reference(intervals));
    }
  }
}

TEST_CASE("a carry reaches bytes that earlier calls wrote") {
  EncodedStream stream;
  for (std::size_t i = 0; i < kThousands; ++i) code(stream, {kAcross});
  code(stream, {kUp});
  CHECK(finished(stream) == coded_by_reference(deferred(kThousands, {kUp})));
}

TEST_CASE("a carry can be undone") {
  for (const std::size_t count : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 20000u}) {
    CAPTURE(count);
    EncodedStream stream;
    code(stream, deferred(count, {}));
    const auto checkpoint = stream.checkpoint();
    code(stream, deferred(0, {kUp, kDown, kUp, kDown}));
    stream.restore(checkpoint);
    code(stream, {kDown});
    CHECK(finished(stream) == coded_by_reference(deferred(count, {kDown})));
  }
}

TEST_CASE("no carry comes to bytes that were drained") {
  for (std::uint32_t flips = 0; flips < 64; ++flips) {  // as many bits before as fill bytes or not
    for (std::size_t across = 0; across < 6; ++across) {
      for (const Interval last : {kUp, kDown, kAcross}) {
        const Interval flip{32768, 65536};
        std::vector<std::vector<Interval>> parts(1, std::vector<Interval>(flips, flip));
        parts.resize(1 + across, {kAcross});
        parts.push_back({last});
        std::vector<Interval> whole;
        for (const auto& part : parts) whole.insert(whole.end(), part.begin(), part.end());
        CAPTURE(flips);
        CAPTURE(across);
        REQUIRE(drained(parts) == coded_by_reference(whole));
      }
    }
  }
}

TEST_CASE("draining keeps no more than a carry may come to") {
  EncodedStream stream;
  code(stream, std::vector<Interval>(1000, {0, 1}));
  CHECK(stream.drain().size() > 1990);
  CHECK(stream.size() <= 3);
  CHECK(stream.drain().empty());
}

// Ranges that begin and end at the borders of the range's quarters, where the coder decides.
TEST_CASE("all triples of intervals that are eighths") {
  std::vector<Interval> eighths;
  for (std::uint32_t low = 0; low < 8; ++low) {
    for (std::uint32_t high = low + 1; high <= 8; ++high)
      eighths.push_back({low << 13, high << 13});
  }
  for (const Interval first : eighths) {
    for (const Interval second : eighths) {
      for (const Interval third : eighths) {
        REQUIRE(coded({first, second, third}) == coded_by_reference({first, second, third}));
      }
    }
  }
}

// Random walks near the middle: symbols that stay across it, and ones that leave it.
TEST_CASE("deferred bits among others") {
  for_seeds(500, [](Random& random) {
    std::vector<Interval> intervals(random.below(200));
    for (Interval& interval : intervals) {
      const std::uint32_t reach = 1u << random.below(15);
      interval = random.one_in(8)
                     ? random.one_of<Interval>({kUp, kDown, {32767, 32768}, {32768, 32769}})
                     : Interval{32768 - reach, 32768 + reach};
    }
    CHECK(coded(intervals) == coded_by_reference(intervals));
  });
}

}  // namespace torchac::test
