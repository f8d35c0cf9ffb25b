// Marks: 16 bits in a stream that check the values since the last mark.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/checksum.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/encoder.hpp"
#include "torchac/coder/interval.hpp"
#include "torchac/error.hpp"

namespace torchac {

// The marks of a stream: their number, and the checksum of the values since the last one.
struct Marks {
  std::uint64_t count = 0;
  Checksum checksum;

  // A mark codes the checksum in two symbols of uniform rows, of eight bits each.
  static constexpr std::size_t kSymbols = 2;

  // Writes the next mark. If there is no memory for it, throws and changes nothing.
  void write(EncodedStream& stream) {
    Encoder encoder = stream.open(kSymbols);
    for (const std::uint32_t symbol : symbols()) encoder.encode(interval(symbol));
    stream.close(encoder);
    next();
  }

  // Reads the next mark, or returns why it cannot be read; the decoder is then unusable.
  [[nodiscard]] Problem read(Decoder& decoder) {
    for (const std::uint32_t symbol : symbols()) {
      const auto quantile = static_cast<std::uint32_t>(decoder.state.quantile());
      const std::uint32_t found = quantile >> (kPrecision - kSymbolBits);
      if (!decoder.consume(interval(found)) || !decoder.determined()) return Problem::kTruncated;
      if (found != symbol) return Problem::kInvalidCode;
    }
    next();
    return Problem::kNone;
  }

 private:
  static constexpr std::uint32_t kSymbolBits = Checksum::kBits / kSymbols;

  [[nodiscard]] std::array<std::uint32_t, kSymbols> symbols() const {
    const std::uint32_t bits = checksum.bits();
    return {bits >> kSymbolBits, bits & ((1u << kSymbolBits) - 1)};
  }
  [[nodiscard]] static Interval interval(std::uint32_t symbol) {
    return {symbol << (kPrecision - kSymbolBits), (symbol + 1) << (kPrecision - kSymbolBits)};
  }
  void next() { *this = {count + 1, {}}; }
};

}  // namespace torchac
