// Which streams the symbols of a job go to or come from.
#pragma once

#include <cstdint>

namespace torchac {

// `each` symbols for each of some streams, one stream after the other.
template <class Stream>
struct Streams {
  // All for one.
  // NOLINTNEXTLINE(misc-explicit-constructor): mostly there is one
  Streams(Stream* only) : first(only), each(INT64_MAX) {}
  Streams(Stream* streams, std::int64_t symbols) : first(streams), each(symbols) {}

  Stream* first;
  std::int64_t each;
};

}  // namespace torchac
