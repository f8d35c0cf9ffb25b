#include "allocations.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

std::atomic<std::int64_t> torchac::test::allocations_left{torchac::test::kNoLimit};
std::atomic<std::int64_t> torchac::test::bytes_in_use{0};

namespace {

// The size of an allocation lies before it.
constexpr std::size_t kFront = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

// NOLINTBEGIN(cppcoreguidelines-no-malloc): these are what new is made of
void* operator new(std::size_t size) {
  if (--torchac::test::allocations_left < 0) throw std::bad_alloc();
  auto* const memory = static_cast<std::byte*>(std::malloc(size + kFront));
  if (memory == nullptr) throw std::bad_alloc();
  torchac::test::bytes_in_use += static_cast<std::int64_t>(*new (memory) std::size_t{size});
  return memory + kFront;
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  std::byte* const all = static_cast<std::byte*>(memory) - kFront;
  torchac::test::bytes_in_use -=
      static_cast<std::int64_t>(*std::launder(reinterpret_cast<std::size_t*>(all)));
  std::free(all);
}
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }
// NOLINTEND(cppcoreguidelines-no-malloc)
