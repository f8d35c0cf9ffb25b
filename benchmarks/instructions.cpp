// Decodes symbols that have a row each, so often. Its instructions are counted by instructions.py.
//
// Arguments: float32 or int16, the symbols of a row, how many rows, how often they are decoded.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/models/cdf_layout.hpp"
#include "torchac/support/thread_team.hpp"

namespace {

using namespace torchac;

class Random {
 public:
  std::uint32_t below(std::uint32_t limit) {
    state_ = state_ * 6364136223846793005 + 1442695040888963407;
    return static_cast<std::uint32_t>((state_ >> 33) % limit);
  }

 private:
  std::uint64_t state_ = 1;
};

// Rows that increase, one after the other.
template <class Value>
std::vector<Value> make_rows(std::uint32_t symbols, std::size_t count, Random& random) {
  std::vector<Value> rows;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::uint32_t> sums{0};
    for (std::uint32_t j = 0; j < symbols; ++j) sums.push_back(sums.back() + 1 + random.below(9));
    for (const std::uint32_t sum : sums) {
      const double part = static_cast<double>(sum) / sums.back();
      if constexpr (sizeof(Value) == sizeof(float)) {
        rows.push_back(static_cast<Value>(part));
      } else {
        rows.push_back(static_cast<Value>(static_cast<std::uint32_t>(part * 65536)));
      }
    }
  }
  return rows;
}

template <class Value>
bool run(std::uint32_t symbols, std::size_t count, int times) {
  Random random;
  const std::vector<Value> rows = make_rows<Value>(symbols, count, random);
  std::vector<std::int16_t> values(count);
  for (auto& value : values) value = static_cast<std::int16_t>(random.below(symbols));

  const auto size = static_cast<std::int64_t>(count);
  constexpr std::ptrdiff_t kValue = sizeof(Value);
  const bool is_float = sizeof(Value) == sizeof(float);
  const StridedWalk walk(std::as_bytes(std::span(rows)).data(), {{size, kValue * (symbols + 1)}});
  const CdfLayout layout{is_float ? DType::kFloat32 : DType::kInt16, is_float, symbols, kValue};
  const Job job{CdfRows{layout, Rows(walk), Check::kNone}, size};
  ThreadTeam alone(1);

  EncodedStream stream;
  const StridedWalk read(std::as_bytes(std::span(values)).data(), {{size, sizeof(std::int16_t)}});
  const EncodeJob encode_job{job, {DType::kInt16, read}, &stream};
  if (!encode({&encode_job, 1}, alone).ok()) return false;
  std::vector<std::uint8_t> bytes(stream.size());
  stream.finish(bytes);

  for (int time = 0; time < times; ++time) {
    std::vector<std::int16_t> decoded(count);
    Decoder decoder(bytes);
    const DecodeJob decode_job{job, decoded.data(), &decoder};
    if (!decode({&decode_job, 1}, alone).ok() || decoded != values) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return EXIT_FAILURE;
  const auto number = [&](int i) { return std::atoi(argv[i]); };
  const auto symbols = static_cast<std::uint32_t>(number(2));
  const auto count = static_cast<std::size_t>(number(3));
  const bool done = std::string_view(argv[1]) == "float32"
                        ? run<float>(symbols, count, number(4))
                        : run<std::uint16_t>(symbols, count, number(4));
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
