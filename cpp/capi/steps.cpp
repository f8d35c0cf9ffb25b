// Streams that are coded step by step, one or many in lockstep.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "array.hpp"
#include "bytes.hpp"
#include "call.hpp"
#include "model.hpp"
#include "torchac.h"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/engine/lockstep.hpp"
#include "torchac/error.hpp"
#include "torchac/support/thread_team.hpp"

using namespace torchac;
using namespace torchac::c;

struct torchac_encoder {
  LockstepEncoder core;
  bool finished = false;
};

struct torchac_decoder {
  LockstepDecoder core;
};

namespace {

// The streams that take part in a call.
class Active {
 public:
  Active(const std::uint8_t* active, std::size_t streams) : streams_(streams) {
    if (active == nullptr) return;
    std::vector<std::uint32_t> numbers;
    for (std::size_t k = 0; k < streams; ++k)
      if (active[k] != 0) numbers.push_back(static_cast<std::uint32_t>(k));
    if (numbers.size() < streams) chosen_ = std::move(numbers);
  }

  [[nodiscard]] const Chosen& chosen() const { return chosen_; }

  // Whether no stream takes part.
  [[nodiscard]] bool none() const { return chosen_ && chosen_->empty(); }

  // The part of an item that belongs to these streams, of which there is one.
  [[nodiscard]] Item select(Item item) {
    const Shape shape = item.values.shape();
    if (streams_ != 1 && (shape.empty() || shape[0] != static_cast<std::int64_t>(streams_)))
      refuse("values has shape " + to_string(shape) + ": expected (" + std::to_string(streams_) +
             ", …), one part a stream");
    if (!chosen_ || none()) return item;
    const Array values = take(item.values, *chosen_, kept_);
    if (item.index) return {item.model, take(*item.index, *chosen_, kept_), values};
    return {item.model.take(*chosen_, kept_), std::nullopt, values};
  }

  // The beginning of a message about a stream.
  [[nodiscard]] std::string prefix(std::int64_t number) const {
    if (streams_ == 1) return "";
    const auto k = static_cast<std::size_t>(number);
    if (!chosen_) return "stream " + std::to_string(number) + ": ";
    return "stream " + std::to_string((*chosen_)[k]) + ", number " + std::to_string(number) +
           " of the active ones: ";
  }

 private:
  std::size_t streams_;
  Chosen chosen_;
  std::deque<std::vector<std::byte>> kept_;
};

[[noreturn]] void refuse_stream(const Report& report, const Item& item, const Active& active) {
  const std::string prefix = active.prefix(report.item);
  if (report.problem == Problem::kTruncated && !prefix.empty())
    throw Refused(TORCHAC_CORRUPT, prefix + "the stream ends before its values do");
  explain(report, item, prefix);
}

[[noreturn]] void refuse_mark(const Report& report, const Active& active) {
  const std::string prefix = active.prefix(report.item);
  const std::string number = std::to_string(report.position + 1);
  if (report.problem == Problem::kTruncated)
    throw Refused(TORCHAC_CORRUPT, prefix + "the stream ends before mark " + number + " does");
  const std::string start =
      report.position == 0 ? "the start" : "mark " + std::to_string(report.position);
  throw Refused(TORCHAC_CORRUPT,
                prefix + "the values between " + start + " and mark " + number +
                    " differ from those encoded: the model differs (other weights, another GPU, "
                    "library or batch size, one float), or the stream is damaged");
}

void require_unfinished(const torchac_encoder& encoder) {
  if (encoder.finished)
    throw Refused(TORCHAC_UNUSABLE, "this encoder has finished its streams: create a new one");
}

void give(std::vector<OwnedBytes> from, torchac_bytes* to) {
  for (OwnedBytes& bytes : from) *to++ = bytes.release();
}

}  // namespace

int torchac_encoder_create(std::size_t streams, torchac_encoder** encoder, torchac_error* error) {
  return call(error, [&] {
    given(encoder, "encoder");
    if (streams > INT32_MAX)
      refuse("streams is " + std::to_string(streams) + ": expected 2147483647 or fewer");
    *encoder = new torchac_encoder{LockstepEncoder(streams, true)};
  });
}

int torchac_encoder_encode(torchac_encoder* encoder, const torchac_model* model,
                           const torchac_array* index, const torchac_array* values,
                           const std::uint8_t* active, torchac_error* error) {
  return call(error, [&] {
    torchac_encoder& self = given(encoder, "encoder");
    require_unfinished(self);
    Active streams(active, self.core.streams().size());
    const Item item = streams.select(
        Item::of(given(model, "model").model, index, Array::of(given(values, "values"), "values")));
    if (streams.none()) return;
    EncodeCall coding(self.core, streams.chosen());
    ThreadTeam alone(1);
    const Report report = coding.encode(item.encode_job(), std::nullopt, alone);
    if (!report.ok()) refuse_stream(report, item, streams);
    coding.keep();
  });
}

int torchac_encoder_mark(torchac_encoder* encoder, const std::uint8_t* active,
                         torchac_error* error) {
  return call(error, [&] {
    torchac_encoder& self = given(encoder, "encoder");
    require_unfinished(self);
    self.core.mark(Active(active, self.core.streams().size()).chosen());
  });
}

int torchac_encoder_drain(torchac_encoder* encoder, torchac_bytes* streams, torchac_error* error) {
  return call(error, [&] {
    torchac_encoder& self = given(encoder, "encoder");
    require_unfinished(self);
    if (!self.core.streams().empty()) given(streams, "streams");
    std::vector<EncodedStream> drained = self.core.streams();  // as a failure must change nothing
    std::vector<OwnedBytes> result;
    for (EncodedStream& stream : drained) {
      const std::vector<std::uint8_t> bytes = stream.drain();
      result.emplace_back(std::span(bytes));
    }
    self.core.streams() = std::move(drained);
    give(std::move(result), streams);
  });
}

int torchac_encoder_finish(torchac_encoder* encoder, torchac_bytes* streams, torchac_error* error) {
  return call(error, [&] {
    torchac_encoder& self = given(encoder, "encoder");
    require_unfinished(self);
    if (!self.core.streams().empty()) given(streams, "streams");
    std::vector<OwnedBytes> result;
    for (EncodedStream& stream : self.core.streams()) result.emplace_back(stream);
    self.finished = true;
    give(std::move(result), streams);
  });
}

int torchac_encoder_num_bits(const torchac_encoder* encoder, std::uint64_t* bits,
                             torchac_error* error) {
  return call(error, [&] {
    const auto& streams = given(encoder, "encoder").core.streams();
    if (!streams.empty()) given(bits, "bits");
    for (std::size_t k = 0; k < streams.size(); ++k) bits[k] = streams[k].num_bits();
  });
}

void torchac_encoder_destroy(torchac_encoder* encoder) { delete encoder; }

int torchac_decoder_create(const torchac_bytes* streams, std::size_t count,
                           torchac_decoder** decoder, torchac_error* error) {
  return call(error, [&] {
    given(decoder, "decoder");
    if (count > 0) given(streams, "streams");
    std::vector<LockstepDecoder::Stream> made;
    for (std::size_t k = 0; k < count; ++k)
      made.emplace_back(FedBytes(bytes_of(streams[k].data, streams[k].size, "a stream"), nullptr));
    *decoder = new torchac_decoder{LockstepDecoder(std::move(made), true)};
  });
}

int torchac_decoder_decode(torchac_decoder* decoder, const torchac_model* model,
                           const torchac_array* index, const torchac_array* values,
                           const std::uint8_t* active, torchac_error* error) {
  return call(error, [&] {
    torchac_decoder& self = given(decoder, "decoder");
    const Model& of = given(model, "model").model;
    const Array whole = room(values, of.is_cdf());
    Active streams(active, self.core.streams().size());
    Item item = streams.select(Item::of(of, index, whole));
    const std::size_t size = size_of(whole.type);
    const std::size_t all = static_cast<std::size_t>(whole.count()) * size;
    if (streams.none()) {
      if (all > 0) std::memset(whole.first, 0, all);
      return;
    }
    // If not all take part, their values are decoded next to each other, then spread.
    std::vector<std::int32_t> together;
    if (streams.chosen()) {
      together.resize(static_cast<std::size_t>(item.values.count()) * size / sizeof together[0] +
                      1);
      item.values.first = reinterpret_cast<std::byte*>(together.data());
    }
    DecodeCall coding(self.core, streams.chosen());
    ThreadTeam alone(1);
    const Report report = coding.decode(item.decode_job(), alone);
    if (!report.ok()) refuse_stream(report, item, streams);
    coding.keep();
    if (!streams.chosen()) return;
    if (all > 0) std::memset(whole.first, 0, all);
    const std::size_t each = all / std::max<std::size_t>(self.core.streams().size(), 1);
    const auto* from = reinterpret_cast<const std::byte*>(together.data());
    for (const std::uint32_t k : *streams.chosen()) {
      if (each > 0) std::memcpy(whole.first + k * each, from, each);
      from += each;
    }
  });
}

int torchac_decoder_mark(torchac_decoder* decoder, const std::uint8_t* active,
                         torchac_error* error) {
  return call(error, [&] {
    torchac_decoder& self = given(decoder, "decoder");
    const Active streams(active, self.core.streams().size());
    const Report report = self.core.mark(streams.chosen());
    if (!report.ok()) refuse_mark(report, streams);
  });
}

int torchac_decoder_feed(torchac_decoder* decoder, std::size_t stream, const std::uint8_t* data,
                         std::size_t size, torchac_error* error) {
  return call(error, [&] {
    torchac_decoder& self = given(decoder, "decoder");
    const std::size_t count = self.core.streams().size();
    if (stream >= count)
      refuse("stream is " + std::to_string(stream) + ": expected a number below " +
             std::to_string(count));
    self.core.feed(stream, bytes_of(data, size, "data"));
  });
}

int torchac_decoder_finish(const torchac_decoder* decoder, torchac_error* error) {
  return call(error, [&] {
    const auto& streams = given(decoder, "decoder").core.streams();
    for (std::size_t k = 0; k < streams.size(); ++k)
      require_end((streams[k].num_bits() + 7) / 8, streams[k].source.size(),
                  streams.size() == 1 ? "the stream" : "stream " + std::to_string(k));
  });
}

void torchac_decoder_destroy(torchac_decoder* decoder) { delete decoder; }
