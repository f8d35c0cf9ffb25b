// How many threads jobs are worth.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

#include "torchac/arrays/numbers.hpp"
#include "torchac/arrays/rows.hpp"
#include "torchac/arrays/strided.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/engine/thread_count.hpp"
#include "torchac/models/categories.hpp"

namespace torchac {
namespace {

Job job_of(std::uint32_t categories, std::int64_t values) {
  const CategoryLayout layout{CategoryNumbers::kLogits, DType::kFloat32, categories, 4};
  return {Categories{layout, Rows(StridedWalk(nullptr, {}))}, values};
}

std::size_t threads_for(std::uint32_t categories, std::int64_t values) {
  return useful_threads(nanoseconds(job_of(categories, values)), 64);
}

TEST_CASE("few tokens of many categories are worth threads, many bits are not") {
  CHECK(threads_for(32'000, 1) == 0);
  CHECK(threads_for(32'000, 24) == 12);
  CHECK(threads_for(2, 10'000) == 0);
  CHECK(threads_for(2, 1'000'000) == 64);
}

TEST_CASE("tokens that share numbers are worth threads only if they are many") {
  const CategoryLayout layout{CategoryNumbers::kLogits, DType::kFloat32, 32'000, 4};
  const auto threads = [&](std::int64_t values) {
    const Numbers index{DType::kInt64, StridedWalk(nullptr, {})};
    const Rows rows({nullptr, 4 * 32'000, 1}, index);
    return useful_threads(nanoseconds(Job{Categories{layout, rows}, values}), 64);
  };
  CHECK(threads(24) == 0);
  CHECK(threads(1'000'000) == 64);
}

TEST_CASE("values that share a distribution are worth fewer threads") {
  Job job = job_of(256, 16'000);
  CHECK(useful_threads(nanoseconds(job), 64) == 64);
  job.shared = SharedElements{nullptr, 1};
  CHECK(useful_threads(nanoseconds(job), 64) == 1);
}

}  // namespace
}  // namespace torchac
