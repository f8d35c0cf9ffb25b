// The bytes of a stream that is being encoded, and the state to continue or undo it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "torchac/bits/writer.hpp"
#include "torchac/coder/encoder.hpp"
#include "torchac/coder/range.hpp"
#include "torchac/support/compiler.hpp"
#include "torchac/support/few.hpp"

namespace torchac {

class EncodedStream {
 public:
  EncodedStream() : bytes_(kSlack) {}

  // An encoder that continues the stream, with room for `intervals` intervals. Pass it to `close`.
  [[nodiscard]] Encoder open(std::size_t intervals) {
    reserve(intervals);
    return encoder_;
  }

  void close(const Encoder& encoder) {
    encoder_ = encoder;
    written_ = encoder.writer.written(bytes_.data());
  }

  // The length of the stream if it were finished now, including drained bytes, before it is padded
  // to whole bytes.
  [[nodiscard]] std::uint64_t num_bits() const {
    return (drained_ + written_) * 8 + encoder_.writer.pending_bits() - BitWriter::kFirstPending +
           kEndBits;
  }

  // The number of bytes that `finish` would write now.
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>((num_bits() + 7) / 8 - drained_);
  }

  // Takes out the bytes that no carry can change any more. The range is at most one unit of the
  // last pending bit, so at most one is ever added there. That carry ends in the pending bits,
  // unless all are ones; then it ends in the last byte that is not all ones.
  [[nodiscard]] std::vector<std::uint8_t> drain() {
    std::size_t end = written_;
    if (encoder_.writer.all_ones()) {
      do --end;
      while (bytes_[end] == UINT8_MAX);
    }
    if (end <= 1) return {};  // the first byte is a zero that no stream has
    const auto first = bytes_.begin() + 1;
    const auto last = bytes_.begin() + static_cast<std::ptrdiff_t>(end);
    std::vector<std::uint8_t> result(first, last);
    bytes_.erase(first, last);
    written_ -= result.size();
    drained_ += result.size();
    return result;
  }

  // Writes the stream, as if it ended now, to `to`, which must have that size. The stream itself
  // does not change, even if there is not enough memory.
  void finish(std::span<std::uint8_t> to) {
    const Checkpoint before = checkpoint();
    Encoder encoder = open(1);
    encoder.finish();
    close(encoder);
    std::copy_n(bytes_.data() + 1, to.size(), to.data());
    restore(before);
  }

  // The state to undo everything that is encoded after it was taken.
  struct Checkpoint {
    Encoder encoder;
    std::size_t written;
    std::uint8_t last;  // of the written bytes
  };

  [[nodiscard]] Checkpoint checkpoint() const {
    return {encoder_, written_, written_ > 0 ? bytes_[written_ - 1] : std::uint8_t{0}};
  }

  // Encoding stays within the range at the checkpoint, which is less than one unit of the last
  // written byte. So at most one carry has reached that byte: if it has changed, undoes the carry.
  void restore(const Checkpoint& checkpoint) {
    encoder_ = checkpoint.encoder;
    written_ = checkpoint.written;
    if (written_ == 0 || bytes_[written_ - 1] == checkpoint.last) return;
    std::uint8_t* byte = bytes_.data() + written_;
    do --byte;
    while ((*byte)-- == 0);
  }

  // The whole state of a stream, to continue it elsewhere.
  struct Saved {
    std::uint64_t low;
    std::uint64_t range;
    std::uint64_t pending;
    std::uint32_t pending_bits;
    std::vector<std::uint8_t> bytes;  // the written bytes, except drained ones
    std::uint64_t drained = 0;
  };

  [[nodiscard]] Saved save() const {
    return {encoder_.state.low,
            encoder_.state.range,
            encoder_.writer.pending(),
            encoder_.writer.pending_bits(),
            {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(written_)},
            drained_};
  }

  // Returns nothing if no stream can have that state. The first byte must be zero, so that no carry
  // runs past it.
  static std::optional<EncodedStream> from_saved(const Saved& saved) {
    const bool valid = saved.low < kFullRange && is_between_symbols(saved.low, saved.range) &&
                       BitWriter::valid(saved.pending, saved.pending_bits, saved.bytes.empty()) &&
                       (saved.bytes.empty() ? saved.drained == 0 : saved.bytes[0] == 0) &&
                       saved.drained <= UINT64_MAX / 16;
    if (!valid) return std::nullopt;
    EncodedStream stream;
    stream.encoder_ = {{saved.low, saved.range}, BitWriter(saved.pending, saved.pending_bits)};
    stream.written_ = saved.bytes.size();
    stream.bytes_ = saved.bytes;
    stream.bytes_.resize(saved.bytes.size() + kSlack);
    stream.drained_ = saved.drained;
    return stream;
  }

 private:
  void reserve(std::size_t intervals) {
    const std::size_t needed = written_ + (intervals * kMaxShift + 7) / 8 + kSlack;
    if (needed > bytes_.size()) grow(needed);
    encoder_.writer.write_to(bytes_.data() + written_);
  }

  TORCHAC_NOINLINE void grow(std::size_t needed) { bytes_.resize(needed + bytes_.size() / 2); }

  // Room for the eight bytes that the writer always stores.
  static constexpr std::size_t kSlack = 16;

  Encoder encoder_;
  std::size_t written_ = 0;  // of `bytes_`; the rest is room
  std::uint64_t drained_ = 0;
  std::vector<std::uint8_t> bytes_;
};

// Undoes everything that is encoded during its lifetime, unless `keep` is called.
class Undo {
 public:
  explicit Undo(std::span<EncodedStream> streams) : streams_(streams), before_(streams.size()) {
    std::ranges::transform(streams, before_.all().begin(), &EncodedStream::checkpoint);
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    for (std::size_t k = 0; k < before_.size(); ++k) streams_[k].restore(before_[k]);
  }

  void keep() { before_ = Few<EncodedStream::Checkpoint>(); }

 private:
  std::span<EncodedStream> streams_;
  Few<EncodedStream::Checkpoint> before_;
};

}  // namespace torchac
