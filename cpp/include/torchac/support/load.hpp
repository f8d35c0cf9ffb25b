// Reads a value at any address, aligned or not.
#pragma once

#include <cstddef>
#include <cstring>

namespace torchac {

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace torchac
