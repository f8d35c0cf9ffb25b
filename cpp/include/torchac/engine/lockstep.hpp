// Streams that are coded in lockstep: each call codes values of all of them, or of some. There may
// be only one stream. A call that fails, for any reason, changes nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "torchac/arrays/numbers.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/mark.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/few.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac {

// The streams of a call: those with these numbers, which increase, or all.
using Chosen = std::optional<std::vector<std::uint32_t>>;

// Keeps the chosen streams next to each other during its lifetime.
class Selection {
 public:
  Selection(std::vector<EncodedStream>& all, const Chosen& chosen) : all_(all), chosen_(chosen) {
    if (!chosen) return;
    part_.reserve(chosen->size());
    for (const std::uint32_t k : *chosen) part_.push_back(std::move(all[k]));
  }
  Selection(const Selection&) = delete;
  Selection& operator=(const Selection&) = delete;
  ~Selection() {
    for (std::size_t i = 0; i < part_.size(); ++i) all_[(*chosen_)[i]] = std::move(part_[i]);
  }

  [[nodiscard]] std::span<EncodedStream> streams() {
    return chosen_ ? std::span(part_) : std::span(all_);
  }

 private:
  std::vector<EncodedStream>& all_;
  const Chosen& chosen_;
  std::vector<EncodedStream> part_;
};

// The streams, and their marks.
class LockstepEncoder {
 public:
  // Checksums are computed only if streams are `marked`.
  LockstepEncoder(std::size_t streams, bool marked)
      : streams_(streams), marks_(streams), marked_(marked) {}
  LockstepEncoder(std::vector<EncodedStream> streams, std::vector<Marks> marks, bool marked);

  [[nodiscard]] std::vector<EncodedStream>& streams() { return streams_; }
  [[nodiscard]] const std::vector<EncodedStream>& streams() const { return streams_; }
  [[nodiscard]] const std::vector<Marks>& marks() const { return marks_; }
  [[nodiscard]] bool marked() const { return marked_; }

  // Writes a mark to each chosen stream.
  void mark(const Chosen& chosen);

 private:
  friend class EncodeCall;

  std::vector<EncodedStream> streams_;
  std::vector<Marks> marks_;
  bool marked_;
};

// The symbols that marks check if others are encoded in their place; all are at most `most`.
struct OriginalSymbols {
  Numbers symbols;
  std::uint32_t most;
};

// Encodes jobs, with equally many values for each stream. The destructor undoes everything, unless
// `keep` was called.
class EncodeCall {
 public:
  EncodeCall(LockstepEncoder& encoder, Chosen chosen);

  // The item of its report is the number of a stream among the chosen ones. The job's own streams
  // are ignored.
  [[nodiscard]] Report encode(EncodeJob job, const std::optional<OriginalSymbols>& original,
                              ThreadTeam& team);

  // Keeps the result of a call that succeeded.
  void keep();

 private:
  LockstepEncoder& encoder_;
  Chosen chosen_;
  Selection selection_;
  Undo undo_;
  Few<Checksum> checksums_;
};

// The streams, each with its decoder, its bytes and its marks.
class LockstepDecoder {
 public:
  struct Stream {
    FedBytes source;
    Decoder decoder;
    Marks marks;

    // Reads from `source`.
    explicit Stream(FedBytes from) : source(std::move(from)), decoder(source.bytes()) {}

    // The length in bits of the shortest stream of the values decoded so far.
    [[nodiscard]] std::uint64_t num_bits() const {
      return source.dropped() * 8 + decoder.num_bits();
    }
  };

  // Checksums are computed only if streams are `marked`.
  LockstepDecoder(std::vector<Stream> streams, bool marked)
      : streams_(std::move(streams)), marked_(marked) {}

  [[nodiscard]] const std::vector<Stream>& streams() const { return streams_; }
  [[nodiscard]] bool marked() const { return marked_; }

  // Reads a mark of each chosen stream. The position in its report is the number of marks before.
  [[nodiscard]] Report mark(const Chosen& chosen);

  // Adds bytes to the end of stream k, and drops decoded ones.
  void feed(std::size_t k, std::span<const std::uint8_t> more);

 private:
  friend class DecodeCall;

  std::vector<Stream> streams_;
  bool marked_;
};

// Decodes jobs, with equally many values from each stream. The destructor restores the decoders,
// unless `keep` was called.
class DecodeCall {
 public:
  DecodeCall(LockstepDecoder& decoder, Chosen chosen);

  // As in EncodeCall.
  [[nodiscard]] Report decode(DecodeJob job, ThreadTeam& team);
  void keep();

 private:
  LockstepDecoder& decoder_;
  Chosen chosen_;
  Few<Decoder> decoders_;
  Few<Checksum> checksums_;
};

}  // namespace torchac
