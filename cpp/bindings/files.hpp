// The segments of a file, as docs/format.md ("Files") defines them: where they lie, and what they
// say of their values. What they hold is neither read nor checked here.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "calls.hpp"
#include "packed.hpp"
#include "torchac/support/poll.hpp"

namespace torchac::python {

// How many values of so many each stream of a segment has, except the last one: 2^17 to 2^18, so
// that its length and its end, 5 bytes, are less than a thousandth of it from 0.3 bits a value on.
inline std::int64_t values_per_stream(std::int64_t values) {
  const std::int64_t streams = std::max<std::int64_t>(1, values >> 17);
  return std::max<std::int64_t>(1, values / streams + (values % streams != 0));
}

// Why a file cannot be read on: it ends too early, or no encoder writes so.
struct FileEnds {};
struct Damaged {
  const char* why;
};

// Bytes that are taken one after the other, each of them read once, and kept.
class Taker {
 public:
  Taker(std::span<const std::uint8_t> data, std::vector<std::uint8_t>& kept)
      : data_(data), kept_(kept) {}

  [[nodiscard]] std::size_t left() const { return data_.size() - at_; }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::uint8_t byte() {
    if (left() == 0) throw FileEnds();
    kept_.push_back(data_[at_++]);
    return kept_.back();
  }
  std::string_view bytes(std::size_t count) {
    if (left() < count) throw FileEnds();
    const auto from = data_.subspan(at_, count);
    at_ += count;
    kept_.insert(kept_.end(), from.begin(), from.end());
    return {reinterpret_cast<const char*>(kept_.data() + kept_.size() - count), count};
  }
  // What is not kept.
  void skip(std::uint64_t count) {
    if (left() < count) throw FileEnds();
    at_ += count;
  }

  std::int64_t number() {
    std::uint64_t result = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
      const std::uint8_t next = byte();
      result |= std::uint64_t{next & 127u} << shift;
      if (next >= 128) continue;
      if (next == 0 && shift > 0) throw Damaged("a number that is padded with zeros");
      return static_cast<std::int64_t>(result);
    }
    throw Damaged("a number of more than 63 bits");
  }
  std::int64_t signed_number() {
    const std::int64_t doubled = number();
    return doubled & 1 ? -(doubled >> 1) - 1 : doubled >> 1;
  }

 private:
  std::span<const std::uint8_t> data_;
  std::vector<std::uint8_t>& kept_;
  std::size_t at_ = 0;
};

inline bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(text[k]); };
    const std::uint8_t first = byte(i++);
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    const std::size_t more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (text.size() - i < more) return false;
    // The second byte says whether the character is too long for its number, a surrogate, or beyond
    // the last one.
    const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (byte(i) < least || byte(i) > most) return false;
    for (std::size_t k = 1; k < more; ++k)
      if (byte(i + k) >> 6 != 2) return false;
    i += more;
  }
  return true;
}

// What a segment says of its values.
struct SegmentHeader {
  static constexpr int kEnd = 0, kConstant = 1, kFixed = 2, kCoded = 3;

  int kind = kEnd;
  std::optional<std::string> name;
  std::vector<std::int64_t> shape;
  std::int64_t least = 0;             // of the values, unless they are coded
  int width = 0;                      // bits of each, if they have a fixed width
  std::vector<std::int64_t> lengths;  // of the streams, if they are coded
  std::uint32_t checksum = 0;         // of the values, if they are coded
  std::uint64_t payload = 0;          // how many bytes follow

  // Reads what a segment, or the end of a file, begins with; lengths only if they are wanted.
  void read(Taker& from, bool with_lengths) {
    const unsigned first = from.byte();
    kind = static_cast<int>(first & 3);
    name.reset();
    shape.clear();
    lengths.clear();
    payload = 0;
    if (kind == kEnd && first != 0) throw Damaged("an end with a shape or a name");
    if (kind == kEnd) return;
    if (first >> 2 & 1) read_name(from);
    for (unsigned i = 0; i < first >> 3; ++i) shape.push_back(from.number());
    const std::int64_t values = count();
    if (kind == kCoded) {
      read_streams(from, values, with_lengths);
      return;
    }
    least = from.signed_number();
    if (least < INT32_MIN || least > INT32_MAX) throw Damaged("a value of more than 32 bits");
    if (kind == kConstant) {
      if (values == 0 && least != 0) throw Damaged("a value, and a shape without values");
      return;
    }
    width = from.byte();
    if (width < 1 || width > 32) throw Damaged("a width that is not from 1 to 32 bits");
    const auto [eights, rest] = std::pair(static_cast<std::uint64_t>(values) / 8, values % 8);
    payload = eights * static_cast<unsigned>(width) +
              (static_cast<std::uint64_t>(rest) * static_cast<unsigned>(width) + 7) / 8;
  }

 private:
  void read_name(Taker& from) {
    const std::size_t size = from.byte();
    if (size == 0) throw Damaged("an empty name");
    name = from.bytes(size);
    if (!is_utf8(*name)) throw Damaged("a name that is not UTF-8");
  }

  void read_streams(Taker& from, std::int64_t values, bool with_lengths) {
    const std::int64_t each = values_per_stream(values);
    const auto streams = static_cast<std::uint64_t>(values / each + (values % each != 0));
    if (streams > from.left()) throw FileEnds();  // before there is memory for them
    constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
    for (std::uint64_t i = 0; i < streams; ++i) {
      const std::int64_t length = from.number();
      payload = std::min(payload + static_cast<std::uint64_t>(length), kMost);
      if (with_lengths) lengths.push_back(length);
    }
    checksum = 0;
    for (unsigned shift = 0; shift < 32; shift += 8)
      checksum |= std::uint32_t{from.byte()} << shift;
  }

  // How many values there are. Nobody has a shape of 2^62 of them, nor one that would have so many
  // if it had no size of 0.
  [[nodiscard]] std::int64_t count() const {
    constexpr std::int64_t kLimit = std::int64_t{1} << 62;
    std::int64_t product = 1;
    bool empty = false;
    for (const std::int64_t size : shape) {
      if (size > 0 && product > (kLimit - 1) / size)
        throw Damaged("a shape of 2^62 values or more");
      empty = empty || size == 0;
      product *= std::max<std::int64_t>(size, 1);
    }
    return empty ? 0 : product;
  }
};

// Where the segments of a file begin, and their headers, which are kept apart: so they stay what
// was checked, and a million of them takes little memory.
class SegmentIndex {
 public:
  static constexpr std::size_t kCrcBytes = 4;

  // Walks from the first segment to the end of the file, or to what is no segment.
  SegmentIndex(const py::buffer& data, std::size_t begin) {
    const py::buffer_info buffer = data.request();
    const std::span<const std::uint8_t> bytes = to_span(buffer);
    require(begin <= bytes.size(), "a place within the bytes expected");
    const py::gil_scoped_release release;
    Poll poll(poll_signals);
    walk(bytes, begin, poll);
    find_equal_names();
    headers_.shrink_to_fit();
  }

  [[nodiscard]] std::size_t size() const { return begins_.size() - 1; }
  [[nodiscard]] const std::vector<std::int64_t>& begins() const { return begins_; }
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  [[nodiscard]] SegmentHeader header(std::size_t number) const {
    require(number < size(), "the number of a segment expected");
    SegmentHeader result;
    std::vector<std::uint8_t> kept;
    Taker from(header_bytes(number), kept);
    result.read(from, true);
    return result;
  }

  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const {
    const Named wanted{std::hash<std::string_view>{}(name), 0};
    const auto found =
        std::ranges::lower_bound(names_, wanted, [&](const Named& a, const Named& b) {
          return a.hash != b.hash ? a.hash < b.hash : name_of(a.number) < name;
        });
    if (found == names_.end() || found->hash != wanted.hash || name_of(found->number) != name)
      return std::nullopt;
    return found->number;
  }

 private:
  struct Named {
    std::size_t hash;
    std::size_t number;
  };

  void walk(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll) {
    begins_.push_back(static_cast<std::int64_t>(begin));
    header_begins_.push_back(0);
    Taker from(data, headers_);
    from.skip(begin);
    SegmentHeader header;
    while (true) {
      poll.after(1);
      try {
        header.read(from, false);
        from.skip(header.payload);
        from.skip(kCrcBytes);
      } catch (const FileEnds&) {
        problem_ = "";
      } catch (const Damaged& damaged) {
        problem_ = damaged.why;
      }
      if (problem_ || header.kind == SegmentHeader::kEnd) break;
      if (header.name) names_.push_back({std::hash<std::string_view>{}(*header.name), size()});
      begins_.push_back(static_cast<std::int64_t>(from.at()));
      header_begins_.push_back(headers_.size());
    }
  }

  // Sorts the names. The walk is over where one comes for the second time.
  void find_equal_names() {
    std::ranges::sort(names_, [&](const Named& a, const Named& b) {
      if (a.hash != b.hash) return a.hash < b.hash;
      return std::pair(name_of(a.number), a.number) < std::pair(name_of(b.number), b.number);
    });
    std::size_t first = size();
    for (std::size_t i = 1; i < names_.size(); ++i) {
      const auto& [a, b] = std::pair(names_[i - 1], names_[i]);
      if (a.hash == b.hash && name_of(a.number) == name_of(b.number))
        first = std::min(first, b.number);
    }
    if (first == size()) return;
    std::erase_if(names_, [&](const Named& named) { return named.number >= first; });
    begins_.resize(first + 1);
    problem_ = "a name that another segment has";
  }

  [[nodiscard]] std::span<const std::uint8_t> header_bytes(std::size_t number) const {
    return std::span(headers_).subspan(header_begins_[number],
                                       header_begins_[number + 1] - header_begins_[number]);
  }
  // Behind the first byte and the length.
  [[nodiscard]] std::string_view name_of(std::size_t number) const {
    const std::span<const std::uint8_t> header = header_bytes(number);
    return {reinterpret_cast<const char*>(header.data()) + 2, header[1]};
  }

  std::vector<std::int64_t> begins_;  // of the segments, and of what follows them
  std::vector<std::uint8_t> headers_;
  std::vector<std::size_t> header_begins_;
  std::vector<Named> names_;            // sorted
  std::optional<std::string> problem_;  // with what follows; an empty one if the file ends there
};

}  // namespace torchac::python
