// Bytes for the caller, who frees them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <string>

#include "call.hpp"
#include "torchac.h"
#include "torchac/coder/byte_stream.hpp"

namespace torchac::c {

// Bytes that are freed unless they are given to the caller. Their address is never null.
class OwnedBytes {
 public:
  explicit OwnedBytes(std::size_t size)
      : data_(static_cast<std::uint8_t*>(std::malloc(size + 1))), size_(size) {
    if (!data_) throw std::bad_alloc();
  }
  explicit OwnedBytes(std::span<const std::uint8_t> from) : OwnedBytes(from.size()) {
    std::ranges::copy(from, data_.get());
  }
  // The stream as if it ended now. The stream itself does not change.
  explicit OwnedBytes(EncodedStream& stream) : OwnedBytes(stream.size()) { stream.finish(span()); }

  [[nodiscard]] std::span<std::uint8_t> span() { return {data_.get(), size_}; }
  [[nodiscard]] torchac_bytes release() { return {data_.release(), size_}; }

 private:
  struct Free {
    void operator()(void* data) const { std::free(data); }
  };

  std::unique_ptr<std::uint8_t, Free> data_;
  std::size_t size_;
};

// Bytes of the caller.
inline std::span<const std::uint8_t> bytes_of(const std::uint8_t* data, std::size_t size,
                                              const char* name) {
  if (data == nullptr && size > 0) refuse(std::string(name) + " is NULL, of more than 0 bytes");
  return {data, size};
}

// Refuses a stream with more bytes than its values take.
inline void require_end(std::uint64_t used, std::uint64_t size, const std::string& name) {
  if (used == size) return;
  throw Refused(TORCHAC_CORRUPT, name + " has " + std::to_string(size) +
                                     " bytes and its values take " + std::to_string(used) +
                                     ": it is damaged, or was written with another model or for "
                                     "more values");
}

}  // namespace torchac::c
