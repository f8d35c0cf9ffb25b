// The C interface: golden streams, what it refuses, and structures of other releases.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "stored_cdf.hpp"
#include "streams.hpp"
#include "torchac.h"
#include "torchac/arrays/dtype.hpp"
#include "vectors.hpp"

namespace torchac::test {
namespace {

torchac_error no_error() {
  torchac_error error{};
  error.size = sizeof error;
  return error;
}

template <class T>
torchac_array array(std::vector<T>& values, const std::vector<std::int64_t>& shape) {
  return {values.data(), shape.data(), nullptr, static_cast<std::int32_t>(shape.size()),
          static_cast<std::int32_t>(kDType<T>) + 1};
}

Bytes taken(const torchac_bytes& bytes) {
  Bytes result(bytes.data, bytes.data + bytes.size);
  torchac_free(bytes.data);
  return result;
}

// Normal distributions of three values.
struct ThreeValues {
  std::vector<std::int64_t> shape{3};
  std::vector<double> loc{0.5, -20, 1e9};
  std::vector<float> scale{2, 0, 1e6f};
  std::vector<std::int32_t> values{3, -20, 1'000'000'123};
  torchac_spec spec{};
  torchac_error error = no_error();

  ThreeValues() {
    spec.size = sizeof spec;
    spec.kind = TORCHAC_NORMAL;
    spec.loc = array(loc, shape);
    spec.scale = array(scale, shape);
  }
};

}  // namespace

TEST_CASE("golden streams pass through the C interface") {
  for (const Vector& vector : read_vectors()) {
    CAPTURE(vector.name);
    for (const StoredCdf* cdf : {&vector.cdf, &vector.converted}) {
      const CdfLayout layout = cdf->layout();
      const std::int64_t count = cdf->count();
      const std::int64_t shape[2] = {count, layout.symbols + std::int64_t{1}};
      const std::int64_t strides[2] = {count > 1 ? cdf->row(1) - cdf->row(0) : 0, layout.stride};
      torchac_spec spec{};
      spec.size = sizeof spec;
      spec.kind = TORCHAC_CDF;
      spec.flags = layout.normalize ? 0 : TORCHAC_RAW;
      spec.numbers = {const_cast<std::byte*>(cdf->row(0)), shape, strides, 2,
                      static_cast<std::int32_t>(layout.type) + 1};
      torchac_model* model = nullptr;
      REQUIRE(torchac_model_create(&spec, &model, nullptr) == TORCHAC_OK);
      std::vector<std::int16_t> symbols(vector.symbols.begin(), vector.symbols.end());
      const std::vector<std::int64_t> size{count};
      const torchac_array values = array(symbols, size);
      torchac_bytes stream{};
      REQUIRE(torchac_encode(model, nullptr, &values, &stream, nullptr) == TORCHAC_OK);
      CHECK(taken(stream) == vector.stream);
      std::vector<std::int32_t> decoded(symbols.size());
      const torchac_array room = array(decoded, size);
      CHECK(torchac_decode(model, nullptr, vector.stream.data(), vector.stream.size(), &room,
                           nullptr) == TORCHAC_OK);
      CHECK(std::vector<std::int16_t>(decoded.begin(), decoded.end()) == symbols);
      torchac_model_destroy(model);
    }
  }
}

TEST_CASE("values are encoded, decoded and measured") {
  ThreeValues three;
  torchac_model* model = nullptr;
  REQUIRE(torchac_model_create(&three.spec, &model, &three.error) == TORCHAC_OK);
  const torchac_array values = array(three.values, three.shape);
  torchac_bytes stream{};
  REQUIRE(torchac_encode(model, nullptr, &values, &stream, &three.error) == TORCHAC_OK);
  std::vector<std::int32_t> decoded(3, -1);
  const torchac_array room = array(decoded, three.shape);
  CHECK(torchac_decode(model, nullptr, stream.data, stream.size, &room, nullptr) == TORCHAC_OK);
  CHECK(decoded == three.values);
  std::vector<double> bits(3);
  CHECK(torchac_measure(model, nullptr, &values, bits.data(), nullptr) == TORCHAC_OK);
  CHECK(bits[0] > 2);
  CHECK(torchac_decode(model, nullptr, stream.data, stream.size - 1, &room, &three.error) ==
        TORCHAC_CORRUPT);
  CHECK(std::string(three.error.message).find("the stream ends before its values do") == 0);
  torchac_free(stream.data);
  torchac_model_destroy(model);
}

TEST_CASE("a message ends where the caller's structure does") {
  ThreeValues three;
  three.loc[2] = std::numeric_limits<double>::infinity();
  torchac_model* model = nullptr;
  REQUIRE(torchac_model_create(&three.spec, &model, nullptr) == TORCHAC_OK);
  const torchac_array values = array(three.values, three.shape);
  torchac_bytes stream{};
  const std::string whole = "loc is inf at index (2,): expected finite numbers";
  for (std::size_t size = 0; size <= sizeof(torchac_error); ++size) {
    std::memset(&three.error, 0x55, sizeof three.error);
    three.error.size = static_cast<std::uint32_t>(size);
    CHECK(torchac_encode(model, nullptr, &values, &stream, &three.error) == TORCHAC_INVALID);
    constexpr std::size_t kHead = offsetof(torchac_error, message);
    if (size > kHead) CHECK(three.error.message == whole.substr(0, size - kHead - 1));
    const auto* bytes = reinterpret_cast<const unsigned char*>(&three.error);
    for (std::size_t i = std::max<std::size_t>(size, 4); i < sizeof three.error; ++i)
      REQUIRE(bytes[i] == 0x55);
  }
  CHECK(stream.data == nullptr);
  torchac_model_destroy(model);
}

TEST_CASE("structures of a later release are accepted if their new members are zero") {
  ThreeValues three;
  std::vector<unsigned char> later(sizeof three.spec + 16);
  three.spec.size = static_cast<std::uint32_t>(later.size());
  std::memcpy(later.data(), &three.spec, sizeof three.spec);
  torchac_model* model = nullptr;
  const auto* spec = reinterpret_cast<const torchac_spec*>(later.data());
  CHECK(torchac_model_create(spec, &model, &three.error) == TORCHAC_OK);
  torchac_model_destroy(model);
  later.back() = 1;
  model = nullptr;
  CHECK(torchac_model_create(spec, &model, &three.error) == TORCHAC_INVALID);
  CHECK(std::string(three.error.message) == "spec has members of a later release");
  CHECK(model == nullptr);
  for (const std::uint32_t size : {0u, 7u}) {
    three.spec.size = size;
    CHECK(torchac_model_create(&three.spec, &model, &three.error) == TORCHAC_INVALID);
  }
}

TEST_CASE("NULL is refused") {
  ThreeValues three;
  torchac_error* const error = &three.error;
  torchac_model* model = nullptr;
  torchac_bytes bytes{};
  const torchac_array values = array(three.values, three.shape);
  CHECK(torchac_model_create(nullptr, &model, error) == TORCHAC_INVALID);
  CHECK(torchac_model_create(&three.spec, nullptr, error) == TORCHAC_INVALID);
  REQUIRE(torchac_model_create(&three.spec, &model, error) == TORCHAC_OK);
  CHECK(torchac_encode(nullptr, nullptr, &values, &bytes, error) == TORCHAC_INVALID);
  CHECK(torchac_encode(model, nullptr, nullptr, &bytes, error) == TORCHAC_INVALID);
  CHECK(torchac_encode(model, nullptr, &values, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_decode(model, nullptr, nullptr, 5, &values, error) == TORCHAC_INVALID);
  CHECK(torchac_measure(model, nullptr, &values, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_encoder_create(1, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_encoder_encode(nullptr, model, nullptr, &values, nullptr, error) ==
        TORCHAC_INVALID);
  CHECK(torchac_decoder_create(nullptr, 2, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_reader_open(nullptr, 9, nullptr, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_writer_create(nullptr, nullptr, error) == TORCHAC_INVALID);
  CHECK(torchac_settle(nullptr, 1, 0.1, nullptr, nullptr, error) == TORCHAC_INVALID);
  torchac_model_destroy(model);
  torchac_model_destroy(nullptr);
  torchac_encoder_destroy(nullptr);
  torchac_decoder_destroy(nullptr);
  torchac_reader_destroy(nullptr);
  torchac_writer_destroy(nullptr);
  torchac_free(nullptr);
}

TEST_CASE("a file goes to the caller's function, whose failure ends it") {
  ThreeValues three;
  torchac_model* model = nullptr;
  REQUIRE(torchac_model_create(&three.spec, &model, nullptr) == TORCHAC_OK);
  const torchac_array values = array(three.values, three.shape);
  Bytes whole;
  for (int fail_at = 4; fail_at > 0; --fail_at) {
    struct Output {
      Bytes bytes;
      int left;
    } output{{}, fail_at};
    torchac_writer_options options{};
    options.size = sizeof options;
    options.context = &output;
    options.write = [](void* context, const std::uint8_t* data, std::size_t size) {
      auto& to = *static_cast<Output*>(context);
      to.bytes.insert(to.bytes.end(), data, data + size);
      return --to.left == 0 ? 1 : 0;
    };
    torchac_writer* writer = nullptr;
    const int created = torchac_writer_create(&options, &writer, nullptr);
    CHECK(created == (fail_at == 1 ? TORCHAC_UNUSABLE : TORCHAC_OK));
    if (created != TORCHAC_OK) continue;
    CHECK(torchac_writer_write(writer, "x", model, nullptr, &values, nullptr) ==
          (fail_at == 2 ? TORCHAC_UNUSABLE : TORCHAC_OK));
    CHECK(torchac_writer_write(writer, "x", model, nullptr, &values, nullptr) != TORCHAC_OK);
    CHECK(torchac_writer_finish(writer, nullptr, nullptr) ==
          (fail_at <= 3 ? TORCHAC_UNUSABLE : TORCHAC_OK));
    CHECK(torchac_writer_finish(writer, nullptr, nullptr) == TORCHAC_UNUSABLE);
    torchac_writer_destroy(writer);
    if (fail_at == 4) whole = output.bytes;
  }
  torchac_reader* reader = nullptr;
  REQUIRE(torchac_reader_open(whole.data(), whole.size(), nullptr, &reader, nullptr) == TORCHAC_OK);
  std::vector<std::int32_t> decoded(3);
  const torchac_array room = array(decoded, three.shape);
  CHECK(torchac_reader_read(reader, 0, model, nullptr, &room, nullptr) == TORCHAC_OK);
  CHECK(decoded == three.values);
  torchac_reader_destroy(reader);
  torchac_model_destroy(model);
}

}  // namespace torchac::test
