// The format as docs/format.md defines it, bit by bit: slow, and simple enough to check by eye. It
// shares only the names of the problems with the core.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "torchac/error.hpp"

namespace torchac::test::reference {

// C[0] ... C[L - 1] and then 65536; a value that is not finite is negative.
using Row = std::vector<std::int64_t>;

inline constexpr std::uint64_t kQuarter = std::uint64_t{1} << 30;
inline constexpr std::uint64_t kHalf = 2 * kQuarter;

// The numbers that the bits so far leave open: low ... high, seen through a state of 32 bits.
struct State {
  std::uint64_t low = 0;
  std::uint64_t high = 4 * kQuarter - 1;

  [[nodiscard]] std::uint64_t span() const { return high - low + 1; }

  void narrow(std::int64_t c_low, std::int64_t c_high) {
    const std::uint64_t before = span();
    high = low + (before * static_cast<std::uint64_t>(c_high) >> 16) - 1;
    low = low + (before * static_cast<std::uint64_t>(c_low) >> 16);
  }

  // Doubles once, if a doubling applies. Returns what it subtracted first.
  std::optional<std::uint64_t> doubled() {
    std::uint64_t base = 0;
    if (high < kHalf) {
      base = 0;
    } else if (low >= kHalf) {
      base = kHalf;
    } else if (low >= kQuarter && high < 3 * kQuarter) {
      base = kQuarter;
    } else {
      return std::nullopt;
    }
    low = 2 * (low - base);
    high = 2 * (high - base) + 1;
    return base;
  }
};

class Encoder {
 public:
  void encode(std::int64_t c_low, std::int64_t c_high) {
    window_.narrow(c_low, c_high);
    while (const auto base = window_.doubled()) {
      if (*base == kQuarter) {
        ++pending_;
      } else {
        emit(*base == kHalf);
      }
    }
  }

  // Bits of the finished stream, without the padding.
  [[nodiscard]] std::uint64_t num_bits() const { return bits_.size() + pending_ + 2; }

  [[nodiscard]] std::vector<std::uint8_t> finish() {
    ++pending_;
    emit(window_.low >= kQuarter);
    std::vector<std::uint8_t> bytes((bits_.size() + 7) / 8);
    for (std::size_t i = 0; i < bits_.size(); ++i) {
      if (bits_[i]) bytes[i / 8] |= static_cast<std::uint8_t>(0x80 >> i % 8);
    }
    return bytes;
  }

 private:
  void emit(bool bit) {
    bits_.push_back(bit);
    bits_.insert(bits_.end(), pending_, !bit);
    pending_ = 0;
  }

  State window_;
  std::size_t pending_ = 0;
  std::vector<bool> bits_;
};

struct Encoded {
  std::vector<std::uint8_t> bytes;
  std::uint64_t num_bits = 0;
  Problem problem = Problem::kNone;
  std::size_t position = 0;  // of the problem
};

inline Problem problem_of(const Row& row, std::int64_t symbol) {
  if (symbol < 0 || std::cmp_greater_equal(symbol + 1, row.size())) return Problem::kSymbol;
  const std::int64_t low = row[static_cast<std::size_t>(symbol)];
  const std::int64_t high = row[static_cast<std::size_t>(symbol) + 1];
  if (low < 0 || high < 0) return Problem::kNotFinite;
  return low < high ? Problem::kNone : Problem::kInterval;
}

inline Encoded encode(const std::vector<Row>& rows, const std::vector<std::int16_t>& symbols) {
  Encoder encoder;
  Encoded result;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    result.problem = problem_of(rows[i], symbols[i]);
    result.position = i;
    if (result.problem != Problem::kNone) return result;
    const auto symbol = static_cast<std::size_t>(symbols[i]);
    encoder.encode(rows[i][symbol], rows[i][symbol + 1]);
  }
  result.num_bits = encoder.num_bits();
  result.bytes = encoder.finish();
  return result;
}

// The last value that a quantile reaches, by sections if there are many.
inline std::size_t search(const Row& row, std::uint64_t quantile) {
  const auto reached = [&](std::size_t s) {
    return row[s] >= 0 && std::cmp_less_equal(row[s], quantile);
  };
  std::size_t first = 0;
  std::size_t end = row.size() - 1;
  while (end - first > 256) {
    const auto edge = [first, count = end - first](std::size_t k) {
      return first + k * count / 16;
    };
    std::size_t section = 15;
    while (section > 0 && !reached(edge(section))) --section;
    first = edge(section);
    end = edge(section + 1);
  }
  std::size_t found = end - 1;
  while (found > first && !reached(found)) --found;
  return found;
}

class Decoder {
 public:
  explicit Decoder(const std::vector<std::uint8_t>& stream) : stream_(stream) {
    for (int i = 0; i < 32; ++i) value_ = 2 * value_ + next_bit();
  }

  [[nodiscard]] std::uint64_t quantile() const {
    return ((value_ - window_.low + 1) * 65536 - 1) / window_.span();
  }
  [[nodiscard]] std::size_t symbol(const Row& row) const { return search(row, quantile()); }

  // False if the state would not hold the value.
  bool consume(std::int64_t c_low, std::int64_t c_high) {
    if (c_high <= c_low) return false;
    window_.narrow(c_low, c_high);
    if (value_ < window_.low || value_ > window_.high) return false;
    while (const auto base = window_.doubled()) value_ = 2 * (value_ - *base) + next_bit();
    return true;
  }

  // The bits that the symbols so far need: S + 2 after S doublings, which read a bit each.
  [[nodiscard]] std::uint64_t num_bits() const { return next_ - 32 + 2; }
  [[nodiscard]] bool truncated() const { return num_bits() > stream_.size() * 8; }

  // Whether the state holds the number with ones for those of its bits that lie past the end.
  [[nodiscard]] bool determined() const {
    std::uint64_t most = value_;
    for (std::size_t i = stream_.size() * 8; i < next_; ++i)
      most += std::uint64_t{1} << (next_ - 1 - i);
    return most <= window_.high;
  }

 private:
  std::uint64_t next_bit() {
    const std::size_t i = next_++;
    const unsigned byte = i / 8 < stream_.size() ? stream_[i / 8] : 0;
    return byte >> (7 - i % 8) & 1u;
  }

  const std::vector<std::uint8_t>& stream_;
  std::size_t next_ = 0;
  std::uint64_t value_ = 0;
  State window_;
};

// The sums of values that a mark checks.
class Sums {
 public:
  void add(std::int64_t value) {
    a_ += static_cast<std::uint32_t>(value) + 1;
    b_ += a_;
  }
  // The two symbols of the mark.
  [[nodiscard]] std::array<std::uint32_t, 2> mark() const {
    const std::uint32_t bits = (0x9E3779B1u * a_ + 0x85EBCA77u * b_) >> 16;
    return {bits / 256, bits % 256};
  }

 private:
  std::uint32_t a_ = 0;
  std::uint32_t b_ = 0;
};

inline void encode_mark(Encoder& encoder, Sums& sums) {
  for (const std::int64_t j : sums.mark()) encoder.encode(256 * j, 256 * j + 256);
  sums = {};
}

// Problem::kNone if the mark is there.
inline Problem decode_mark(Decoder& decoder, Sums& sums) {
  for (const std::uint32_t expected : sums.mark()) {
    const auto j = static_cast<std::int64_t>(decoder.quantile() / 256);
    if (!decoder.truncated()) decoder.consume(256 * j, 256 * j + 256);
    if (decoder.truncated() || !decoder.determined()) return Problem::kTruncated;
    if (std::cmp_not_equal(j, expected)) return Problem::kInvalidCode;
  }
  sums = {};
  return Problem::kNone;
}

struct Decoded {
  std::vector<std::int16_t> symbols;  // as many as can be trusted
  Problem problem = Problem::kNone;
  std::uint64_t num_bits = 0;
};

inline Decoded decode(const std::vector<std::uint8_t>& stream, const std::vector<Row>& rows) {
  Decoder decoder(stream);
  Decoded result;
  const auto step = [&](const Row& row) {
    const std::size_t symbol = decoder.symbol(row);
    if (decoder.truncated()) return Problem::kTruncated;
    if (row[symbol] < 0 || row[symbol + 1] < 0) return Problem::kNotFinite;
    if (!decoder.consume(row[symbol], row[symbol + 1])) return Problem::kInvalidCode;
    if (decoder.truncated()) return Problem::kTruncated;
    result.symbols.push_back(static_cast<std::int16_t>(symbol));
    return Problem::kNone;
  };
  for (const Row& row : rows) {
    if (result.problem == Problem::kNone) result.problem = step(row);
  }
  if (result.problem == Problem::kNone && !rows.empty() && !decoder.determined()) {
    result.problem = Problem::kTruncated;
    result.symbols.pop_back();
  }
  result.num_bits = decoder.num_bits();
  return result;
}

}  // namespace torchac::test::reference
