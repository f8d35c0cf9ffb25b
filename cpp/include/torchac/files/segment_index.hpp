// The segments of a file, as docs/format.md ("Files") defines them: their positions and headers.
// Their payloads are neither read nor checked here.
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

// The version of the format that is read here.
inline constexpr unsigned kFileVersion = 1;

// Segments of fewer values have one stream, and no number of streams.
inline constexpr std::int64_t kManyValues = 4096;

// Whether bytes can be a name.
[[nodiscard]] bool is_utf8(std::string_view text);

enum class SegmentKind : std::uint8_t { kEnd, kConstant, kFixed, kCoded };

// The header of a segment.
struct SegmentHeader {
  SegmentKind kind = SegmentKind::kEnd;
  std::optional<std::string> name;
  std::vector<std::int64_t> shape;
  std::int64_t least = 0;             // the least value, unless the values are coded
  int width = 0;                      // bits of each value, if they have a fixed width
  std::vector<std::int64_t> lengths;  // of the streams, if the values are coded
  std::uint32_t checksum = 0;         // of the values, if they are coded
  std::uint64_t payload = 0;          // the number of bytes that follow
};

// Where the segments of a file begin, and copies of their headers, which no one changes after they
// were checked. A million of them take little memory.
class SegmentIndex {
 public:
  // Walks from the first segment, at byte `begin`, to the end of the file, or to the first bytes
  // that are not a segment. Reads each byte once.
  SegmentIndex(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll);

  [[nodiscard]] std::size_t size() const { return begins_.size() - 1; }

  // The positions of the segments, and of the byte after the last one.
  [[nodiscard]] const std::vector<std::int64_t>& begins() const { return begins_; }

  // The fault of the bytes after the segments, as what is said of a segment, if they are not the
  // end of the file; an empty string if there are none.
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  [[nodiscard]] SegmentHeader header(std::size_t number) const;

  // The number of the segment with a name.
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
