// The segments of files: valid ones are found with their headers, and damage ends the walk.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "random.hpp"
#include "streams.hpp"
#include "torchac/files/segment_index.hpp"
#include "torchac/support/poll.hpp"

namespace torchac::test {
namespace {

SegmentIndex walk(const Bytes& file, std::size_t begin = 0) {
  Poll never;
  return {file, begin, never};
}

void add_number(Bytes& to, std::uint64_t number) {
  for (; number >= 128; number >>= 7) to.push_back(static_cast<std::uint8_t>(number | 128));
  to.push_back(static_cast<std::uint8_t>(number));
}

// A segment as a writer makes it, and what a reader says of it.
struct Segment {
  SegmentHeader header;
  Bytes bytes;

  explicit Segment(Random& random, std::size_t number) {
    header.kind = static_cast<SegmentKind>(random.between(1, 3));
    if (random.one_in(2)) header.name = "é" + std::to_string(number);
    std::int64_t values = 1;
    for (auto left = random.below(4); left > 0; --left) {
      header.shape.push_back(random.between(0, 90));
      values *= header.shape.back();
    }
    bytes.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(header.kind) |
                                              (header.name ? 4u : 0u) | header.shape.size() << 3));
    if (header.name) {
      bytes.push_back(static_cast<std::uint8_t>(header.name->size()));
      bytes.insert(bytes.end(), header.name->begin(), header.name->end());
    }
    for (const std::int64_t size : header.shape)
      add_number(bytes, static_cast<std::uint64_t>(size));
    header.kind == SegmentKind::kCoded ? add_coded(random, values) : add_values(random, values);
    bytes.resize(bytes.size() + header.payload + 4);
  }

 private:
  void add_coded(Random& random, std::int64_t values) {
    std::int64_t streams = values > 0 ? 1 : 0;
    if (values >= kManyValues) {
      streams = random.between(1, std::min<std::int64_t>(values, 40));
      add_number(bytes, static_cast<std::uint64_t>(streams));
    }
    for (std::int64_t left = streams; left > 0; --left) {
      header.lengths.push_back(random.between(0, 300));
      add_number(bytes, static_cast<std::uint64_t>(header.lengths.back()));
      header.payload += static_cast<std::uint64_t>(header.lengths.back());
    }
    header.checksum = 0x89abcdef;
    for (const int byte : {0xef, 0xcd, 0xab, 0x89})
      bytes.push_back(static_cast<std::uint8_t>(byte));
  }

  void add_values(Random& random, std::int64_t values) {
    if (values > 0) header.least = random.between(INT32_MIN, INT32_MAX);
    add_number(bytes, header.least < 0 ? static_cast<std::uint64_t>(-header.least) * 2 - 1
                                       : static_cast<std::uint64_t>(header.least) * 2);
    if (header.kind == SegmentKind::kConstant) return;
    header.width = static_cast<int>(random.between(1, 32));
    bytes.push_back(static_cast<std::uint8_t>(header.width));
    header.payload = static_cast<std::uint64_t>((values * header.width + 7) / 8);
  }
};

void check_same(const SegmentHeader& header, const SegmentHeader& expected) {
  CHECK(header.kind == expected.kind);
  CHECK(header.name == expected.name);
  CHECK(header.shape == expected.shape);
  CHECK(header.least == expected.least);
  CHECK(header.width == expected.width);
  CHECK(header.lengths == expected.lengths);
  CHECK(header.checksum == expected.checksum);
  CHECK(header.payload == expected.payload);
}

}  // namespace

TEST_CASE("segments are found, by number and by name, up to the end or where bytes are missing") {
  for_seeds(200, [](Random& random) {
    const std::size_t begin = random.below(9);
    Bytes file(begin, 255);
    std::vector<Segment> segments;
    for (auto left = random.below(9); left > 0; --left) {
      segments.emplace_back(random, segments.size());
      file.insert(file.end(), segments.back().bytes.begin(), segments.back().bytes.end());
    }
    for (const bool ends : {true, false}) {
      if (ends) file.resize(file.size() + 5);  // and its checksum
      // Without the end, some of the last segment's bytes may be missing, too.
      if (!ends) file.resize(file.size() - 1 - random.below(file.size() - begin));
      Poll never;
      const SegmentIndex index(file, begin, never);
      REQUIRE(index.size() <= segments.size());
      CHECK((index.size() == segments.size() || !ends));
      std::size_t at = begin;
      for (std::size_t i = 0; i < index.size(); ++i) {
        CHECK(static_cast<std::size_t>(index.begins()[i]) == at);
        at += segments[i].bytes.size();
        check_same(index.header(i), segments[i].header);
        if (segments[i].header.name) CHECK(index.find(*segments[i].header.name) == i);
      }
      CHECK(static_cast<std::size_t>(index.begins().back()) == at);
      if (!ends) CHECK(at <= file.size());
      CHECK((index.problem() == std::nullopt) == ends);
      if (!ends) CHECK(index.problem()->empty());
      CHECK(index.find("none") == std::nullopt);
      CHECK_THROWS_AS((void)index.header(index.size()), std::invalid_argument);
    }
  });
}

TEST_CASE("what no writer writes is refused") {
  CHECK(walk({0, 0, 0, 0, 0}).problem() == std::nullopt);
  CHECK(walk({0}).problem() == "");
  CHECK(walk({8}).problem() == "");
  CHECK(walk({8, 2}).problem() ==
        "needs version 2 of the file format, this release of torchac reads 1: a later release "
        "wrote it, or it is damaged");
  const std::string start = "is damaged: ";
  const auto problem = [&](const Bytes& file) {
    const std::string found = walk(file).problem().value_or("none");
    CHECK(found.starts_with(start));
    return found.substr(std::min(found.size(), start.size()));
  };
  CHECK(problem({4, 1}) == "a kind that no version has");
  CHECK(problem({11, 0x80, 0x20, 0}) == "no streams, or more than values");
  CHECK(problem({11, 0x80, 0x20, 0x81, 0x20}) == "no streams, or more than values");
  CHECK(problem({5, 0}) == "an empty name");
  CHECK(problem({5, 1, 0x80}) == "a name that is not UTF-8");
  CHECK(problem({5, 3, 0xed, 0xa0, 0x80}) == "a name that is not UTF-8");  // a surrogate
  CHECK(problem({9, 0x80, 0}) == "a number that is padded with zeros");
  CHECK(problem({9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}) ==
        "a number of more than 63 bits");
  CHECK(problem({1, 0xff, 0xff, 0xff, 0xff, 0x7f}) == "a value of more than 32 bits");
  CHECK(problem({9, 0, 2}) == "a value, and a shape without values");
  CHECK(problem({2, 0, 33}) == "a width that is not from 1 to 32 bits");
  CHECK(problem({17, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x7f}) ==
        "a shape of 2^62 values or more");
  const Bytes named{5, 1, 'a', 0, 0, 0, 0, 0};
  Bytes twice = named;
  twice.insert(twice.end(), named.begin(), named.end());
  CHECK(problem(twice) == "a name that another segment has");
  CHECK(walk(twice).size() == 1);
  CHECK_THROWS_AS(walk({0}, 2), std::invalid_argument);
}

TEST_CASE("any bytes are walked") {
  for_seeds(2000, [](Random& random) {
    Bytes file = random.bytes(random.below(60));
    for (auto& byte : file) byte = random.one_in(2) ? std::uint8_t(byte & 31u) : byte;
    const SegmentIndex index = walk(file);
    CHECK(static_cast<std::size_t>(index.begins().back()) <= file.size());
    for (std::size_t i = 0; i < index.size(); ++i) {
      const SegmentHeader header = index.header(i);
      CHECK(header.payload <= file.size());
    }
  });
}

}  // namespace torchac::test
