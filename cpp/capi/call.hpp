// The frame of every call: exceptions become codes and messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "torchac.h"

namespace torchac::c {

// Why a call is refused. Its message is for users.
struct Refused : std::runtime_error {
  Refused(int of, const std::string& message) : std::runtime_error(message), code(of) {}

  int code;
};

[[noreturn]] inline void refuse(const std::string& message) {
  throw Refused(TORCHAC_INVALID, message);
}
inline void require(bool condition, std::string_view message) {
  if (!condition) refuse(std::string(message));
}

// Tells the caller the code and the message, which is cut before a character that does not fit.
inline int tell(torchac_error* error, int code, std::string_view message) {
  constexpr std::size_t kHead = offsetof(torchac_error, message);
  if (error == nullptr || error->size <= kHead) return code;
  error->code = code;
  std::size_t count = std::min(message.size(), std::size_t{error->size} - kHead - 1);
  while (count < message.size() && count > 0 &&
         (static_cast<unsigned char>(message[count]) >> 6) == 2)
    --count;
  std::memcpy(error->message, message.data(), count);
  error->message[count] = '\0';
  return code;
}

// Runs a call.
template <class Run>
int call(torchac_error* error, const Run& run) noexcept {
  try {
    run();
    return tell(error, TORCHAC_OK, "");
  } catch (const Refused& refused) {
    return tell(error, refused.code, refused.what());
  } catch (const std::bad_alloc&) {
    return tell(error, TORCHAC_NO_MEMORY, "there is not enough memory");
  } catch (const std::length_error&) {  // of a vector
    return tell(error, TORCHAC_NO_MEMORY, "there is not enough memory");
  } catch (const std::exception& fault) {
    return tell(error, TORCHAC_UNEXPECTED, fault.what());
  } catch (...) {
    return tell(error, TORCHAC_UNEXPECTED, "an unknown fault of the library");
  }
}

template <class T>
T& given(T* pointer, const char* name) {
  if (pointer == nullptr) refuse(std::string(name) + " is NULL");
  return *pointer;
}

// A copy of a structure of any release: what it lacks is zero, and what this release does not know
// must be zero.
template <class T>
T read_structure(const T* from, const char* name) {
  constexpr std::size_t kLeast = 2 * sizeof(std::uint32_t);
  T result{};
  const std::size_t size = given(from, name).size;
  if (!(size >= kLeast))
    refuse(std::string(name) + ".size is " + std::to_string(size) +
           ": expected the sizeof of the structure");
  const auto* bytes = reinterpret_cast<const unsigned char*>(from);
  std::memcpy(&result, bytes, std::min(size, sizeof(T)));
  for (std::size_t i = sizeof(T); i < size; ++i)
    if (!(bytes[i] == 0)) refuse(std::string(name) + " has members of a later release");
  return result;
}

// Fills as much of a structure as the caller's release has.
template <class T>
void write_structure(T* to, T value, const char* name) {
  const std::uint32_t size = given(to, name).size;
  if (!(size >= 2 * sizeof(std::uint32_t)))
    refuse(std::string(name) + ".size is " + std::to_string(size) +
           ": expected the sizeof of the structure");
  value.size = size;
  std::memcpy(static_cast<void*>(to), &value, std::min<std::size_t>(size, sizeof(T)));
}

}  // namespace torchac::c
