#include "torchac/files/segment_index.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "torchac/support/poll.hpp"

namespace torchac {
namespace {

constexpr std::size_t kCrcBytes = 4;

// Reasons why a file cannot be read further: it ends too early, or no encoder writes such bytes.
struct FileEnds : std::exception {};
struct Damaged : std::exception {
  explicit Damaged(const char* what) : why(what) {}

  const char* why;
};

// A later version of the format is needed.
struct Newer : std::exception {
  explicit Newer(unsigned needed) : version(needed) {}

  unsigned version;
};

// Takes bytes one after the other, reads each once, and keeps a copy.
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
  // Skips bytes without keeping them.
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

// Whether a character may begin with these bytes: the second one says whether it is too long for
// its number, a surrogate, or beyond the last one.
bool is_second(std::uint8_t first, std::uint8_t second) {
  switch (first) {
    case 0xe0:
      return 0xa0 <= second && second <= 0xbf;
    case 0xed:
      return 0x80 <= second && second <= 0x9f;
    case 0xf0:
      return 0x90 <= second && second <= 0xbf;
    case 0xf4:
      return 0x80 <= second && second <= 0x8f;
    default:
      return 0x80 <= second && second <= 0xbf;
  }
}

// Reads headers.
class HeaderReader {
 public:
  // Headers are read into the memory of `header`.
  HeaderReader(Taker& from, SegmentHeader& header) : from_(from), header_(header) {
    header.name.reset();
    header.shape.clear();
    header.lengths.clear();
    header.payload = 0;
    header.checksum = 0;
  }

  // Reads the header of a segment, or the end of a file. Lengths are read only on demand.
  void read(bool with_lengths) {
    const unsigned first = from_.byte();
    header_.kind = static_cast<SegmentKind>(first & 3);
    if (header_.kind == SegmentKind::kEnd) {
      if (first != 0) refuse_kind(from_.byte());
      return;
    }
    if (first >> 2 & 1) read_name();
    for (unsigned i = 0; i < first >> 3; ++i) header_.shape.push_back(from_.number());
    const std::int64_t values = count();
    if (header_.kind == SegmentKind::kCoded) {
      read_streams(values, with_lengths);
    } else {
      read_least(values);
    }
    if (header_.kind == SegmentKind::kFixed) read_width(values);
  }

 private:
  // Kinds that are not known here follow the version that they were added in.
  [[noreturn]] static void refuse_kind(unsigned version) {
    if (version <= kFileVersion) throw Damaged("a kind that no version has");
    throw Newer(version);
  }

  void read_name() {
    const std::size_t size = from_.byte();
    if (size == 0) throw Damaged("an empty name");
    header_.name = from_.bytes(size);
    if (!is_utf8(*header_.name)) throw Damaged("a name that is not UTF-8");
  }

  void read_least(std::int64_t values) {
    header_.least = from_.signed_number();
    if (header_.least < INT32_MIN || header_.least > INT32_MAX)
      throw Damaged("a value of more than 32 bits");
    if (header_.kind == SegmentKind::kConstant && values == 0 && header_.least != 0)
      throw Damaged("a value, and a shape without values");
  }

  void read_width(std::int64_t values) {
    header_.width = from_.byte();
    if (header_.width < 1 || header_.width > 32)
      throw Damaged("a width that is not from 1 to 32 bits");
    const auto width = static_cast<std::uint64_t>(header_.width);
    const auto [eights, rest] =
        std::pair(static_cast<std::uint64_t>(values) / 8, static_cast<std::uint64_t>(values) % 8);
    header_.payload = eights * width + (rest * width + 7) / 8;
  }

  void read_streams(std::int64_t values, bool with_lengths) {
    const std::int64_t counted =
        values < kManyValues ? std::min(values, std::int64_t{1}) : from_.number();
    if (counted > values || (counted == 0 && values > 0))
      throw Damaged("no streams, or more than values");
    const auto streams = static_cast<std::uint64_t>(counted);
    if (streams > from_.left()) throw FileEnds();  // before any memory is allocated for them
    constexpr std::uint64_t kMost = std::uint64_t{1} << 63;
    for (std::uint64_t i = 0; i < streams; ++i) {
      const std::int64_t length = from_.number();
      header_.payload = std::min(header_.payload + static_cast<std::uint64_t>(length), kMost);
      if (with_lengths) header_.lengths.push_back(length);
    }
    for (unsigned shift = 0; shift < 32; shift += 8)
      header_.checksum |= std::uint32_t{from_.byte()} << shift;
  }

  // The number of values. The product of the sizes that are not 0 must be below 2^62.
  [[nodiscard]] std::int64_t count() const {
    constexpr std::int64_t kLimit = std::int64_t{1} << 62;
    std::int64_t product = 1;
    bool empty = false;
    for (const std::int64_t size : header_.shape) {
      if (size > 0 && product > (kLimit - 1) / size)
        throw Damaged("a shape of 2^62 values or more");
      empty = empty || size == 0;
      product *= std::max<std::int64_t>(size, 1);
    }
    return empty ? 0 : product;
  }

  Taker& from_;
  SegmentHeader& header_;
};

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint8_t>(text[k]); };
    const std::uint8_t first = byte(i++);
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    const std::size_t more = 1u + (first >= 0xe0 ? 1u : 0u) + (first >= 0xf0 ? 1u : 0u);
    if (text.size() - i < more) return false;
    if (!is_second(first, byte(i))) return false;
    for (std::size_t k = 1; k < more; ++k)
      if (byte(i + k) >> 6 != 2) return false;
    i += more;
  }
  return true;
}

SegmentIndex::SegmentIndex(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll) {
  if (begin > data.size()) throw std::invalid_argument("a place within the bytes expected");
  walk(data, begin, poll);
  find_equal_names();
  headers_.shrink_to_fit();
}

SegmentHeader SegmentIndex::header(std::size_t number) const {
  if (number >= size()) throw std::invalid_argument("the number of a segment expected");
  SegmentHeader result;
  std::vector<std::uint8_t> kept;
  Taker from(header_bytes(number), kept);
  HeaderReader(from, result).read(true);
  return result;
}

std::optional<std::size_t> SegmentIndex::find(std::string_view name) const {
  const Named wanted{std::hash<std::string_view>{}(name), 0};
  const auto found = std::ranges::lower_bound(names_, wanted, [&](const Named& a, const Named& b) {
    return a.hash != b.hash ? a.hash < b.hash : name_of(a.number) < name;
  });
  if (found == names_.end() || found->hash != wanted.hash || name_of(found->number) != name)
    return std::nullopt;
  return found->number;
}

void SegmentIndex::walk(std::span<const std::uint8_t> data, std::size_t begin, Poll& poll) {
  begins_.push_back(static_cast<std::int64_t>(begin));
  header_begins_.push_back(0);
  Taker from(data, headers_);
  from.skip(begin);
  SegmentHeader header;
  while (true) {
    poll.after(1);
    try {
      HeaderReader(from, header).read(false);
      from.skip(header.payload);
      from.skip(kCrcBytes);
    } catch (const FileEnds&) {
      problem_ = "";
    } catch (const Damaged& damaged) {
      problem_ = std::string("is damaged: ") + damaged.why;
    } catch (const Newer& newer) {
      problem_ = "needs version " + std::to_string(newer.version) +
                 " of the file format, this release of torchac reads " +
                 std::to_string(kFileVersion) + ": a later release wrote it, or it is damaged";
    }
    if (problem_ || header.kind == SegmentKind::kEnd) break;
    if (header.name) names_.push_back({std::hash<std::string_view>{}(*header.name), size()});
    begins_.push_back(static_cast<std::int64_t>(from.at()));
    header_begins_.push_back(headers_.size());
  }
}

// Sorts the names. The walk ends before a segment with a name that was used before.
void SegmentIndex::find_equal_names() {
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
  problem_ = "is damaged: a name that another segment has";
}

std::span<const std::uint8_t> SegmentIndex::header_bytes(std::size_t number) const {
  return std::span(headers_).subspan(header_begins_[number],
                                     header_begins_[number + 1] - header_begins_[number]);
}

// The name comes after the first byte and the length.
std::string_view SegmentIndex::name_of(std::size_t number) const {
  const std::span<const std::uint8_t> header = header_bytes(number);
  return {reinterpret_cast<const char*>(header.data()) + 2, header[1]};
}

}  // namespace torchac
