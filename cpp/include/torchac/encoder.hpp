// The encoder: intervals in, bytes out. An Encoder is small enough for a loop to keep a copy in
// registers; an EncodedStream owns the bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "torchac/cpu.hpp"
#include "torchac/interval.hpp"
#include "torchac/output.hpp"
#include "torchac/range.hpp"

namespace torchac {

// The range of an encoder, or of several side by side.
template <class Word>
struct EncoderRange {
  Word low;  // its lower end, in the window
  Word span;

  // Narrows it to the part of an interval, and tells by how many bits the window moves on.
  TORCHAC_INLINE Word narrow(Word interval_low, Word interval_high) {
    const Word part = scale(span, interval_low);
    const Word width = scale(span, interval_high) - part;
    low += part;
    const Word shift = doublings(low, width);
    span = width << shift;
    low <<= shift;
    return shift;
  }

  // Takes out the bits that left the window, with a carry that may be in front of them.
  TORCHAC_INLINE Word take_out() {
    const Word bits = low >> kWindowBits;
    low &= kFullSpan - 1;
    return bits;
  }
};

// The format describes output with pending bits: while a range straddles the middle of the window,
// the next bits are 0111... or 1000..., and nobody knows which. This encoder does not wait.
// It keeps the lower end of the range itself, hands on its upper bits as they leave the window, and
// when a later symbol lifts the lower end across the middle, a carry follows them. Both give the
// same bits.
struct Encoder {
  EncoderRange<std::uint64_t> range{0, kFullSpan};
  Output output;

  // Codes one symbol. The interval must be codable, and the output have room.
  TORCHAC_INLINE void encode(Interval interval) {
    const std::uint64_t shift = range.narrow(interval.low, interval.high);
    output.append(range.take_out(), static_cast<std::uint32_t>(shift));
  }

  // Two more bits name a quarter of the window that lies within the range: the second quarter when
  // the range begins in the first, else the third. Then the last byte is filled up.
  void finish() {
    const std::uint64_t low = range.low % (kFullSpan / 2);
    range.low += (low < kFullSpan / 4 ? kFullSpan / 4 : kFullSpan / 2) - low;
    range.low <<= kEndBits;
    output.append(range.take_out(), kEndBits);
    output.fill_byte();
  }
};

class EncodedStream {
 public:
  EncodedStream() : bytes_(kSlack) {}

  // An encoder that goes on here, with room for so many symbols. Give it back with `close`.
  [[nodiscard]] TORCHAC_INLINE Encoder open(std::size_t symbols) {
    reserve(symbols);
    return encoder_;
  }

  TORCHAC_INLINE void close(const Encoder& encoder) {
    encoder_ = encoder;
    written_ = encoder.output.written(bytes_.data());
  }

  // Bits of the stream that `finish` would return now, before it is filled up to whole bytes.
  [[nodiscard]] std::uint64_t num_bits() const {
    return std::uint64_t{written_} * 8 + encoder_.output.held() - Output::kFirstHeld + kEndBits;
  }

  // Bytes of the stream that `finish` would write now.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>((num_bits() + 7) / 8); }

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
  struct State {
    std::uint64_t low;
    std::uint64_t span;
    std::uint64_t held;
    std::uint32_t held_bits;
    std::vector<std::uint8_t> bytes;  // written
  };

  [[nodiscard]] State state() const {
    const Output& output = encoder_.output;
    return {encoder_.range.low,
            encoder_.range.span,
            output.bits(),
            output.held(),
            {bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(written_)}};
  }

  // Nothing, if no stream has that state. The first byte of one is zero, so that no carry runs past
  // it.
  static std::optional<EncodedStream> from_state(const State& state) {
    const bool valid = state.low < kFullSpan && is_between_symbols(state.low, state.span) &&
                       Output::valid(state.held, state.held_bits, state.bytes.empty()) &&
                       (state.bytes.empty() || state.bytes[0] == 0);
    if (!valid) return std::nullopt;
    EncodedStream stream;
    stream.encoder_ = {{state.low, state.span}, Output(state.held, state.held_bits)};
    stream.written_ = state.bytes.size();
    stream.bytes_ = state.bytes;
    stream.bytes_.resize(state.bytes.size() + kSlack);
    return stream;
  }

 private:
  void reserve(std::size_t symbols) {
    const std::size_t needed = written_ + (symbols * kMaxDoublings + 7) / 8 + kSlack;
    if (needed > bytes_.size()) bytes_.resize(needed + bytes_.size() / 2);
    encoder_.output.write_to(bytes_.data() + written_);
  }

  // Output stores eight bytes wherever it is.
  static constexpr std::size_t kSlack = 16;

  Encoder encoder_;
  std::size_t written_ = 0;  // of `bytes_`; the rest is room
  std::vector<std::uint8_t> bytes_;
};

// Undoes what is encoded while it lives, unless that is kept: also where an exception ends it.
class Undo {
 public:
  explicit Undo(EncodedStream& stream) : stream_(&stream), before_(stream.checkpoint()) {}
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo() {
    if (stream_ != nullptr) stream_->restore(before_);
  }

  void keep() { stream_ = nullptr; }

 private:
  EncodedStream* stream_;
  EncodedStream::Checkpoint before_;
};

}  // namespace torchac
