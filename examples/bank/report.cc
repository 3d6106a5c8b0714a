#include "report.h"

#include <array>
#include <cstdio>

#include "../console/text.h"

namespace bank {
namespace {

std::string Percentiles(const pawl::Histogram& latency) {
  if (latency.count() == 0) return "nothing was measured";
  return "p50 " + console::Duration(latency.ValueAtPercentile(50)) + ", p99 " +
         console::Duration(latency.ValueAtPercentile(99)) + ", p99.9 " +
         console::Duration(latency.ValueAtPercentile(99.9)) + ", max " +
         console::Duration(latency.max());
}

std::string OneDecimal(double number) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", number);
  return text.data();
}

std::string Percent(std::uint64_t part, std::uint64_t whole) {
  return OneDecimal(100.0 * static_cast<double>(part) / static_cast<double>(whole)) + " %";
}

std::string Money(std::int64_t cents) {
  const std::string whole = console::WithCommas(static_cast<std::uint64_t>(cents / 100));
  const std::string rest = std::to_string(cents % 100);
  return whole + (rest.size() == 1 ? ".0" : ".") + rest;
}

std::string Load(const Options& options) {
  if (options.rate == 0) return "saturated: latencies are queueing, see --rate";
  return console::WithCommas(options.rate) + " commands a second, on a schedule";
}

}  // namespace

std::string ReportTable(const Options& options, const RunResult& result) {
  const std::uint64_t commands = result.accepted + result.refused;
  console::Table table;
  table.Row("load", Load(options))
      .Row("acknowledged when", options.ack == pawl::Ack::kDurable ? "durable" : "published")
      .Row("producers", std::to_string(options.producers))
      .Row("commands", console::WithCommas(commands) + " in " + OneDecimal(result.seconds * 1e3) +
                           " ms" + (result.is_interrupted ? " (interrupted)" : ""))
      .Row("commands a second", console::Rate(result.commands_per_second()))
      .Row("accepted", console::WithCommas(result.accepted))
      .Row("refused", console::WithCommas(result.refused) + " (" +
                          Percent(result.refused, commands == 0 ? 1 : commands) +
                          ": no such account, or not enough money on it)")
      .Row("submit → acknowledged", Percentiles(result.submit_to_ack))
      .Row("submit → visible", Percentiles(result.submit_to_visible))
      .Row("log", console::Bytes(result.log_bytes) + ", " +
                      OneDecimal(result.log_bytes_per_command()) + " bytes per accepted command")
      .Gap()
      .Row("money conserved", std::string(result.is_money_conserved ? "yes" : "NO") + ": " +
                                  Money(result.balance_cents) + " on " +
                                  console::WithCommas(result.accounts) + " accounts")
      .Row("views equal aggregates", result.is_view_equal ? "yes" : "NO");
  return table.Text();
}

std::string ReportJson(const Options& options, const RunResult& result) {
  console::JsonObject json;
  json.Add("commands_per_second", result.commands_per_second())
      .Add("accepted", result.accepted)
      .Add("refused", result.refused)
      .Add("submit_to_ack_ns", result.submit_to_ack)
      .Add("submit_to_visible_ns", result.submit_to_visible)
      .Add("log_bytes_per_command", result.log_bytes_per_command())
      .Add("money_conserved", result.is_money_conserved)
      .Add("view_matches", result.is_view_equal)
      .Add("ack", options.ack == pawl::Ack::kDurable ? std::string_view("durable") : "published")
      .Add("producers", options.producers)
      .Add("rate", options.rate)
      .Add("is_saturated", options.rate == 0)
      .Add("seconds", result.seconds)
      .Add("seed", options.seed);
  return json.Text();
}

}  // namespace bank
