#include "report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>

#include "../console/text.h"

namespace market {
namespace {

std::string Number(std::int64_t number) {
  return console::WithCommas(static_cast<std::uint64_t>(number));
}
std::string Number(std::uint64_t number) { return console::WithCommas(number); }

// 2239500 as "$223.95".
std::string Dollars(std::int64_t price) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), ".%02lld", static_cast<long long>(price % 10'000 / 100));
  return "$" + Number(price / 10'000) + text.data();
}

std::string LevelText(const Level& level) {
  return Number(level.shares) + " at " + Dollars(level.price);
}

std::string SumText(const Volume::Sum& sum) {
  return Number(sum.shares) + " shares in " + Number(sum.trades) + " trades, " +
         Dollars(sum.notional);
}

// The shape of the day: one bar for each half-hour in which shares were traded.
void AddVolumeBars(const VolumePerMinute& volume, console::Table& table) {
  constexpr std::size_t kStep = 30;
  constexpr std::int64_t kBarWidth = 40;
  std::array<std::int64_t, VolumePerMinute::kMinutes / kStep> sums{};
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const auto begin = volume.shares.begin() + static_cast<std::ptrdiff_t>(i * kStep);
    sums[i] = std::accumulate(begin, begin + kStep, std::int64_t{0});
  }
  const std::int64_t most = std::max<std::int64_t>(1, *std::max_element(sums.begin(), sums.end()));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == 0) continue;
    std::array<char, 32> label{};
    std::snprintf(label.data(), label.size(), "traded from %02zu:%02zu", i / 2, i % 2 * 30);
    const std::string bar(static_cast<std::size_t>(sums[i] * kBarWidth / most), '#');
    table.Row(label.data(), bar + (bar.empty() ? "" : " ") + Number(sums[i]));
  }
}

}  // namespace

std::string ReportTable(const ReplayResult& r) {
  console::Table table;
  table
      .Row("messages", Number(r.rows) + ", " + console::Rate(r.messages_per_second()) +
                           " a second, each durable")
      .Row("orders", Number(r.orders.placed) + " placed: " + Number(r.orders.executed) +
                         " executed, " + Number(r.orders.cancelled) + " cancelled, " +
                         Number(r.orders.open) + " open")
      .Row("messages of unknown orders", Number(r.orders.of_unknown_orders))
      .Row("traded, visible", SumText(r.volume.visible))
      .Row("traded, hidden", SumText(r.volume.hidden))
      .Row("best ask at the end", LevelText(r.top.quote.ask))
      .Row("best bid at the end", LevelText(r.top.quote.bid))
      .Gap();
  AddVolumeBars(r.per_minute, table);
  table.Gap()
      .Row("book as the exchange had it", Number(r.rows_matched) + " of " + Number(r.rows) +
                                              " rows" + (r.rows_matched == r.rows ? "" : ": NO"))
      .Row("  derived", Number(r.rows_derived))
      .Row("  told, the level behind was revealed", Number(r.rows_told))
      .Row("  told, the first", Number(r.rows_first))
      .Row("views equal files and aggregates", r.is_view_equal ? "yes" : "NO");
  return table.Text();
}

std::string ReportJson(const ReplayResult& r) {
  const auto number = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  console::JsonObject json;
  json.Add("rows", r.rows)
      .Add("new_orders", r.orders.placed)
      .Add("partial_cancels", r.orders.reductions)
      .Add("deletions", r.orders.deletions)
      .Add("visible_executions", r.volume.visible.trades)
      .Add("hidden_executions", r.volume.hidden.trades)
      .Add("unknown_orders", r.orders.of_unknown_orders)
      .Add("open_orders", r.orders.open)
      .Add("visible_volume", number(r.volume.visible.shares))
      .Add("visible_notional", number(r.volume.visible.notional))
      .Add("hidden_volume", number(r.volume.hidden.shares))
      .Add("book_rows_matched", r.rows_matched)
      .Add("rows_derived", r.rows_derived)
      .Add("rows_told", r.rows_told)
      .Add("rows_first", r.rows_first)
      .Add("view_matches", r.is_view_equal)
      .Add("messages_per_second", r.messages_per_second());
  return json.Text();
}

}  // namespace market
