// Models, and values that are coded whole.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "array.hpp"
#include "bytes.hpp"
#include "call.hpp"
#include "model.hpp"
#include "torchac.h"
#include "torchac/coder/byte_stream.hpp"
#include "torchac/coder/decoder.hpp"
#include "torchac/core.hpp"
#include "torchac/engine/job.hpp"
#include "torchac/error.hpp"
#include "torchac/support/poll.hpp"
#include "torchac/support/thread_team.hpp"

using namespace torchac;
using namespace torchac::c;

namespace {

Item item_of(const torchac_model* model, const torchac_array* index, const torchac_array* values) {
  return Item::of(given(model, "model").model, index, Array::of(given(values, "values"), "values"));
}

}  // namespace

void torchac_free(void* data) { std::free(data); }

int torchac_model_create(const torchac_spec* spec, torchac_model** model, torchac_error* error) {
  return call(error, [&] {
    given(model, "model");
    *model = new torchac_model{Model::of(read_structure(spec, "spec"))};
  });
}

void torchac_model_destroy(torchac_model* model) { delete model; }

int torchac_encode(const torchac_model* model, const torchac_array* index,
                   const torchac_array* values, torchac_bytes* stream, torchac_error* error) {
  return call(error, [&] {
    given(stream, "stream");
    const Item item = item_of(model, index, values);
    EncodeJob job = item.encode_job();
    EncodedStream encoded;
    job.streams = &encoded;
    ThreadTeam alone(1);
    const Report report = encode({&job, 1}, alone);
    if (!report.ok()) explain(report, item);
    *stream = OwnedBytes(encoded).release();
  });
}

int torchac_decode(const torchac_model* model, const torchac_array* index,
                   const std::uint8_t* stream, std::size_t size, const torchac_array* values,
                   torchac_error* error) {
  return call(error, [&] {
    const Model& of = given(model, "model").model;
    const Item item = Item::of(of, index, room(values, of.is_cdf()));
    Decoder decoder(bytes_of(stream, size, "stream"));
    DecodeJob job = item.decode_job();
    job.streams = &decoder;
    ThreadTeam alone(1);
    const Report report = decode({&job, 1}, alone);
    if (!report.ok()) explain(report, item);
    require_end((decoder.num_bits() + 7) / 8, size, "the stream");
  });
}

int torchac_measure(const torchac_model* model, const torchac_array* index,
                    const torchac_array* values, double* bits, torchac_error* error) {
  return call(error, [&] {
    const Item item = item_of(model, index, values);
    EncodeJob job = item.encode_job();
    if (job.count > 0) given(bits, "bits");
    Poll never;
    const Report report = measure({std::move(job), std::move(job.values), bits}, never);
    if (!report.ok()) explain(report, item);
  });
}
