// Streams in lockstep equal separate streams, with marks, for any streams that take part in a call;
// and a call that fails changes nothing.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "allocations.hpp"
#include "random.hpp"
#include "random_cdf.hpp"
#include "reference.hpp"
#include "streams.hpp"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/coder/mark.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/fed_bytes.hpp"
#include "torchac/error.hpp"
#include "torchac/support/thread_team.hpp"

namespace torchac::test {
namespace {

std::vector<std::uint32_t> numbers(const Chosen& chosen, std::size_t streams) {
  if (chosen) return *chosen;
  std::vector<std::uint32_t> all;
  for (std::uint32_t k = 0; k < streams; ++k) all.push_back(k);
  return all;
}

// Symbols for each of the streams that take part; or a mark.
struct Step {
  Step(Random& random, std::size_t streams)
      : mark(random.one_in(3)),
        chosen(any_choice(random, streams)),
        taking_part(numbers(chosen, streams)),
        cdf(random_cdf(random, static_cast<std::int64_t>(taking_part.size() * random.below(9)))),
        symbols(random_symbols(random, cdf)) {}

  static Chosen any_choice(Random& random, std::size_t streams) {
    if (random.one_in(3)) return std::nullopt;
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t k = 0; k < streams; ++k) {
      if (random.one_in(2)) chosen.push_back(k);
    }
    return chosen;
  }

  [[nodiscard]] std::size_t each() const {
    return symbols.size() / std::max<std::size_t>(taking_part.size(), 1);
  }

  bool mark;
  Chosen chosen;
  std::vector<std::uint32_t> taking_part;
  StoredCdf cdf;
  Symbols symbols;
};

Report encode(LockstepEncoder& encoder, const Step& step, const Symbols& symbols,
              const Symbols* other = nullptr) {
  EncodedStream none;
  const EncodeJob job = encode_job(none, step.cdf, 0, symbols);
  std::optional<OriginalSymbols> noted;
  if (other != nullptr) noted = {encode_job(none, step.cdf, 0, *other).values, UINT16_MAX};
  EncodeCall call(encoder, step.chosen);
  ThreadTeam alone(1);
  const Report report = call.encode(job, noted, alone);
  if (report.ok()) call.keep();
  return report;
}

Report decode(LockstepDecoder& decoder, const Step& step, Symbols& symbols) {
  Decoder none;
  symbols.assign(step.symbols.size(), -1);
  DecodeCall call(decoder, step.chosen);
  ThreadTeam alone(1);
  const Report report = call.decode(decode_job(none, step.cdf, 0, symbols), alone);
  if (report.ok()) call.keep();
  return report;
}

LockstepDecoder decoder_of(const std::vector<Bytes>& streams) {
  std::vector<LockstepDecoder::Stream> result;
  for (const Bytes& stream : streams) {
    const auto owner = std::make_shared<const Bytes>(stream);
    result.emplace_back(FedBytes(*owner, owner));
  }
  return {std::move(result), true};
}

// The expected stream, by the definition.
struct Expected {
  explicit Expected(std::size_t streams) : encoders(streams), sums(streams) {}

  void encode(const Step& step) {
    const std::vector<reference::Row> rows = step.cdf.reference_rows();
    std::size_t i = 0;
    for (const std::uint32_t k : step.taking_part) {
      if (step.mark) {
        reference::encode_mark(encoders[k], sums[k]);
        continue;
      }
      for (const std::size_t end = i + step.each(); i < end; ++i) {
        const auto symbol = static_cast<std::size_t>(step.symbols[i]);
        encoders[k].encode(rows[i][symbol], rows[i][symbol + 1]);
        sums[k].add(step.symbols[i]);
      }
    }
  }

  std::vector<reference::Encoder> encoders;
  std::vector<reference::Sums> sums;
};

// Steps of some streams, and their bytes.
struct Coded {
  explicit Coded(Random& random) : streams(1 + random.below(4)), encoder(streams, true) {
    Expected expected(streams);
    for (std::uint64_t left = 1 + random.below(6); left > 0; --left) {
      const Step& step = steps.emplace_back(random, streams);
      if (step.mark) {
        encoder.mark(step.chosen);
      } else {
        REQUIRE(encode(encoder, step, step.symbols).ok());
      }
      expected.encode(step);
    }
    for (std::size_t k = 0; k < streams; ++k) {
      bytes.push_back(finished(encoder.streams()[k]));
      REQUIRE(bytes.back() == expected.encoders[k].finish());
    }
  }

  std::size_t streams;
  LockstepEncoder encoder;
  std::vector<Step> steps;
  std::vector<Bytes> bytes;
};

std::vector<Bytes> all_finished(const LockstepEncoder& encoder) {
  std::vector<Bytes> result;
  for (const EncodedStream& stream : encoder.streams()) result.push_back(finished(stream));
  return result;
}

}  // namespace

TEST_CASE("streams in lockstep are those of the definition, and are read") {
  for_seeds(500, [](Random& random) {
    const Coded coded(random);
    LockstepDecoder decoder = decoder_of(coded.bytes);
    for (const Step& step : coded.steps) {
      Symbols symbols;
      if (step.mark) {
        REQUIRE(decoder.mark(step.chosen).ok());
      } else {
        REQUIRE(decode(decoder, step, symbols).ok());
        CHECK(symbols == step.symbols);
      }
    }
    for (std::size_t k = 0; k < coded.streams; ++k)
      CHECK(decoder.streams()[k].num_bits() == coded.encoder.streams()[k].num_bits());
  });
}

TEST_CASE("a mark is of the symbols that are noted, and says that others were decoded") {
  for_seeds(200, [](Random& random) {
    Coded coded(random);
    const Step step(random, coded.streams);
    if (step.each() == 0) return;
    Symbols noted = step.symbols;
    const std::size_t other = random.below(noted.size());
    ++noted[other];
    REQUIRE(encode(coded.encoder, step, step.symbols, &noted).ok());
    coded.encoder.mark(step.chosen);
    const std::vector<Bytes> streams = all_finished(coded.encoder);
    LockstepDecoder decoder = decoder_of(streams);
    Symbols symbols;
    for (const Step& its : coded.steps)
      REQUIRE((its.mark ? decoder.mark(its.chosen) : decode(decoder, its, symbols)).ok());
    REQUIRE(decode(decoder, step, symbols).ok());
    CHECK(symbols == step.symbols);
    for (int times = 0; times < 2; ++times) {  // that fails and changes nothing
      const Report report = decoder.mark(step.chosen);
      CHECK(report.problem == Problem::kInvalidCode);
      const std::size_t item = other / step.each();
      CHECK(report.item == static_cast<std::int64_t>(item));
      const Marks& its = coded.encoder.marks()[step.taking_part[item]];
      CHECK(report.position + 1 == static_cast<std::int64_t>(its.count));
    }
  });
}

TEST_CASE("a symbol that cannot be coded leaves all streams and their marks as they were") {
  for_seeds(300, [](Random& random) {
    Coded coded(random);
    const Step step(random, coded.streams);
    if (step.each() == 0) return;
    const LockstepEncoder before = coded.encoder;
    Symbols symbols = step.symbols;
    const std::size_t bad = random.below(symbols.size());
    symbols[bad] = -1;
    const Report report = encode(coded.encoder, step, symbols);
    CHECK(report.problem == Problem::kSymbol);
    CHECK(report.position == static_cast<std::int64_t>(bad));
    CHECK(report.item == static_cast<std::int64_t>(bad / step.each()));
    CHECK(all_finished(coded.encoder) == coded.bytes);
    coded.encoder.mark(std::nullopt);
    LockstepEncoder expected = before;
    expected.mark(std::nullopt);
    CHECK(all_finished(coded.encoder) == all_finished(expected));
  });
}

TEST_CASE("whichever allocation fails, all streams and their marks are as they were") {
  for_seeds(20, [](Random& random) {
    const Coded coded(random);
    const Step step(random, coded.streams);
    LockstepEncoder encoder = coded.encoder;
    const int failures = fail_each_allocation([&] {
      try {
        (void)encode(encoder, step, step.symbols);
      } catch (const std::bad_alloc&) {
        const auto left = allocations_left.exchange(kNoLimit);
        CHECK(all_finished(encoder) == coded.bytes);
        LockstepEncoder marked = encoder;
        LockstepEncoder expected = coded.encoder;
        marked.mark(std::nullopt);
        expected.mark(std::nullopt);
        CHECK(all_finished(marked) == all_finished(expected));
        allocations_left = left;
        throw;
      }
    });
    CHECK(failures > 2);
    LockstepEncoder expected = coded.encoder;
    REQUIRE(encode(expected, step, step.symbols).ok());
    CHECK(all_finished(encoder) == all_finished(expected));
  });
}

TEST_CASE("memory that ends amid marks leaves none") {
  for (const Chosen& chosen : {Chosen(), Chosen(std::vector<std::uint32_t>{0, 2, 3})}) {
    LockstepEncoder encoder(5, true);
    const std::vector<Bytes> before = all_finished(encoder);
    const int failures = fail_each_allocation([&] {
      try {
        encoder.mark(chosen);
      } catch (const std::bad_alloc&) {
        const auto left = allocations_left.exchange(kNoLimit);
        CHECK(all_finished(encoder) == before);
        allocations_left = left;
        throw;
      }
    });
    CHECK(failures >= 2);
    LockstepEncoder expected(5, true);
    expected.mark(chosen);
    CHECK(all_finished(encoder) == all_finished(expected));
  }
}

TEST_CASE("numbers of streams that are none, or not in order") {
  LockstepEncoder encoder(3, true);
  LockstepDecoder decoder = decoder_of(all_finished(encoder));
  const std::vector<std::vector<std::uint32_t>> none_such{{3}, {0, 0}, {1, 0}, {0, UINT32_MAX}};
  for (const Chosen chosen : none_such) {
    CHECK_THROWS_AS(encoder.mark(chosen), std::invalid_argument);
    CHECK_THROWS_AS((EncodeCall(encoder, chosen)), std::invalid_argument);
    CHECK_THROWS_AS((void)decoder.mark(chosen), std::invalid_argument);
    CHECK_THROWS_AS((DecodeCall(decoder, chosen)), std::invalid_argument);
  }
  const StoredCdf cdf({DType::kInt16, false, 1}, 4, {0, 2});
  EncodedStream none;
  EncodeCall call(encoder, std::nullopt);
  ThreadTeam alone(1);
  const auto four = encode_job(none, cdf, 0, Symbols(4, 0));
  CHECK_THROWS_AS((void)call.encode(four, std::nullopt, alone), std::invalid_argument);
}

TEST_CASE("of streams of anything the first one that is wrong is reported, and none is decoded") {
  for_seeds(2000, [](Random& random) {
    const std::size_t count = 1 + random.below(4);
    const Step step(random, count);
    std::vector<Bytes> streams;
    LockstepEncoder encoder(count, true);
    REQUIRE(encode(encoder, step, step.symbols).ok());
    for (Bytes& stream : streams = all_finished(encoder)) {
      if (random.one_in(3)) stream = random.bytes(random.below(3 * step.each() + 2));
      if (random.one_in(3)) stream.resize(random.below(stream.size() + 1));
    }
    const std::vector<reference::Row> rows = step.cdf.reference_rows();
    reference::Decoded first;
    std::size_t item = 0;
    for (std::size_t i = 0; i < step.taking_part.size() && first.problem == Problem::kNone; ++i) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(i * step.each());
      const auto end = begin + static_cast<std::ptrdiff_t>(step.each());
      item = i;
      first = reference::decode(streams[step.taking_part[i]], {begin, end});
    }
    if (step.each() == 0) first.problem = Problem::kNone;

    LockstepDecoder decoder = decoder_of(streams);
    Symbols symbols;
    const Report report = decode(decoder, step, symbols);
    REQUIRE(report.problem == first.problem);
    if (report.ok()) return;
    CHECK(report.item == static_cast<std::int64_t>(item));
    CHECK(report.position == static_cast<std::int64_t>(item * step.each() + first.symbols.size()));
    for (const LockstepDecoder::Stream& stream : decoder.streams()) CHECK(stream.num_bits() == 2);
  });
}

TEST_CASE("a mark is read once all its bits are there") {
  for_seeds(100, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 10));
    const Symbols symbols = random_symbols(random, cdf);
    const std::vector<reference::Row> rows = cdf.reference_rows();
    reference::Encoder encoder;
    reference::Sums sums;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const auto symbol = static_cast<std::size_t>(symbols[i]);
      encoder.encode(rows[i][symbol], rows[i][symbol + 1]);
      sums.add(symbols[i]);
    }
    reference::encode_mark(encoder, sums);
    const std::uint64_t num_bits = encoder.num_bits();
    const Bytes whole = encoder.finish();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const Bytes some(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const Bytes rest(whole.begin() + static_cast<std::ptrdiff_t>(size), whole.end());
      CAPTURE(size);
      reference::Decoder expected(some);
      reference::Sums expected_sums;
      bool good = !expected.truncated();
      for (const reference::Row& row : rows) {
        const std::size_t symbol = expected.symbol(row);
        good = good && expected.consume(row[symbol], row[symbol + 1]) && !expected.truncated();
        expected_sums.add(static_cast<std::int64_t>(symbol));
      }
      if (!good || !expected.determined()) continue;
      LockstepDecoder decoder = decoder_of({some});
      DecodeCall call(decoder, std::nullopt);
      Decoder none;
      ThreadTeam alone(1);
      Symbols decoded(symbols.size());
      REQUIRE(call.decode(decode_job(none, cdf, 0, decoded), alone).ok());
      call.keep();
      const Problem problem = reference::decode_mark(expected, expected_sums);
      REQUIRE(decoder.mark(std::nullopt).problem == problem);
      if (problem != Problem::kTruncated || decoded != symbols) continue;
      decoder.feed(0, rest);
      CHECK(decoder.mark(std::nullopt).ok());
      CHECK(decoder.streams()[0].num_bits() == num_bits);
    }
  });
}

TEST_CASE("a stream may come in pieces, to copies of a decoder too") {
  for_seeds(300, [](Random& random) {
    const StoredCdf cdf = random_cdf(random, random.between(0, 60));
    const Symbols symbols = random_symbols(random, cdf);
    const Bytes whole = encode(cdf, symbols);
    EncodedStream stream;
    REQUIRE(encode(stream, cdf, 0, symbols).ok());
    // Decodes one symbol after the other, and feeds bytes when one is missing.
    const auto decode_all = [&](LockstepDecoder decoder, std::size_t fed, std::size_t done,
                                bool forks, const auto& again) -> void {
      while (done < symbols.size()) {
        Decoder none;
        Symbols one(1);
        DecodeCall call(decoder, std::nullopt);
        ThreadTeam alone(1);
        const auto job = decode_job(none, cdf, static_cast<std::int64_t>(done), one);
        if (call.decode(job, alone).ok()) {
          call.keep();
          REQUIRE(one[0] == symbols[done]);
          ++done;
          continue;
        }
        REQUIRE(fed < whole.size());
        if (forks && random.one_in(4)) again(decoder, fed, done, false, again);
        LockstepDecoder other = decoder;
        const std::size_t count = std::min<std::size_t>(whole.size() - fed, random.below(5));
        decoder.feed(0, std::span(whole).subspan(fed, count));
        if (random.one_in(4)) other.feed(0, random.bytes(random.below(9)));
        fed += count;
        CHECK(decoder.streams()[0].source.size() == fed);
      }
      CHECK(decoder.streams()[0].num_bits() == stream.num_bits());
    };
    decode_all(decoder_of({Bytes()}), 0, 0, true, decode_all);
  });
}

TEST_CASE("to feed a decoder takes few allocations, and memory for what is left") {
  constexpr std::size_t kBytes = 200'000;
  const Bytes piece(1, 0x5A);
  StoredCdf cdf({DType::kInt16, false, 256}, kBytes, {0, 2});  // symbols of a byte each
  for (std::int64_t j = 0; j < 256; ++j) cdf.set(0, j, static_cast<std::uint64_t>(256 * j));
  Symbols symbols(kBytes - 1);
  LockstepDecoder decoder = decoder_of({Bytes()});
  const std::int64_t before = bytes_in_use;
  const auto decode_some = [&](std::size_t count) {
    Decoder none;
    DecodeCall call(decoder, std::nullopt);
    ThreadTeam alone(1);
    const auto job = decode_job(none, cdf, 0, std::span(symbols).first(count));
    REQUIRE(call.decode(job, alone).ok());
    call.keep();
  };

  allocations_left = kNoLimit;
  for (std::size_t i = 0; i < kBytes; ++i) decoder.feed(0, piece);
  CHECK(kNoLimit - allocations_left < 100);
  CHECK(bytes_in_use - before < static_cast<std::int64_t>(2 * kBytes));

  decode_some(symbols.size());
  CHECK(std::ranges::count(symbols, 0x5A) == kBytes - 1);
  for (std::size_t i = 0; i < kBytes; ++i) {
    decoder.feed(0, piece);
    REQUIRE(bytes_in_use - before < 1000);
    decode_some(1);
  }
  CHECK(decoder.streams()[0].source.size() == 2 * kBytes);
}

}  // namespace torchac::test
