// If memory runs out, a call is interrupted, or threads get in each other's way, nothing is half
// done, and nothing waits forever.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "shared.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/core.hpp"
#include "torchac/support/object_lock.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace torchac::test {
namespace {

// Many symbols that cost next to nothing, and take no memory.
struct Endless {
  static constexpr std::int64_t kCount = 2'000'000'000;

  Endless() : cdf({DType::kInt16, false, 2}, 1, {0, 2}) { cdf.set(0, 1, 65535); }

  [[nodiscard]] EncodeJob item(EncodedStream& stream) const {
    static const std::int8_t zero = 0;
    const StridedWalk symbols(reinterpret_cast<const std::byte*>(&zero), {{kCount, 0}});
    return {{CdfRows{cdf.layout(), cdf.rows(0, kCount), Check::kNone}, kCount},
            {DType::kInt8, symbols},
            &stream};
  }

  StoredCdf cdf;
};

struct Interrupted : std::exception {};
[[noreturn]] void interrupt() { throw Interrupted(); }

}  // namespace

TEST_CASE("an encoder is where it was, whichever allocation fails") {
  for_seeds(20, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, 1500);
    const Symbols symbols = random_symbols(random, cdf);
    const Symbols front(symbols.begin(), symbols.begin() + 100);
    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, front).ok());
    const Bytes before = finished(stream);
    const int failures = fail_each_allocation([&] {
      EncodedStream copy = stream;
      try {
        Undo undo({&copy, 1});
        if (encode(copy, cdf, 0, symbols).ok()) undo.keep();
      } catch (const std::bad_alloc&) {
        const auto left = allocations_left.exchange(kNoLimit);
        CHECK(finished(copy) == before);
        allocations_left = left;
        throw;
      }
    });
    CHECK(failures > 2);
  });
}

TEST_CASE("a stream can be finished again where memory was missing") {
  const std::vector<Interval> across(20000, {32767, 32769});
  EncodedStream stream;
  Encoder encoder = stream.open(across.size());
  for (const Interval interval : across) encoder.encode(interval);
  stream.close(encoder);
  const Bytes expected = finished(stream);
  Bytes bytes(stream.size());
  fail_each_allocation([&] { stream.finish(bytes); });
  CHECK(bytes == expected);
  stream.finish(bytes);
  CHECK(bytes == expected);
}

TEST_CASE("a failure in any thread is the failure of the call") {
  Random random(1);
  const StoredCdf tables = random_cdf(random, 3);
  std::vector<Shared> items;
  std::vector<Symbols> symbols;
  for (int i = 0; i < 40; ++i) {
    items.emplace_back(random, tables, tables.kind(), 3000);
    symbols.emplace_back(3000);
  }
  const int failures = fail_each_allocation([&] {
    std::vector<EncodedStream> streams(items.size());
    std::vector<EncodeJob> coded;
    for (std::size_t i = 0; i < items.size(); ++i)
      coded.push_back(items[i].encode_job(streams[i], symbols[i]));
    ThreadTeam team(4);
    const Report report = torchac::encode(coded, team);
    allocations_left = kNoLimit;
    REQUIRE(report.ok());
    for (std::size_t i = 0; i < items.size(); ++i)
      CHECK(finished(streams[i]) == reference::encode(items[i].reference_rows, symbols[i]).bytes);
  });
  CHECK(failures > 40);
}

TEST_CASE("a stream can be undone where another stream of the call has stopped") {
  // A carry can run through everything that these intervals write.
  const std::vector<Interval> across(100, {32767, 32769});
  std::vector<EncodedStream> streams(2);
  Encoder encoder = streams[0].open(across.size());
  for (const Interval interval : across) encoder.encode(interval);
  streams[0].close(encoder);
  const Bytes before = finished(streams[0]);

  StoredCdf cdf({DType::kInt16, false, 3}, 2, {8, 2});
  for (std::int64_t i = 0; i < 2; ++i) {
    cdf.set(i, 1, 32767);
    cdf.set(i, 2, 32769);
  }
  StoredCdf other = cdf;
  other.set(1, 1, 0);  // leaves nothing to symbol 0
  const Symbols twos{2, 2};
  const Symbols zeros{0, 0};
  const std::vector<EncodeJob> jobs{encode_job(streams[0], cdf, 0, twos),
                                    encode_job(streams[1], other, 0, zeros)};
  ThreadTeam alone(1);
  {
    const Undo undo({&streams[0], 1});
    const Report report = torchac::encode(jobs, alone);
    CHECK(report.problem == Problem::kInterval);
    CHECK(report.item == 1);
    CHECK(report.position == 1);
  }
  CHECK(finished(streams[0]) == before);
}

TEST_CASE("a long call can be interrupted, and leaves nothing behind") {
  const Endless endless;
  EncodedStream stream;
  ThreadTeam alone(1, Poll(interrupt));
  const EncodeJob item = endless.item(stream);
  const auto call = [&] {
    Undo undo({&stream, 1});
    (void)torchac::encode({&item, 1}, alone);
    undo.keep();
  };
  CHECK_THROWS_AS(call(), Interrupted);
  CHECK(finished(stream) == Bytes{0x40});
}

TEST_CASE("an interrupted call ends its other threads too, also while it waits for them") {
  const Endless endless;
  for (const bool waits : {false, true}) {
    std::vector<EncodedStream> streams(2);
    std::vector<EncodeJob> items{endless.item(streams[0]), endless.item(streams[1])};
    // With one stream for two threads, either this thread codes it, or it waits.
    if (waits) items[0].count = 0;
    ThreadTeam team(2, Poll(interrupt));
    CHECK_THROWS_AS((void)torchac::encode(items, team), Interrupted);
    for (const EncodedStream& stream : streams)
      CHECK(static_cast<double>(stream.num_bits()) < Endless::kCount / 65536.0);
  }
}

TEST_CASE("one thread at a time holds a lock") {
  ObjectLock lock;
  constexpr int kRounds = 20000;
  std::int64_t shared = 0;
  const auto count = [&] {
    for (int i = 0; i < kRounds;) {
      if (lock.try_lock() != ObjectLock::Result::kTaken) continue;
      ++shared;
      ++i;
      lock.unlock();
    }
  };
  std::thread other(count);
  count();
  other.join();
  CHECK(shared == 2 * kRounds);
}

TEST_CASE("who holds a lock is told apart") {
  ObjectLock lock;
  REQUIRE(lock.try_lock() == ObjectLock::Result::kTaken);
  CHECK(lock.try_lock() == ObjectLock::Result::kReentered);
  std::thread([&] { CHECK(lock.try_lock() == ObjectLock::Result::kBusy); }).join();
#if !defined(_WIN32)
  const pid_t child = fork();
  if (child == 0) _exit(lock.try_lock() == ObjectLock::Result::kForked ? 0 : 1);
  int status = 1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
#endif
  lock.unlock();
  CHECK(lock.try_lock() == ObjectLock::Result::kTaken);
}

}  // namespace torchac::test
