#include "allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

std::atomic<std::int64_t> torchac::test::allocations_left{torchac::test::kNoLimit};
std::atomic<std::size_t> torchac::test::largest_allocation{0};

// NOLINTBEGIN(cppcoreguidelines-no-malloc): these are what new is made of
void* operator new(std::size_t size) {
  if (--torchac::test::allocations_left < 0) throw std::bad_alloc();
  std::size_t largest = torchac::test::largest_allocation;
  while (size > largest &&
         !torchac::test::largest_allocation.compare_exchange_weak(largest, size)) {
  }
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND(cppcoreguidelines-no-malloc)
