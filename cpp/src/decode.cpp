#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <variant>

#include "torchac/checks.hpp"
#include "torchac/coding.hpp"
#include "torchac/crew.hpp"
#include "torchac/lanes.hpp"
#include "torchac/one_window.hpp"
#include "torchac/paths.hpp"
#include "torchac/poll.hpp"
#include "torchac/report.hpp"
#include "torchac/searches.hpp"
#include "torchac/shared_tables.hpp"
#include "torchac/tables.hpp"
#include "torchac/turns.hpp"
#include "torchac/values.hpp"
#include "torchac/windows.hpp"

namespace torchac {
namespace {

// The shared tables, prepared, if there are enough symbols for it to pay.
std::optional<Tables> lookup_tables(std::span<const DecodeItem> items, Poll& poll) {
  const auto shared = shared_tables(items);
  if (!shared || shared->symbols / Tables::kSymbolsThatPay < shared->view.count)
    return std::nullopt;
  return std::visit([&](const auto& format) { return Tables::prepare(format, shared->view, poll); },
                    items.front().format);
}

template <class Search>
Report decode_with(std::span<const DecodeItem> items, Crew& crew) {
  return code_all<DecodeLane<Search>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const DecodeItem& item = items[i];
    lane.emplace(item.symbols, item.count, *item.stream,
                 std::get<typename Search::Format>(item.format), item.rows);
  });
}

// Whether all items can be decoded with a search that not all rows can be.
template <class Search>
bool fits(std::span<const DecodeItem> items) {
  return std::ranges::all_of(items, [](const DecodeItem& item) {
    const auto* format = std::get_if<typename Search::Format>(&item.format);
    return format != nullptr && Search::fits(*format);
  });
}

#ifdef TORCHAC_HAS_VECTORS

// Decodes with one of the searches, if it fits.
template <class Search>
bool decode_if_fits(std::span<const DecodeItem> items, Crew& crew, Report& report) {
  if (!fits<Search>(items)) return false;
  count(Path::kSearch);
  report = decode_with<Search>(items, crew);
  return true;
}

#endif

Report decode_rows(std::span<const DecodeItem> items, Crew& crew) {
#ifdef TORCHAC_HAS_VECTORS
  Report report;
  if (decode_if_fits<WindowSearch<OneWindow<Integer16>>>(items, crew, report) ||
      decode_if_fits<WindowSearch<OneWindow<Float32>>>(items, crew, report) ||
      decode_if_fits<WindowSearch<Windows<Integer16>>>(items, crew, report) ||
      decode_if_fits<WindowSearch<Windows<Float32>>>(items, crew, report))
    return report;
#endif
  return std::visit(
      [&]<class Format>(const Format&) { return decode_with<RowSearch<Format>>(items, crew); },
      items.front().format);
}

Report decode_tables(std::span<const DecodeItem> items, const Tables& tables, Crew& crew) {
  return code_all<DecodeLane<TableSearch>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const DecodeItem& item = items[i];
    lane.emplace(item.symbols, item.count, *item.stream, tables, *item.rows.index());
  });
}

}  // namespace

Report decode(std::span<const DecodeItem> items, Check check, Crew& crew) {
  if (items.empty()) return {};
  const Report report = RowChecks(items, check, crew.poll()).run();
  if (!report.ok()) return report;
  const auto tables = lookup_tables(items, crew.poll());
  if (!tables) return decode_rows(items, crew);
  count(Path::kLookupTables);
  return decode_tables(items, *tables, crew);
}

}  // namespace torchac
