// Splits a job into chunks: runs of its values, each with its own stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "torchac/engine/job.hpp"

namespace torchac {

// These skip the first `count` values, which must not be all.
inline void skip(CdfRows& cdf, std::int64_t count) { cdf.rows.skip(count); }

inline void skip(Parameters& parameters, std::int64_t count) {
  if (parameters.index) return parameters.index->walk.skip(count);
  for (Component& component : parameters.components) {
    for (std::optional<Numbers>& array : component.arrays) {
      if (array) array->walk.skip(count);
    }
  }
}

inline void skip(TableRows& rows, std::int64_t count) {
  if (rows.index) {
    rows.index->walk.skip(count);
  } else {
    rows.view.skip(count);
  }
}

inline void skip(Categories& categories, std::int64_t count) { categories.rows.skip(count); }

inline void skip(Numbers& values, std::int64_t count) { values.walk.skip(count); }

inline void skip(SymbolSink& values, std::int64_t count) {
  std::visit([&](auto*& to) { to += count; }, values);
}

template <class AnyJob>
void skip(AnyJob& job, std::int64_t count) {
  std::visit([&](auto& model) { skip(model, count); }, job.model);
  if (job.shared) job.shared->skip(count);
  skip(job.values, count);
}

// The first value of a chunk, of `chunks` that `count` values are divided into: their sizes differ
// by at most one, and the larger ones come first.
inline std::int64_t chunk_begin(std::int64_t count, std::int64_t chunks, std::int64_t chunk) {
  return chunk * (count / chunks) + std::min(chunk, count % chunks);
}

// The chunks of a job, one for each stream, of which there must not be more than values.
template <class AnyJob, class Stream>
std::vector<AnyJob> split(AnyJob job, std::span<Stream> streams) {
  std::vector<AnyJob> chunks;
  const std::int64_t count = job.count;
  const auto size = static_cast<std::int64_t>(streams.size());
  for (Stream& stream : streams) {
    if (!chunks.empty()) skip(job, job.count);
    const auto k = static_cast<std::int64_t>(chunks.size());
    job.count = chunk_begin(count, size, k + 1) - chunk_begin(count, size, k);
    job.streams = &stream;
    chunks.push_back(job);
  }
  return chunks;
}

}  // namespace torchac
