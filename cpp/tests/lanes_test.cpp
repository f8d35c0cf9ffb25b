// Streams of parameters in lanes. Parameters of 64 bits are never in lanes, so the same numbers in
// an array of doubles say what lanes must give.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "random.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/support/cpu_features.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

std::uint64_t taken(FastPath path) { return path_counts[static_cast<std::size_t>(path)]; }

// Numbers that a bfloat16 holds, as floats, as bfloat16 and as doubles.
struct Stored {
  std::vector<float> floats;
  std::vector<std::uint16_t> narrow;
  std::vector<double> doubles;

  void push(double x) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(x)) & 0xFFFF0000;
    floats.push_back(std::bit_cast<float>(bits));
    narrow.push_back(static_cast<std::uint16_t>(bits >> 16));
    doubles.push_back(static_cast<double>(floats.back()));
  }

  // Every `step`-th number, from `first` on.
  [[nodiscard]] Numbers numbers(DType type, std::size_t first, std::size_t step,
                                std::size_t count) const {
    const auto from = [&](const auto& array) {
      const auto size = static_cast<std::int64_t>(sizeof array[0]);
      return Numbers{type, StridedWalk(reinterpret_cast<const std::byte*>(array.data() + first),
                                       {{static_cast<std::int64_t>(count),
                                         static_cast<std::int64_t>(step) * size}})};
    };
    if (type == DType::kFloat64) return from(doubles);
    return type == DType::kFloat32 ? from(floats) : from(narrow);
  }
};

double uniform(Random& random) { return static_cast<double>(random.below(1u << 30)) * 0x1p-30; }

double in_logarithm(Random& random, double low, double high) {
  return low * std::pow(high / low, uniform(random));
}

// What the parameters of a stream are like.
enum class Taste : std::uint8_t { kUsual, kWide, kTiny, kHostile };

// The arrays of a stream, and its values.
struct Stream {
  std::vector<const Family*> kinds;
  bool mixture;
  Bounds bounds;
  std::size_t count;
  Stored loc, scale, weight;
  std::vector<std::int32_t> values;

  Stream(Random& random, std::vector<const Family*> families, bool weighted, Taste taste,
         std::size_t length)
      : kinds(std::move(families)), mixture(weighted), count(length) {
    if (random.one_in(3))
      bounds = {static_cast<std::int32_t>(random.between(-999, 0)),
                static_cast<std::int32_t>(random.between(0, 999))};
    if (random.one_in(8)) bounds = {7, 7};
    for (std::size_t i = 0; i < count; ++i) {
      const double middle = 300 * (uniform(random) - 0.5);
      for (std::size_t k = 0; k < kinds.size(); ++k) push(random, taste, middle);
      push_value(random, i);
    }
  }

  [[nodiscard]] Parameters model(DType type) const {
    Parameters made{{}, bounds};
    const std::size_t step = kinds.size();
    for (std::size_t k = 0; k < step; ++k) {
      Component component{kinds[k], {}};
      component[Parameter::kLoc] = loc.numbers(type, k, step, count);
      component[Parameter::kScale] = scale.numbers(type, k, step, count);
      if (mixture) component[Parameter::kWeight] = weight.numbers(type, k, step, count);
      made.components.push_back(component);
    }
    return made;
  }

 private:
  void push(Random& random, Taste taste, double middle) {
    double s = in_logarithm(random, 0.1, 20);
    double l = middle + s * 4 * (uniform(random) - 0.5);
    if (taste == Taste::kWide)
      s = in_logarithm(random, 0.1, 7e3), l = s * 9 * (uniform(random) - 0.5);
    if (taste == Taste::kTiny)
      s = in_logarithm(random, 1e-30, 1), l = random.one_in(2) ? 1e-30 : 0.5;
    if (taste == Taste::kHostile) {
      s = in_logarithm(random, 1e-38, 0x1p24);
      l = in_logarithm(random, 1e-38, 3e38) * (random.one_in(2) ? 1 : -1);
    }
    loc.push(l);
    scale.push(random.one_in(50) ? 0 : s);
    weight.push(random.one_in(6) ? 1e-7 : in_logarithm(random, 0.01, 10));
  }

  void push_value(Random& random, std::size_t i) {
    const std::size_t at = i * kinds.size() + random.below(kinds.size());
    double value = loc.doubles[at] + scale.doubles[at] * 6 * (uniform(random) - 0.5);
    if (random.one_in(100)) value = static_cast<double>(random.between(INT32_MIN, INT32_MAX));
    value = std::clamp<double>(value, bounds.low, bounds.high);
    values.push_back(static_cast<std::int32_t>(std::nearbyint(value)));
  }
};

Numbers numbers(const std::vector<std::int32_t>& values) {
  return {DType::kInt32, StridedWalk(reinterpret_cast<const std::byte*>(values.data()),
                                     {{static_cast<std::int64_t>(values.size()), 4}})};
}

std::vector<Bytes> encoded(const std::vector<Stream>& streams, DType type, ThreadTeam& team) {
  std::vector<EncodedStream> made(streams.size());
  std::vector<EncodeJob> jobs;
  for (std::size_t k = 0; k < streams.size(); ++k)
    jobs.push_back({{streams[k].model(type), static_cast<std::int64_t>(streams[k].count)},
                    numbers(streams[k].values),
                    &made[k]});
  REQUIRE(torchac::encode(jobs, team).ok());
  std::vector<Bytes> bytes;
  for (const EncodedStream& stream : made) bytes.push_back(finished(stream));
  return bytes;
}

struct Result {
  Report report;
  std::vector<std::vector<std::int32_t>> values;
  std::vector<std::uint64_t> bits;
};

Result decoded(const std::vector<Stream>& streams, const std::vector<Bytes>& bytes, DType type,
               ThreadTeam& team) {
  Result result;
  std::vector<Decoder> decoders(bytes.begin(), bytes.end());
  std::vector<DecodeJob> jobs;
  for (const Stream& stream : streams) result.values.emplace_back(stream.count, INT32_MIN);
  for (std::size_t k = 0; k < streams.size(); ++k)
    jobs.push_back({{streams[k].model(type), static_cast<std::int64_t>(streams[k].count)},
                    result.values[k].data(),
                    &decoders[k]});
  result.report = torchac::decode(jobs, team);
  for (const Decoder& decoder : decoders) result.bits.push_back(decoder.num_bits());
  return result;
}

const Family* random_family(Random& random) { return &families()[random.below(families().size())]; }

std::vector<Stream> random_streams(Random& random) {
  const bool mixture = random.one_in(2);
  std::vector<const Family*> kinds(mixture ? random.below(6) + 1 : 1);
  const Family* const family = random_family(random);
  const bool mixed = random.one_in(3);
  for (auto& kind : kinds) kind = mixed ? random_family(random) : family;
  std::vector<Stream> streams;
  const auto longest = random.one_of<std::int64_t>({3, 30, 300});
  const bool alike = random.one_in(2);
  const auto taste = static_cast<Taste>(random.below(3));
  for (std::int64_t k = random.between(1, 30); k > 0; --k) {
    const auto length = static_cast<std::size_t>(alike ? longest : random.between(1, longest));
    if (random.one_in(20)) std::ranges::generate(kinds, [&] { return random_family(random); });
    streams.emplace_back(random, kinds, mixture, random.one_in(20) ? Taste::kHostile : taste,
                         length);
  }
  return streams;
}

}  // namespace

TEST_CASE("lanes encode and decode as doubles do") {
  const std::uint64_t before = taken(FastPath::kLanes);
  for_seeds(400, [](Random& random) {
    const std::vector<Stream> streams = random_streams(random);
    ThreadTeam team(random.one_in(4) ? 2 : 1);
    const std::vector<Bytes> expected = encoded(streams, DType::kFloat64, team);
    for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
      REQUIRE(encoded(streams, type, team) == expected);
      const Result result = decoded(streams, expected, type, team);
      CHECK(result.report.ok());
      for (std::size_t k = 0; k < streams.size(); ++k)
        REQUIRE(result.values[k] == streams[k].values);
    }
  });
  CHECK((taken(FastPath::kLanes) > before) == instruction_sets().avx2);
}

TEST_CASE("lanes find in damaged streams what doubles find") {
  for_seeds(400, [](Random& random) {
    const std::vector<Stream> streams = random_streams(random);
    ThreadTeam alone(1);
    std::vector<Bytes> bytes = encoded(streams, DType::kFloat64, alone);
    for (Bytes& stream : bytes) {
      if (random.one_in(3)) stream.resize(random.below(stream.size() + 1));
      if (random.one_in(3)) stream.insert(stream.end(), random.below(9), 0xFF);
      for (auto& byte : stream) {
        if (random.one_in(30)) byte = static_cast<std::uint8_t>(random.bits());
      }
    }
    // Streams before the first that has a problem are decoded as a whole.
    const Result expected = decoded(streams, bytes, DType::kFloat64, alone);
    const Result found = decoded(streams, bytes, DType::kFloat32, alone);
    CHECK(found.report.problem == expected.report.problem);
    if (!expected.report.ok()) {
      CHECK(found.report.item == expected.report.item);
      CHECK(found.report.position == expected.report.position);
    }
    const std::size_t good =
        expected.report.ok() ? streams.size() : static_cast<std::size_t>(expected.report.item);
    for (std::size_t k = 0; k < good; ++k) {
      REQUIRE(found.values[k] == expected.values[k]);
      CHECK(found.bits[k] == expected.bits[k]);
    }
  });
}

}  // namespace torchac::test
