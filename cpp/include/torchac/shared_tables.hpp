// Tables that all items of a call share.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "torchac/poll.hpp"
#include "torchac/sources.hpp"
#include "torchac/tables.hpp"

namespace torchac {

// And how many symbols are coded with them.
struct SharedTables {
  TableView view;
  std::int64_t symbols;
};

template <class Item>
[[nodiscard]] std::optional<SharedTables> shared_tables(std::span<const Item> items) {
  const std::optional<TableView>& view = items.front().rows.tables();
  std::int64_t symbols = 0;
  for (const Item& item : items) {
    if (!view || item.rows.tables() != view || item.format != items.front().format)
      return std::nullopt;
    symbols += item.count;
  }
  return SharedTables{*view, symbols};
}

// The shared tables' intervals, if there are more symbols than intervals to prepare.
template <class Item>
[[nodiscard]] std::optional<IntervalTables> interval_tables(std::span<const Item> items,
                                                            Poll& poll) {
  const auto shared = shared_tables(items);
  if (!shared) return std::nullopt;
  return std::visit(
      [&](const auto& format) -> std::optional<IntervalTables> {
        if (shared->symbols / format.symbols() < shared->view.count) return std::nullopt;
        return IntervalTables::prepare(format, shared->view, poll);
      },
      items.front().format);
}

}  // namespace torchac
