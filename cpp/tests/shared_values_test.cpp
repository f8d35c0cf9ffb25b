// Rows and lookup tables of shared elements change no byte and no report.
#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "allocations.hpp"
#include "streams.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fast_paths.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_dimensions.hpp"
#include "torchac/error.hpp"
#include "torchac/models/families.hpp"
#include "torchac/models/parameters.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

// Two normal distributions, from which an index selects.
struct Chosen {
  std::vector<double> locs{-3, 70.25};
  std::vector<double> scales{2, 30};
  std::vector<std::uint8_t> index;
  std::vector<std::int32_t> values;

  explicit Chosen(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      index.push_back(i % 3 == 0 ? 1 : 0);
      values.push_back(static_cast<std::int32_t>(i % 100) - 20);
    }
  }

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(values.size()); }

  [[nodiscard]] static Numbers doubles(const std::vector<double>& from) {
    return {DType::kFloat64,
            StridedWalk(std::as_bytes(std::span(from)).data(),
                        {{static_cast<std::int64_t>(from.size()), sizeof(double)}})};
  }

  [[nodiscard]] Job job(bool shared) const {
    const Parameters elements{
        {{find_family("normal"), {doubles(locs), doubles(scales), std::nullopt}}}, {}};
    const Numbers chosen{DType::kUint8,
                         StridedWalk(std::as_bytes(std::span(index)).data(), {{count(), 1}})};
    Parameters model = elements;
    model.index = chosen;
    Job job{model, count()};
    if (shared) job.shared = SharedElements{std::make_shared<const Elements>(elements), 2, chosen};
    return job;
  }

  Report encode(bool shared, EncodedStream& stream) const {
    const Numbers from{DType::kInt32, StridedWalk(std::as_bytes(std::span(values)).data(),
                                                  {{count(), sizeof(std::int32_t)}})};
    const EncodeJob its{job(shared), from, &stream};
    ThreadTeam alone(1);
    return torchac::encode(std::span(&its, 1), alone);
  }

  Report decode(bool shared, const Bytes& bytes, std::vector<std::int32_t>& decoded) const {
    Decoder decoder(bytes);
    const DecodeJob its{job(shared), decoded.data(), &decoder};
    ThreadTeam alone(1);
    return torchac::decode(std::span(&its, 1), alone);
  }
};

std::uint64_t made() { return path_counts[static_cast<std::size_t>(FastPath::kSharedRows)]; }

TEST_CASE("rows of elements give the bytes of their parameters, whichever allocation has failed") {
  for (const std::size_t count : {std::size_t{5}, std::size_t{5000}}) {
    const Chosen chosen(count);
    EncodedStream plain;
    REQUIRE(chosen.encode(false, plain).ok());
    const Bytes bytes = finished(plain);
    const std::uint64_t before = made();
    EncodedStream stream;
    fail_each_allocation([&] {
      stream = EncodedStream();
      const Report report = chosen.encode(true, stream);
      CHECK(report.ok());
    });
    CHECK(finished(stream) == bytes);
    fail_each_allocation([&] {
      std::vector<std::int32_t> decoded(count);
      const Report report = chosen.decode(true, bytes, decoded);
      CHECK(report.ok());
      CHECK(decoded == chosen.values);
    });
    CHECK((made() > before) == (count > 5));
  }
}

TEST_CASE("faults are reported as without rows") {
  for (const bool bad_element : {false, true}) {
    Chosen chosen(5000);
    EncodedStream good;
    REQUIRE(chosen.encode(false, good).ok());
    const Bytes bytes = finished(good);
    (bad_element ? chosen.scales[1] : chosen.locs[0]) = bad_element ? -1 : 3;
    if (!bad_element) chosen.index[4321] = 2;
    for (const bool shared : {false, true}) {
      EncodedStream stream;
      const Report encoded = chosen.encode(shared, stream);
      CHECK(encoded.problem == (bad_element ? Problem::kScale : Problem::kIndex));
      CHECK(encoded.position == (bad_element ? 0 : 4321));
      std::vector<std::int32_t> decoded(chosen.values.size());
      CHECK(!chosen.decode(shared, bytes, decoded).ok());
    }
  }
}

}  // namespace
TEST_CASE("elements are shared along dimensions in which all arrays are expanded") {
  const std::vector<Dimension> first{{3, 0}, {4, 8}, {5, 0}};
  const std::vector<Dimension> second{{3, 0}, {4, 0}, {5, 0}};
  const auto shared = shared_dimensions({first, second}, false);
  REQUIRE(shared.has_value());
  CHECK(shared->count == 4);
  const auto strides = [](const std::vector<Dimension>& dimensions) {
    std::vector<std::int64_t> result;
    for (const Dimension& d : dimensions) result.push_back(d.stride);
    return result;
  };
  CHECK(strides(shared->steps) == std::vector<std::int64_t>{0, 1, 0});
  for (const auto& array : shared->arrays)
    CHECK((array[0].size == 1 && array[1].size == 4 && array[2].size == 1));

  CHECK(!shared_dimensions({{{3, 8}, {4, 0}}, {{3, 0}, {4, 8}}}, false));  // not the same ones
  CHECK(!shared_dimensions({{{1, 0}, {4, 8}}}, false));                    // one is one
  CHECK(!shared_dimensions({{{0, 0}, {4, 0}}}, false));                    // there are no values
  CHECK(shared_dimensions({{{4, 8}}}, true)->count == 4);                  // an index says which
}

}  // namespace torchac::test
