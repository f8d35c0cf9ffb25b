#include <cstddef>
#include <span>
#include <variant>

#include "torchac/checks.hpp"
#include "torchac/coding.hpp"
#include "torchac/crew.hpp"
#include "torchac/intervals.hpp"
#include "torchac/lanes.hpp"
#include "torchac/paths.hpp"
#include "torchac/report.hpp"
#include "torchac/shared_tables.hpp"
#include "torchac/tables.hpp"
#include "torchac/turns.hpp"

namespace torchac {
namespace {

Report encode_rows(std::span<const EncodeItem> items, Check check, Crew& crew) {
  return std::visit(
      [&]<class Format>(const Format&) {
        return code_all<EncodeLane<RowIntervals<Format>>>(
            items.size(), crew, [&](auto& lane, std::size_t i) {
              const EncodeItem& item = items[i];
              // Tables were checked as a whole.
              const bool check_rows = check == Check::kAll && !item.rows.tables();
              lane.emplace(item.count, *item.stream, std::get<Format>(item.format), item.rows,
                           item.symbols, check_rows);
            });
      },
      items.front().format);
}

Report encode_tables(std::span<const EncodeItem> items, const IntervalTables& tables, Crew& crew) {
  return code_all<EncodeLane<TableIntervals>>(items.size(), crew, [&](auto& lane, std::size_t i) {
    const EncodeItem& item = items[i];
    lane.emplace(item.count, *item.stream, tables, *item.rows.index(), item.symbols);
  });
}

}  // namespace

Report encode(std::span<const EncodeItem> items, Check check, Crew& crew) {
  if (items.empty()) return {};
  const Report report = RowChecks(items, check, crew.poll()).run();
  if (!report.ok()) return report;
  const auto tables = interval_tables(items, crew.poll());
  if (!tables) return encode_rows(items, check, crew);
  count(Path::kIntervalTables);
  return encode_tables(items, *tables, crew);
}

}  // namespace torchac
