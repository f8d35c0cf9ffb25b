// The segments of a file, as docs/format.md ("Files") defines them: where they lie, and what they
// say of their values. What they hold is neither read nor checked here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "torchac/support/poll.hpp"

namespace torchac {

// How many of a segment's values each of its streams has, except for the last one: 2^17 to 2^18, so
// that its length and its end, 5 bytes, are less than a thousandth of it from 0.3 bits a value on.
[[nodiscard]] std::int64_t values_per_stream(std::int64_t values);

enum class SegmentKind : std::uint8_t { kEnd, kConstant, kFixed, kCoded };

// What a segment says of its values.
struct SegmentHeader {
  SegmentKind kind = SegmentKind::kEnd;
  std::optional<std::string> name;
  std::vector<std::int64_t> shape;
  std::int64_t least = 0;             // of the values, unless they are coded
  int width = 0;                      // bits of each, if they have a fixed width
  std::vector<std::int64_t> lengths;  // of the streams, if they are coded
  std::uint32_t checksum = 0;         // of the values, if they are coded
  std::uint64_t payload = 0;          // how many bytes follow
};

// Where the segments of a file begin, and their headers, which are kept apart: so they stay what
// was checked, and a million of them takes little memory.
class SegmentIndex {
 public:
  // Walks from byte `begin`, where the first segment is, to the end of the file, or to what is not
  // a segment. Reads each byte once.
  SegmentIndex(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll);

  [[nodiscard]] std::size_t size() const { return begins_.size() - 1; }

  // Of the segments, and of what follows them.
  [[nodiscard]] const std::vector<std::int64_t>& begins() const { return begins_; }

  // What is wrong with what follows the segments, if it is not the end: empty if the file ends
  // there.
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  [[nodiscard]] SegmentHeader header(std::size_t number) const;

  // The number of the segment that has a name.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const;

 private:
  struct Named {
    std::size_t hash;
    std::size_t number;
  };

  void walk(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll);
  void find_equal_names();
  [[nodiscard]] std::span<const std::uint8_t> header_bytes(std::size_t number) const;
  [[nodiscard]] std::string_view name_of(std::size_t number) const;

  std::vector<std::int64_t> begins_;
  std::vector<std::uint8_t> headers_;
  std::vector<std::size_t> header_begins_;
  std::vector<Named> names_;  // sorted
  std::optional<std::string> problem_;
};

}  // namespace torchac
