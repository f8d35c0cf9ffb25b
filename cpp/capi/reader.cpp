// Reads files, as Python's Reader.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "array.hpp"
#include "bytes.hpp"
#include "call.hpp"
#include "file_format.hpp"
#include "model.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/error.hpp"
#include "torchac/files/segment_index.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

using namespace torchac;
using namespace torchac::c;

namespace {

[[noreturn]] void corrupt(const std::string& message) { throw Refused(TORCHAC_CORRUPT, message); }

// Bytes as Python prints them.
std::string shown(ByteSpan bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "b'";
  for (const std::uint8_t byte : bytes) {
    if (byte < 0x20 || byte > 0x7E || byte == '\'' || byte == '\\') {
      text += "\\x";
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    } else {
      text += static_cast<char>(byte);
    }
  }
  return text + "'";
}

// The model's identifier, and where the head ends.
std::pair<ByteSpan, std::size_t> read_head(ByteSpan data) {
  constexpr std::size_t kMagicBytes = sizeof kMagic;
  const ByteSpan magic = data.first(std::min(data.size(), kMagicBytes));
  if (!std::ranges::equal(magic, kMagic))
    corrupt("this is not a torchac file: it begins with " + shown(magic));
  if (data.size() > kMagicBytes && data[kMagicBytes] != kVersion)
    corrupt("the file has version " + std::to_string(data[kMagicBytes]) +
            ", this release of torchac reads " + std::to_string(kVersion) +
            ": a later release wrote it, or it is damaged");
  constexpr std::size_t kBegin = kMagicBytes + 2;
  const std::size_t end = data.size() >= kBegin ? kBegin + data[kBegin - 1] : kBegin;
  if (data.size() < end + kCrcBytes) corrupt("the file ends within its head: it is not complete");
  if (crc(data.first(end)) != crc_before(data, end + kCrcBytes))
    corrupt("the head of the file is damaged");
  return {data.subspan(kBegin, end - kBegin), end + kCrcBytes};
}

}  // namespace

struct torchac_reader {
  ByteSpan data;
  SegmentIndex index;
  std::size_t segments;
  std::optional<std::string> damage;
  bool verified;
  std::int64_t max_values;
  std::size_t threads;

  [[nodiscard]] std::size_t begin(std::size_t number) const {
    return static_cast<std::size_t>(index.begins()[number]);
  }

  // Whether a segment does not match its CRC, which continues the CRC before it.
  [[nodiscard]] bool is_damaged(std::size_t number) const {
    const std::size_t from = begin(number);
    const std::size_t to = begin(number + 1);
    return crc(data.subspan(from, to - kCrcBytes - from), crc_before(data, from)) !=
           crc_before(data, to);
  }

  // What is wrong after the last segment, if the file does not end there.
  [[nodiscard]] std::optional<std::string> unless_ended() const {
    const std::size_t at = begin(index.size());
    const std::string number = std::to_string(index.size());
    if (const auto& problem = index.problem()) {
      if (!problem->empty()) return "segment " + number + " " + *problem;
      if (at == data.size())
        return "the file ends before segment " + number + " or its end: it is not complete";
      return "the file ends within segment " + number + ": it is not complete, or damaged there";
    }
    const std::size_t end = at + 1 + kCrcBytes;
    constexpr std::uint8_t kEnd[1] = {0};
    if (crc_before(data, end) != crc(kEnd, crc_before(data, at)))
      return "the end of the file is damaged";
    const std::size_t more = data.size() - end;
    if (more > 0) return std::to_string(more) + " bytes are after the end of the file";
    return std::nullopt;
  }

  void find_damage() {
    for (std::size_t k = 0; verified && k < index.size(); ++k) {
      if (!is_damaged(k)) continue;
      segments = k;
      damage = "segment " + std::to_string(k) + " is damaged";
      return;
    }
    damage = unless_ended();
  }
};

namespace {

std::string words(std::uint64_t number, const SegmentHeader& header) {
  return "segment " + std::to_string(number) +
         (header.name ? " ('" + *header.name + "')" : std::string());
}

// Fills values that are not coded. Returns why no encoder writes such bytes, if that is so.
std::string fill(const SegmentHeader& header, ByteSpan payload, const Array& values) {
  const std::int64_t count = values.count();
  const auto put = [&](std::int64_t i, std::int64_t value) {
    const auto number = static_cast<std::int32_t>(value);
    std::memcpy(values.first + i * std::int64_t{sizeof number}, &number, sizeof number);
  };
  if (header.kind == SegmentKind::kConstant) {
    for (std::int64_t i = 0; i < count; ++i) put(i, header.least);
    return "";
  }
  BitUnpacker unpacker(payload, header.width);
  std::int64_t most = header.least;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value = header.least + std::int64_t{unpacker.take()};
    most = std::max(most, value);
    if (value <= INT32_MAX) put(i, value);
  }
  if (!unpacker.ends_in_zeros()) return "bits after the last value are not 0";
  return most > INT32_MAX ? "there are values above 2^31 - 1" : "";
}

// Decodes the values of a segment. False if they are not those that were encoded.
bool decode_streams(const SegmentHeader& header, ByteSpan payload, const Item& item,
                    std::size_t threads) {
  std::vector<Decoder> streams;
  for (const std::int64_t length : header.lengths) {
    const auto size = static_cast<std::size_t>(length);
    if (size > payload.size()) return false;
    streams.emplace_back(payload.first(size));
    payload = payload.subspan(size);
  }
  const DecodeJob job = item.decode_job();
  ThreadTeam team(useful_threads(nanoseconds(job), threads));
  const Report report = decode_chunks(job, streams, team);
  if (report.problem == Problem::kTruncated || report.problem == Problem::kInvalidCode)
    return false;
  if (!report.ok()) explain(report, item);
  Checksum checksum;
  add_values(item.values.numbers(), job.count, {&checksum, 1});
  return folded(checksum) == header.checksum;
}

std::size_t checked(const torchac_reader& reader, std::uint64_t number) {
  if (number >= reader.segments)
    refuse("number is " + std::to_string(number) + ": the file has " +
           std::to_string(reader.segments) + " segments");
  return static_cast<std::size_t>(number);
}

}  // namespace

int torchac_reader_open(const std::uint8_t* data, std::size_t size,
                        const torchac_reader_options* options, torchac_reader** reader,
                        torchac_error* error) {
  return call(error, [&] {
    given(reader, "reader");
    torchac_reader_options given_options{};
    if (options != nullptr) given_options = read_structure(options, "options");
    const auto& [size_, flags, model_id, model_id_size, max_values, num_threads] = given_options;
    if ((flags & ~3u) != 0) refuse("flags is " + std::to_string(flags) + ": expected 0 to 3");
    require(flags != (TORCHAC_RECOVER | TORCHAC_VERIFY_ON_READ),
            "TORCHAC_RECOVER looks for damage at once: expected no TORCHAC_VERIFY_ON_READ");
    if (max_values < 0 || max_values > std::int64_t{1} << 40)
      refuse("max_values is " + std::to_string(max_values) + ": expected 0 to 2^40");
    const ByteSpan expected = bytes_of(model_id, model_id_size, "model_id");
    const ByteSpan file = bytes_of(data, size, "data");
    const auto [id, begin] = read_head(file);
    Poll never;
    auto made = std::make_unique<torchac_reader>(torchac_reader{
        file, SegmentIndex(file, begin, never), 0, std::nullopt,
        (flags & TORCHAC_VERIFY_ON_READ) == 0, max_values == 0 ? std::int64_t{1} << 30 : max_values,
        static_cast<std::size_t>(std::max(num_threads, 1))});
    made->segments = made->index.size();
    made->find_damage();
    if (made->damage && (flags & TORCHAC_RECOVER) == 0) corrupt(*made->damage);
    if (!std::ranges::equal(id, expected))
      refuse("the file was written with model_id " + shown(id) + ", and model_id is " +
             shown(expected) + ": another model cannot read it");
    *reader = made.release();
  });
}

int torchac_reader_info(const torchac_reader* reader, torchac_file_info* info,
                        torchac_error* error) {
  return call(error, [&] {
    const torchac_reader& self = given(reader, "reader");
    torchac_file_info result{};
    result.segments = self.segments;
    result.damage = self.damage ? self.damage->c_str() : nullptr;
    write_structure(info, result, "info");
  });
}

int torchac_reader_segment(const torchac_reader* reader, const char* name, std::uint64_t number,
                           torchac_segment* segment, torchac_error* error) {
  return call(error, [&] {
    const torchac_reader& self = given(reader, "reader");
    if (name != nullptr) {
      const auto found = self.index.find(name);
      if (!found || *found >= self.segments)
        refuse("no segment is named '" + std::string(name) + "'");
      number = *found;
    }
    const std::size_t k = checked(self, number);
    const SegmentHeader header = self.index.header(k);
    torchac_segment result{};
    result.ndim = static_cast<std::int32_t>(header.shape.size());
    result.number = number;
    result.bytes = self.begin(k + 1) - self.begin(k);
    if (header.name) {
      result.name_size = header.name->size();
      std::memcpy(result.name, header.name->data(), header.name->size());
    }
    std::ranges::copy(header.shape, result.shape);
    write_structure(segment, result, "segment");
  });
}

int torchac_reader_read(const torchac_reader* reader, std::uint64_t number,
                        const torchac_model* model, const torchac_array* index,
                        const torchac_array* values, torchac_error* error) {
  return call(error, [&] {
    const torchac_reader& self = given(reader, "reader");
    const Model& of = given(model, "model").model;
    const std::size_t k = checked(self, number);
    const SegmentHeader header = self.index.header(k);
    const std::string where = words(number, header);
    if (count_of(header.shape) > self.max_values)
      corrupt(where + " has shape " + to_string(header.shape) + ", more values than " +
              std::to_string(self.max_values) +
              ": if that is right, open the file with a larger max_values");
    const Array to = room(values, false);
    if (to.shape() != header.shape)
      refuse(where + ": values has shape " + to_string(to.shape()) + ": expected " +
             to_string(header.shape));
    if (!self.verified && self.is_damaged(k))
      corrupt(where + " is damaged, or the CRC of what is before it");
    const std::size_t end = self.begin(k + 1) - kCrcBytes;
    const auto payload_size = static_cast<std::size_t>(header.payload);
    const ByteSpan payload = self.data.subspan(end - payload_size, payload_size);
    try {
      const Item item = Item::of(of, index, to);
      if (header.kind != SegmentKind::kCoded) {
        const std::string fault = fill(header, payload, to);
        if (!fault.empty()) throw Refused(TORCHAC_CORRUPT, "is damaged: " + fault);
      } else if (!decode_streams(header, payload, item, self.threads)) {
        throw Refused(TORCHAC_CORRUPT,
                      "decodes to values other than those encoded: the model differs (other "
                      "weights, another GPU, library or batch size, one float)");
      }
    } catch (const Refused& refused) {
      throw Refused(refused.code,
                    where + (refused.code == TORCHAC_CORRUPT ? " " : ": ") + refused.what());
    }
  });
}

void torchac_reader_destroy(torchac_reader* reader) { delete reader; }
