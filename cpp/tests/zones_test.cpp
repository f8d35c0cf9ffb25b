// Mixtures that are coded by zones: streams are those of the definition, and are decoded.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "allocations.hpp"
#include "random.hpp"
#include "reference.hpp"
#include "reference_zones.hpp"
#include "streams.hpp"
#include "torchac/arrays/dtype.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/models/window.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

// A mixture of equal weights, and values for it.
struct Zoned {
  std::vector<double> numbers;  // the weight, and the locs and scales of components
  Parameters model;
  std::vector<std::int32_t> values;
  Bytes stream;  // by the definition

  explicit Zoned(Random& random) {
    const auto count = std::size_t{1} << random.between(1, 4);
    if (random.one_in(2)) model.bounds = {-1000, 1'000'000};
    // Two of them are so far apart that there is no row.
    numbers = {1, -500, 0.5, 900'000, 0.25};
    while (numbers.size() < 2 * count + 1) {
      numbers.push_back(std::ldexp(static_cast<double>(random.between(-999, 999)),
                                   static_cast<int>(random.between(-9, 20))));
      numbers.push_back(std::ldexp(static_cast<double>(random.between(0, 255)),
                                   static_cast<int>(random.between(-24, 15))));
    }
    std::vector<reference::ZonePart> parts;
    for (std::size_t k = 0; k < count; ++k) {
      const Family& family = families()[random.below(families().size())];
      const double loc = numbers[2 * k + 1];
      const double scale = std::max(numbers[2 * k + 2], 0x1p-20);
      parts.push_back({&family, loc, scale, static_cast<std::int64_t>(32768 / count)});
      values_near(random, parts.back());
    }
    reference::Encoder encoder;
    for (const std::int32_t value : values) {
      for (const auto& [low, high] :
           reference::steps_in_zones(parts, model.bounds.low, model.bounds.high, value))
        encoder.encode(low, high);
    }
    stream = encoder.finish();
    const auto each = static_cast<std::int64_t>(values.size());
    const auto number = [&](std::size_t at) {
      return Numbers{
          DType::kFloat64,
          StridedWalk(std::as_bytes(std::span(numbers)).subspan(8 * at).data(), {{each, 0}})};
    };
    for (std::size_t k = 0; k < count; ++k)
      model.components.push_back(
          {parts[k].family, {number(2 * k + 1), number(2 * k + 2), number(0)}});
  }

  void values_near(Random& random, const reference::ZonePart& part) {
    const auto [low, high] = model.bounds;
    const auto nearest = [&](double value) {
      return std::clamp(value, static_cast<double>(model.bounds.low),
                        static_cast<double>(model.bounds.high));
    };
    for (const double z : {-11.0, -4.3, -1.0, 0.0, 0.6, 4.2, 30.0}) {
      const double value = nearest(std::round(part.loc + z * part.scale));
      values.push_back(static_cast<std::int32_t>(value));
    }
    values.push_back(static_cast<std::int32_t>(random.between(low, high)));
    values.insert(values.end(), {low, high});
  }

  [[nodiscard]] Job job() const { return {model, static_cast<std::int64_t>(values.size())}; }

  Report encode(EncodedStream& to) const {
    const Numbers from{DType::kInt32, StridedWalk(std::as_bytes(std::span(values)).data(),
                                                  {{job().count, sizeof(std::int32_t)}})};
    const EncodeJob its{job(), from, &to};
    ThreadTeam alone(1);
    return torchac::encode(std::span(&its, 1), alone);
  }

  Report decode(std::vector<std::int32_t>& to) const {
    to.assign(values.size(), 0);
    Decoder decoder(stream);
    const DecodeJob its{job(), to.data(), &decoder};
    ThreadTeam alone(1);
    return torchac::decode(std::span(&its, 1), alone);
  }
};

}  // namespace

TEST_CASE("values in zones have the streams of the definition") {
  for_seeds(300, [](Random& random) {
    const Zoned zoned(random);
    EncodedStream stream;
    REQUIRE(zoned.encode(stream).ok());
    CHECK(finished(stream) == zoned.stream);
    std::vector<std::int32_t> decoded;
    REQUIRE(zoned.decode(decoded).ok());
    CHECK(decoded == zoned.values);
  });
}

TEST_CASE("values in zones are coded again after any allocation has failed") {
  Random random(1);
  const Zoned zoned(random);
  EncodedStream stream;
  fail_each_allocation([&] {
    stream = EncodedStream();
    const Report report = zoned.encode(stream);
    CHECK(report.ok());
  });
  CHECK(finished(stream) == zoned.stream);
  std::vector<std::int32_t> decoded;
  fail_each_allocation([&] {
    const Report report = zoned.decode(decoded);
    CHECK(report.ok());
  });
  CHECK(decoded == zoned.values);
}

TEST_CASE("mixtures in zones have no rows") {
  Random random(2);
  const Zoned zoned(random);
  std::vector<std::int32_t> first(zoned.values.size());
  std::vector<std::int32_t> symbols(zoned.values.size());
  std::vector<std::uint8_t> shifts(zoned.values.size());
  Poll poll;
  const Report report = tabulate({zoned.model, static_cast<std::int64_t>(zoned.values.size()),
                                  first.data(), symbols.data(), shifts.data(), nullptr, 0},
                                 poll);
  CHECK(report.problem == Problem::kZones);
}

}  // namespace torchac::test
