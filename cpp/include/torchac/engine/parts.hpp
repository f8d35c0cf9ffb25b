// Parts of a job: runs of its symbols, each of which has a stream of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "torchac/engine/job.hpp"
#include "torchac/engine/value_job.hpp"

namespace torchac {

inline void skip(Parameters& parameters, std::int64_t count) {
  if (parameters.index) return parameters.index->walk.skip(count);
  for (Component& component : parameters.components) {
    component.loc.walk.skip(count);
    component.scale.walk.skip(count);
    if (component.weight) component.weight->walk.skip(count);
  }
}

inline void skip(WindowRows& rows, std::int64_t count) {
  if (rows.index) {
    rows.index->walk.skip(count);
  } else {
    rows.view.skip(count);
  }
}

inline void skip(Categories& categories, std::int64_t count) { categories.rows.skip(count); }

// Goes on behind the first `count` symbols, of which there are more.
inline void skip(EncodeJob& job, std::int64_t count) {
  job.rows.skip(count);
  job.symbols.walk.skip(count);
}
inline void skip(DecodeJob& job, std::int64_t count) {
  job.rows.skip(count);
  std::visit([&](auto*& to) { to += count; }, job.symbols);
}
inline void skip(ValueJob& job, std::int64_t count) {
  std::visit([&](auto& model) { skip(model, count); }, job.model);
  if (job.shared) job.shared->skip(count);
}
inline void skip(EncodeValuesJob& job, std::int64_t count) {
  skip(static_cast<ValueJob&>(job), count);
  job.values.walk.skip(count);
}
inline void skip(DecodeValuesJob& job, std::int64_t count) {
  skip(static_cast<ValueJob&>(job), count);
  job.values += count;
}

// The parts of a job, of `size` symbols each but for the last one; as many as there are streams.
template <class Job, class Stream>
std::vector<Job> split(Job job, std::int64_t size, std::span<Stream> streams) {
  std::vector<Job> parts;
  std::int64_t left = job.count;
  for (Stream& stream : streams) {
    if (!parts.empty()) skip(job, size);
    job.count = std::min(left, size);
    job.streams = &stream;
    left -= job.count;
    parts.push_back(job);
  }
  return parts;
}

}  // namespace torchac
