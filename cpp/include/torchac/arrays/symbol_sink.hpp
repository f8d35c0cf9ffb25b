// A symbol sink: the destination of decoded symbols, integers of some type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "torchac/support/compiler.hpp"
#include "torchac/support/target.hpp"

namespace torchac {

// The next place in a contiguous array.
using SymbolSink = std::variant<std::int16_t*, std::int32_t*>;

}  // namespace torchac

TORCHAC_BEGIN_TARGET

template <class T>
void write_symbols(const std::uint32_t* symbols, std::size_t count, T*& to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<T>(symbols[i]);
  to += count;
}

TORCHAC_NOINLINE inline void write_symbols(const std::uint32_t* symbols, std::size_t count,
                                           SymbolSink& sink) {
  if (auto* int16 = std::get_if<std::int16_t*>(&sink)) {
    write_symbols(symbols, count, *int16);
  } else if (auto* int32 = std::get_if<std::int32_t*>(&sink)) {
    write_symbols(symbols, count, *int32);
  }
}

TORCHAC_END_TARGET
