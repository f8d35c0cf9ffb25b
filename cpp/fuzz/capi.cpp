// The C interface, with any descriptions of arrays of its own memory, any models, bytes and files:
// calls succeed or refuse, and what they encode they decode.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "coding.hpp"
#include "harness.hpp"
#include "input.hpp"
#include "torchac.h"

namespace torchac::fuzz {
namespace {

using Sizes = std::vector<std::int64_t>;

constexpr std::size_t kSizes[] = {1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};

// An array with the memory that its description needs: exactly, so that a sanitizer sees more.
struct AnyArray {
  Sizes shape;
  Sizes strides;
  std::vector<std::uint8_t> memory;
  torchac_array described{};

  AnyArray(Input& input, Sizes of, std::int32_t dtype)
      : shape(std::move(of)), strides(shape.size()) {
    const auto item = static_cast<std::int64_t>(kSizes[dtype - 1]);
    std::int64_t stride = item;
    std::int64_t below = 0;
    std::int64_t above = 0;
    bool empty = false;
    for (std::size_t d = shape.size(); d-- > 0;) {
      const bool repeats = input.one_in(8);
      const std::int64_t sign = input.one_in(8) ? -1 : 1;
      strides[d] = repeats ? 0 : sign * stride;
      if (!repeats)
        stride =
            stride * std::max<std::int64_t>(shape[d], 1) + item * std::int64_t(input.one_in(8));
      const std::int64_t reach = strides[d] * (shape[d] - 1);
      (reach < 0 ? below : above) += reach;
      empty = empty || shape[d] == 0;
    }
    if (!empty) memory = input.bytes(static_cast<std::size_t>(above - below + item));
    described = {empty ? nullptr : memory.data() - below, shape.data(), strides.data(),
                 static_cast<std::int32_t>(shape.size()), dtype};
  }

  // Numbers that a model takes, for a type of float; otherwise few calls would succeed.
  void put_floats(Input& input, double least, double most) {
    const auto next = [&] {
      return least + (most - least) * static_cast<double>(input.below(1 << 10)) / 1023;
    };
    if (described.dtype == TORCHAC_FLOAT32) put<float>(next);
    if (described.dtype == TORCHAC_FLOAT64) put<double>(next);
  }

 private:
  template <class T, class Next>
  void put(const Next& next) {
    for (std::size_t at = 0; at + sizeof(T) <= memory.size(); at += sizeof(T)) {
      const auto number = static_cast<T>(next());
      std::memcpy(memory.data() + at, &number, sizeof number);
    }
  }
};

Sizes any_shape(Input& input) {
  Sizes shape(input.below(4));
  for (std::int64_t& size : shape) size = input.between(0, 5);
  return shape;
}

// A shape that mostly broadcasts to another.
Sizes part_of(Input& input, const Sizes& whole) {
  Sizes shape(whole.begin() + static_cast<std::ptrdiff_t>(input.below(whole.size() + 1)),
              whole.end());
  for (std::int64_t& size : shape) {
    if (input.one_in(4)) size = 1;
    if (input.one_in(64)) size = input.between(0, 7);
  }
  return shape;
}

std::int32_t any_float(Input& input) {
  return input.one_of<std::int32_t>(
      {TORCHAC_FLOAT64, TORCHAC_FLOAT32, TORCHAC_BFLOAT16, TORCHAC_FLOAT16});
}
std::int32_t any_type(Input& input) { return static_cast<std::int32_t>(input.between(1, 12)); }

// A model, and what it reads.
struct AnyModel {
  std::vector<AnyArray> arrays;
  std::vector<std::int32_t> families;
  torchac_model* model = nullptr;

  AnyModel(Input& input, const Sizes& values) {
    arrays.reserve(8);
    torchac_spec spec{};
    spec.size = sizeof spec;
    spec.kind = static_cast<std::int32_t>(input.between(1, 9));
    if (input.one_in(64)) spec.kind = static_cast<std::int32_t>(input.bits());
    spec.flags = static_cast<std::uint32_t>(input.one_of({0, 0, 4, 8, 16, 1, 2, 3}));
    spec.low = static_cast<std::int32_t>(input.between(-100, 0));
    spec.high = static_cast<std::int32_t>(input.between(-1, 1000));
    const auto add = [&](torchac_array& to, std::int64_t last, std::int32_t dtype, double least,
                         double most) {
      Sizes shape = part_of(input, values);
      if (last > 0) shape.push_back(last);
      arrays.emplace_back(input, shape, dtype);
      if (!input.one_in(8)) arrays.back().put_floats(input, least, most);
      to = arrays.back().described;
    };
    if (spec.kind <= TORCHAC_LOGISTIC) {
      const std::int64_t components = input.one_in(2) ? input.between(1, 4) : 0;
      add(spec.loc, components, any_float(input), -50, 50);
      add(spec.scale, components, any_float(input), 0, 20);
      if (components > 0) add(spec.weights, components, any_float(input), 0, 1);
      if (components > 0 && input.one_in(2)) {
        for (std::int64_t k = 0; k < components; ++k)
          families.push_back(static_cast<std::int32_t>(input.between(0, 3)));
        spec.families = families.data();
        spec.num_families = static_cast<std::int32_t>(components);
      }
    } else if (spec.kind <= TORCHAC_BERNOULLI_LOGITS) {
      const bool one = spec.kind >= TORCHAC_BERNOULLI_PROBS;
      const std::int64_t most = input.is_large() ? 5000 : 40;
      add(spec.numbers, one ? 0 : input.between(1, most), any_float(input), 0, 1);
    } else {
      const bool integers = spec.kind == TORCHAC_TABLES || input.one_in(3);
      const std::int64_t columns = input.between(2, input.is_large() ? 2000 : 20);
      add(spec.numbers, columns, integers ? std::int32_t{TORCHAC_INT16} : any_float(input), 0, 1);
      if (spec.kind == TORCHAC_TABLES) {
        if (input.one_in(2)) add(spec.first, 0, any_type(input), -9, 9);
        if (input.one_in(2)) add(spec.lengths, 0, any_type(input), 1, 2);
        if (input.one_in(2)) add(spec.shift, 0, any_type(input), 0, 3);
      }
    }
    if (input.one_in(32)) spec.numbers.dtype = static_cast<std::int32_t>(input.between(13, 999));
    (void)torchac_model_create(&spec, &model, nullptr);
  }
  AnyModel(const AnyModel&) = delete;
  AnyModel& operator=(const AnyModel&) = delete;
  ~AnyModel() { torchac_model_destroy(model); }
};

struct Room {
  std::vector<std::int32_t> values;
  torchac_array described;

  explicit Room(const Sizes& shape) {
    std::size_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
    values.reserve(count + 1);  // an address, even of no values
    values.resize(count);
    described = {values.data(), shape.data(), nullptr, static_cast<std::int32_t>(shape.size()),
                 TORCHAC_INT32};
  }
};

void code_whole(Input& input, const AnyModel& any, const torchac_array* index,
                const torchac_array& values, const Sizes& shape) {
  torchac_bytes stream{};
  torchac_error error{};
  error.size = static_cast<std::uint32_t>(input.below(sizeof error + 1));
  Room room(shape);
  std::vector<double> bits(room.values.size());
  const int measured = torchac_measure(any.model, index, &values, bits.data(), &error);
  if (torchac_encode(any.model, index, &values, &stream, &error) == TORCHAC_OK) {
    expect(measured == TORCHAC_OK, "what is encoded can be measured");
    expect(torchac_decode(any.model, index, stream.data, stream.size, &room.described, &error) ==
               TORCHAC_OK,
           "what is encoded is decoded");
    if (stream.size > 0) stream.data[input.below(stream.size)] ^= 1;
    (void)torchac_decode(any.model, index, stream.data, stream.size, &room.described, &error);
    torchac_free(stream.data);
  }
  const std::vector<std::uint8_t> noise = input.bytes(input.below(60));
  (void)torchac_decode(any.model, index, noise.data(), noise.size(), &room.described, &error);
}

void code_steps(Input& input, const AnyModel& any, const torchac_array* index,
                const torchac_array& values, const Sizes& shape) {
  const std::size_t count = shape.empty() ? 1 : static_cast<std::size_t>(shape[0]);
  const std::vector<std::uint8_t> active = input.bytes(count);
  const std::uint8_t* const some = input.one_in(2) ? active.data() : nullptr;
  torchac_encoder* encoder = nullptr;
  expect(torchac_encoder_create(count, &encoder, nullptr) == TORCHAC_OK, "an encoder is made");
  const int encoded = torchac_encoder_encode(encoder, any.model, index, &values, some, nullptr);
  (void)torchac_encoder_mark(encoder, some, nullptr);
  std::vector<torchac_bytes> streams(count);
  expect(torchac_encoder_finish(encoder, streams.data(), nullptr) == TORCHAC_OK, "it finishes");
  torchac_decoder* decoder = nullptr;
  expect(torchac_decoder_create(streams.data(), count, &decoder, nullptr) == TORCHAC_OK,
         "a decoder is made");
  Room room(shape);
  if (encoded == TORCHAC_OK) {
    expect(torchac_decoder_decode(decoder, any.model, index, &room.described, some, nullptr) ==
               TORCHAC_OK,
           "steps are decoded");
    expect(torchac_decoder_mark(decoder, some, nullptr) == TORCHAC_OK, "with their marks");
    expect(torchac_decoder_finish(decoder, nullptr) == TORCHAC_OK, "to the end");
  }
  (void)torchac_decoder_feed(decoder, input.below(3), active.data(), active.size(), nullptr);
  (void)torchac_decoder_decode(decoder, any.model, index, &room.described, some, nullptr);
  torchac_decoder_destroy(decoder);
  torchac_encoder_destroy(encoder);
  for (const torchac_bytes& stream : streams) torchac_free(stream.data);
}

// Opens any bytes as a file, and reads what is there.
void read_file(Input& input, const AnyModel& any, std::vector<std::uint8_t> bytes) {
  torchac_reader_options options{};
  options.size = sizeof options;
  options.flags = static_cast<std::uint32_t>(input.below(4));
  options.max_values = input.between(0, 1 << 16);
  torchac_reader* reader = nullptr;
  if (torchac_reader_open(bytes.data(), bytes.size(), &options, &reader, nullptr) != TORCHAC_OK)
    return;
  torchac_file_info info{};
  info.size = sizeof info;
  expect(torchac_reader_info(reader, &info, nullptr) == TORCHAC_OK, "a file is described");
  for (std::uint64_t k = 0; k < info.segments; ++k) {
    torchac_segment segment{};
    segment.size = sizeof segment;
    expect(torchac_reader_segment(reader, nullptr, k, &segment, nullptr) == TORCHAC_OK,
           "a segment is described");
    std::int64_t count = 1;
    for (int d = 0; d < segment.ndim; ++d)
      count = segment.shape[d] == 0 ? 0
                                    : std::min<std::int64_t>(count, 1 << 20) *
                                          std::min<std::int64_t>(segment.shape[d], 1 << 20);
    if (count > 1 << 16) continue;
    const Room room(Sizes(segment.shape, segment.shape + segment.ndim));
    torchac_array to = room.described;
    to.shape = segment.shape;
    (void)torchac_reader_read(reader, k, any.model, nullptr, &to, nullptr);
  }
  torchac_reader_destroy(reader);
}

void code_file(Input& input, const AnyModel& any, const torchac_array* index,
               const torchac_array& values) {
  torchac_writer* writer = nullptr;
  expect(torchac_writer_create(nullptr, &writer, nullptr) == TORCHAC_OK, "a writer is made");
  for (const char* name : {"a", static_cast<const char*>(nullptr)})
    (void)torchac_writer_write(writer, name, any.model, index, &values, nullptr);
  torchac_bytes file{};
  expect(torchac_writer_finish(writer, &file, nullptr) == TORCHAC_OK, "a file is finished");
  torchac_writer_destroy(writer);
  std::vector<std::uint8_t> bytes(file.data, file.data + file.size);
  torchac_free(file.data);
  if (input.one_in(2)) bytes[input.below(bytes.size())] = static_cast<std::uint8_t>(input.bits());
  read_file(input, any, bytes);
}

void settle(Input& input, const Sizes& shape) {
  AnyArray x(input, shape, any_float(input));
  if (!input.one_in(4)) x.put_floats(input, -9, 9);
  const double step = input.one_of({1.0, 0.5, 1e-30, 0.0, 1e200});
  const Room numbers(shape);
  const Room again(shape);
  torchac_bytes shifts{};
  if (torchac_settle(&x.described, step, step * 0.2, &numbers.described, &shifts, nullptr) ==
      TORCHAC_OK) {
    expect(torchac_settled(&x.described, shifts.data, shifts.size, step, &again.described,
                           nullptr) == TORCHAC_OK,
           "settled numbers are found");
    expect(numbers.values == again.values, "and are the same");
  }
  torchac_free(shifts.data);
  const std::vector<std::uint8_t> noise = input.bytes(input.below(5));
  (void)torchac_settled(&x.described, noise.data(), noise.size(), step, &again.described, nullptr);
}

}  // namespace

void run(Input input) {
  const Sizes shape = any_shape(input);
  const AnyModel any(input, input.one_in(3) && !shape.empty() ? Sizes{4} : shape);
  AnyArray values(input, shape, any_type(input));
  for (std::uint8_t& byte : values.memory) {
    if (!input.is_large()) byte &= 7;
  }
  AnyArray index(input, part_of(input, shape), static_cast<std::int32_t>(input.between(1, 8)));
  for (std::uint8_t& byte : index.memory) byte &= 3;
  const torchac_array* const selected = input.one_in(3) ? &index.described : nullptr;
  code_whole(input, any, selected, values.described, shape);
  code_steps(input, any, selected, values.described, shape);
  code_file(input, any, selected, values.described);
  read_file(input, any, input.bytes(input.below(100)));
  settle(input, shape);
}

}  // namespace torchac::fuzz
