// Writes files, as Python's Writer.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>
#include <set>
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
#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/core.hpp"
#include "torchac/error.hpp"
#include "torchac/files/segment_index.hpp"
#include "torchac/support/thread_team.hpp"

using namespace torchac;
using namespace torchac::c;

struct torchac_writer {
  torchac_writer_options options;
  Bytes file;  // if no function takes the bytes
  std::set<std::string, std::less<>> names;
  std::uint32_t crc = 0;
  bool failed = false;
  bool finished = false;

  // Writes the head, a segment or the end, with its CRC.
  void put(Bytes part) {
    const std::uint32_t sealed = c::crc(part, crc);
    put_uint32(part, sealed);
    if (options.write == nullptr) {
      file.insert(file.end(), part.begin(), part.end());
    } else if (options.write(options.context, part.data(), part.size()) != 0) {
      failed = true;
      throw Refused(TORCHAC_UNUSABLE, "the function that takes the bytes of the file has failed");
    }
    crc = sealed;
  }

  void require_open() const {
    if (failed)
      throw Refused(TORCHAC_UNUSABLE, "writing to the file failed before: write all of it again");
    if (finished) throw Refused(TORCHAC_UNUSABLE, "the file is finished: create a new writer");
  }
};

namespace {

// Calls `use(value)` with each of the values, which were encoded, so that they are whole numbers.
template <class Use>
void each_value(const Array& values, const Use& use) {
  std::array<std::int32_t, 1024> block{};
  Numbers from = values.numbers();
  const std::int64_t count = values.count();
  for (std::int64_t done = 0; done < count;) {
    const auto n = std::min(static_cast<std::size_t>(count - done), block.size());
    (void)read_values(from, n, block.data());
    for (std::size_t i = 0; i < n; ++i) use(block[i]);
    done += static_cast<std::int64_t>(n);
  }
}

std::uint64_t bytes_in(const std::vector<EncodedStream>& streams) {
  std::uint64_t total = 0;
  for (const EncodedStream& stream : streams) total += stream.size();
  return total;
}

// How many streams of so many values are worth trying, and how many pay if these have `size` bytes.
std::size_t most_streams(std::int64_t values) {
  if (values < 1 << 14) return values > 0 ? 1 : 0;
  if (values < 1 << 17) return 8;
  return 24 * static_cast<std::size_t>(std::max<std::int64_t>(1, values >> 19));
}
std::size_t fewer_streams(std::size_t streams, std::uint64_t size) {
  for (const std::size_t n : {streams, std::size_t{24}, std::size_t{8}})
    if (n <= streams && 1250 * std::uint64_t{n} <= size) return n;
  return std::min<std::size_t>(streams, 1);
}

// Encodes an item in this number of streams.
std::vector<EncodedStream> encode_in(std::size_t count, const EncodeJob& job, const Item& item,
                                     std::size_t threads) {
  std::vector<EncodedStream> streams(count);
  ThreadTeam team(useful_threads(nanoseconds(job), threads));
  const Report report = encode_chunks(job, streams, team);
  if (!report.ok()) explain(report, item);
  return streams;
}

// A segment, except its CRC.
Bytes segment_of(const Item& item, std::string_view name, bool named, std::size_t threads) {
  const Shape shape = item.values.shape();
  const EncodeJob job = item.encode_job();
  const std::size_t most_tried = most_streams(job.count);
  std::vector<EncodedStream> streams = encode_in(most_tried, job, item, threads);
  const std::size_t fewer = fewer_streams(most_tried, bytes_in(streams));
  if (fewer < most_tried) streams = encode_in(fewer, job, item, threads);

  std::int64_t least = job.count > 0 ? INT64_MAX : 0;
  std::int64_t most = job.count > 0 ? INT64_MIN : 0;
  each_value(item.values, [&](std::int32_t value) {
    least = std::min<std::int64_t>(least, value);
    most = std::max<std::int64_t>(most, value);
  });
  Bytes result;
  if (least == most) {
    put_title(result, SegmentKind::kConstant, name, named, shape);
    put_signed(result, least);
    return result;
  }
  int width = 0;
  while (static_cast<std::uint64_t>(most - least) >> width != 0) ++width;
  Bytes fixed;
  put_signed(fixed, least);
  fixed.push_back(static_cast<std::uint8_t>(width));
  Bytes coded;
  const std::uint64_t total = bytes_in(streams);
  if (job.count >= kManyValues) put_number(coded, streams.size());
  for (const EncodedStream& stream : streams) put_number(coded, stream.size());
  Checksum checksum;
  add_values(item.values.numbers(), job.count, {&checksum, 1});
  put_uint32(coded, folded(checksum));
  const auto [eights, rest] = std::pair(static_cast<std::uint64_t>(job.count) / 8,
                                        static_cast<std::uint64_t>(job.count) % 8);
  const auto bits = static_cast<std::uint64_t>(width);
  if (fixed.size() + eights * bits + (rest * bits + 7) / 8 >= coded.size() + total) {
    put_title(result, SegmentKind::kCoded, name, named, shape);
    result.insert(result.end(), coded.begin(), coded.end());
    for (EncodedStream& stream : streams) {
      const std::size_t at = result.size();
      result.resize(at + stream.size());
      stream.finish(std::span(result).subspan(at));
    }
    return result;
  }
  put_title(result, SegmentKind::kFixed, name, named, shape);
  result.insert(result.end(), fixed.begin(), fixed.end());
  BitPacker packer(result, width);
  each_value(item.values, [&](std::int32_t value) {
    packer.put(static_cast<std::uint32_t>(value) - static_cast<std::uint32_t>(least));
  });
  packer.finish();
  return result;
}

void require_values(const Item& item) {
  const Shape shape = item.values.shape();
  if (shape.size() > kMaxFileDimensions)
    refuse("values has " + std::to_string(shape.size()) + " dimensions: expected 31 or fewer");
  const auto* cdf = std::get_if<CdfArrays>(&item.model.arrays());
  require(cdf == nullptr || !cdf->clamp,
          "the model has TORCHAC_CLAMP: expected one without, as a file has the values themselves");
}

}  // namespace

int torchac_writer_create(const torchac_writer_options* options, torchac_writer** writer,
                          torchac_error* error) {
  return call(error, [&] {
    given(writer, "writer");
    torchac_writer_options given_options{};
    if (options != nullptr) given_options = read_structure(options, "options");
    const ByteSpan id = bytes_of(given_options.model_id, given_options.model_id_size, "model_id");
    if (id.size() > kMaxId)
      refuse("model_id has " + std::to_string(id.size()) + " bytes: expected 255 or fewer");
    auto made = std::make_unique<torchac_writer>();
    made->options = given_options;
    made->options.model_id = nullptr;
    Bytes head(std::begin(kMagic), std::end(kMagic));
    head.push_back(kVersion);
    head.push_back(static_cast<std::uint8_t>(id.size()));
    head.insert(head.end(), id.begin(), id.end());
    made->put(std::move(head));
    *writer = made.release();
  });
}

int torchac_writer_write(torchac_writer* writer, const char* name, const torchac_model* model,
                         const torchac_array* index, const torchac_array* values,
                         torchac_error* error) {
  return call(error, [&] {
    torchac_writer& self = given(writer, "writer");
    self.require_open();
    const std::string_view named = name == nullptr ? "" : name;
    if (name != nullptr && (named.empty() || named.size() > kMaxName))
      refuse("name has " + std::to_string(named.size()) + " bytes: expected 1 to 255");
    require(name == nullptr || is_utf8(named), "name is not valid in UTF-8");
    const Item item =
        Item::of(given(model, "model").model, index, Array::of(given(values, "values"), "values"));
    require_values(item);
    if (name != nullptr && self.names.contains(named))
      refuse("the file already has a segment named '" + std::string(named) + "'");
    const auto threads = static_cast<std::size_t>(std::max(self.options.num_threads, 1));
    Bytes segment = segment_of(item, named, name != nullptr, threads);
    std::set<std::string, std::less<>> with_name;
    if (name != nullptr) with_name.emplace(named);  // before anything is written
    self.put(std::move(segment));
    self.names.merge(with_name);
  });
}

int torchac_writer_finish(torchac_writer* writer, torchac_bytes* file, torchac_error* error) {
  return call(error, [&] {
    torchac_writer& self = given(writer, "writer");
    self.require_open();
    if (self.options.write == nullptr) {
      given(file, "file");
      self.file.reserve(self.file.size() + 1 + kCrcBytes);
      OwnedBytes result(self.file.size() + 1 + kCrcBytes);
      self.put({static_cast<std::uint8_t>(SegmentKind::kEnd)});
      std::ranges::copy(self.file, result.span().data());
      *file = result.release();
      self.file = {};
    } else {
      require(file == nullptr, "file is not NULL, and a function took the bytes");
      self.put({static_cast<std::uint8_t>(SegmentKind::kEnd)});
    }
    self.finished = true;
  });
}

void torchac_writer_destroy(torchac_writer* writer) { delete writer; }
