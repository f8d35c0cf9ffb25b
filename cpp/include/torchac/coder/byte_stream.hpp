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

namespace torchac {

class EncodedStream {
 public:
  EncodedStream() : bytes_(kSlack) {}

  // An encoder that goes on here, with room for so many intervals. Give it back with `close`.
  [[nodiscard]] Encoder open(std::size_t intervals) {
    reserve(intervals);
    return encoder_;
  }

  void close(const Encoder& encoder) {
    encoder_ = encoder;
    written_ = encoder.writer.written(bytes_.data());
  }

  // Bits of the stream that `finish` would end now, with those that were drained, before it is
  // filled up to whole bytes.
  [[nodiscard]] std::uint64_t num_bits() const {
    return (drained_ + written_) * 8 + encoder_.writer.pending_bits() - BitWriter::kFirstPending +
           kEndBits;
  }

  // Bytes that `finish` would write now.
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>((num_bits() + 7) / 8 - drained_);
  }

  // Takes out the bytes that no carry can change any more. The range is at most one unit of the
  // last pending bit, so at most one is ever added there: that ends in the pending bits, unless all
  // are ones; then it ends in the last byte that is not all ones.
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

  // Writes the stream, as it would end now, to `to`, which has that size. More may follow: all is
  // left as it was, also where there is no memory for it.
  void finish(std::span<std::uint8_t> to) {
    const Checkpoint before = checkpoint();
    Encoder encoder = open(1);
    encoder.finish();
    close(encoder);
    std::copy_n(bytes_.data() + 1, to.size(), to.data());
    restore(before);
  }

  // What is needed to undo all that is encoded after it was taken.
  struct Checkpoint {
    Encoder encoder;
    std::size_t written;
    std::uint8_t last;  // of the written bytes
  };

  [[nodiscard]] Checkpoint checkpoint() const {
    return {encoder_, written_, written_ > 0 ? bytes_[written_ - 1] : std::uint8_t{0}};
  }

  // What is encoded stays within the range that there was, which is less than one unit of the last
  // written byte. So at most one carry has come to it: if the byte is another one, that is undone.
  void restore(const Checkpoint& checkpoint) {
    encoder_ = checkpoint.encoder;
    written_ = checkpoint.written;
    if (written_ == 0 || bytes_[written_ - 1] == checkpoint.last) return;
    std::uint8_t* byte = bytes_.data() + written_;
    do --byte;
    while ((*byte)-- == 0);
  }

  // All that a stream consists of, to continue it elsewhere.
  struct Saved {
    std::uint64_t low;
    std::uint64_t range;
    std::uint64_t pending;
    std::uint32_t pending_bits;
    std::vector<std::uint8_t> bytes;  // written, but for those that were drained
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

  // Nothing, if no stream has that state. The first byte of one is zero, so that no carry runs past
  // it.
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

  // The writer stores eight bytes wherever it is.
  static constexpr std::size_t kSlack = 16;

  Encoder encoder_;
  std::size_t written_ = 0;  // of `bytes_`; the rest is room
  std::uint64_t drained_ = 0;
  std::vector<std::uint8_t> bytes_;
};

// Undoes what is encoded while it lives, unless that is kept: also where an exception ends it.
class Undo {
 public:
  explicit Undo(std::span<EncodedStream> streams) : streams_(streams) {
    for (const EncodedStream& stream : streams) before_.push_back(stream.checkpoint());
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    for (std::size_t k = 0; k < before_.size(); ++k) streams_[k].restore(before_[k]);
  }

  void keep() { before_.clear(); }

 private:
  std::span<EncodedStream> streams_;
  std::vector<EncodedStream::Checkpoint> before_;
};

}  // namespace torchac
