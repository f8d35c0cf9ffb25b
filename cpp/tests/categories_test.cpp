// Cases of categories that Python cannot cause.
#include "torchac/models/categories.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "allocations.hpp"
#include "streams.hpp"
#include "torchac/arrays/block.hpp"
#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/shared_trees.hpp"
#include "torchac/error.hpp"
#include "torchac/models/stored_tree.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

CategoryLayout layout_of(const std::vector<float>& logits) {
  return {CategoryNumbers::kLogits, DType::kFloat32, static_cast<std::uint32_t>(logits.size()),
          sizeof(float)};
}

}  // namespace

TEST_CASE("a row that an index looks for beyond the last one is not computed") {
  for (const std::size_t categories : {std::size_t{3}, std::size_t{40}}) {
    const std::vector<float> logits(categories);
    const std::array<std::uint8_t, 3> index{0, 1, 0};
    const auto count = static_cast<std::int64_t>(index.size());
    const Categories model{
        layout_of(logits),
        Rows({std::as_bytes(std::span(logits)).data(), 0, 1},
             {DType::kUint8, StridedWalk(std::as_bytes(std::span(index)).data(), {{count, 1}})})};
    std::array<std::int32_t, 3> first{};
    std::array<std::int32_t, 3> symbols{};
    std::array<std::uint8_t, 3> shifts{};
    std::vector<std::uint16_t> rows(3 * (categories + 1));
    Poll never;
    const Report report = tabulate({model, count, first.data(), symbols.data(), shifts.data(),
                                    rows.data(), static_cast<std::int64_t>(categories + 1)},
                                   never);
    CHECK(report.problem == Problem::kIndex);
    CHECK(report.position == 1);
  }
}

TEST_CASE("categories in steps are coded, whichever allocation has failed before") {
  const std::vector<float> logits(5000);
  const std::byte* const first = std::as_bytes(std::span(logits)).data();
  const std::array<std::int32_t, 4> values{4999, 70, 0, 4999};
  const std::array<std::uint8_t, 4> index{};
  const auto count = static_cast<std::int64_t>(values.size());
  const Rows own(StridedWalk(first, {{count, 0}}));
  const Rows shared(
      {first, 0, 1},
      {DType::kUint8, StridedWalk(std::as_bytes(std::span(index)).data(), {{count, 1}})});
  Bytes bytes;
  for (const Rows& rows : {own, shared}) {
    const Categories model{layout_of(logits), rows};
    ThreadTeam alone(1);
    EncodedStream stream;
    const int failures = fail_each_allocation([&] {
      stream = EncodedStream();
      const EncodeJob job{{model, count},
                          {DType::kInt32, StridedWalk(std::as_bytes(std::span(values)).data(),
                                                      {{count, sizeof(std::int32_t)}})},
                          &stream};
      const Report report = encode(std::span(&job, 1), alone);
      CHECK(report.ok());
    });
    CHECK(failures > 2);
    if (!bytes.empty()) CHECK(finished(stream) == bytes);
    bytes = finished(stream);
    fail_each_allocation([&] {
      std::array<std::int32_t, 4> decoded{};
      Decoder decoder(bytes);
      const DecodeJob job{{model, count}, decoded.data(), &decoder};
      const Report report = decode(std::span(&job, 1), alone);
      CHECK(report.ok());
      CHECK(decoded == values);
    });
  }
}

TEST_CASE("an element that no value had when trees were made has none") {
  const std::vector<float> logits(3 * 300);
  CategoryLayout layout = layout_of(logits);
  layout.count = 300;
  std::array<std::uint8_t, 4> index{0, 2, 2, 0};
  const Categories model{
      layout, Rows({std::as_bytes(std::span(logits)).data(), 300 * sizeof(float), 3},
                   {DType::kUint8, StridedWalk(std::as_bytes(std::span(index)).data(), {{4, 1}})})};
  Poll never;
  SharedTrees trees(model);
  trees.add_values(model.rows, 4, never);
  CHECK(trees.size() == 2);
  trees.make(never);
  for (const auto other : std::to_array<std::uint8_t>({0, 1, 3})) {  // as another thread may do
    index[2] = other;
    std::array<StoredTree, 4> found;
    const ReadableBlock readable = TreeReader(trees, model.rows).read(4, found.data());
    CHECK(readable.count == (other == 0 ? 4 : 2));
    if (other != 0) CHECK(readable.fault.problem == Problem::kIndex);
  }
}

}  // namespace torchac::test
