#include "run.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "../console/progress_line.h"
#include "bank.h"
#include "teller.h"
#include <pawl/engine.h>
#include <pawl/view.h>

namespace bank {
namespace {

using Tellers = std::vector<std::unique_ptr<Teller>>;
using CentsByAccount = absl::flat_hash_map<pawl::Key, std::int64_t>;

// The write model's own balances: what the views are compared with.
absl::StatusOr<CentsByAccount> AggregateBalances(pawl::Engine& engine) {
  CentsByAccount cents;
  absl::Status visited = engine.VisitAggregates<Account>(
      [&](const pawl::Key& key, pawl::Version, const Account::State& state) {
        cents[key] = state.cents;
      });
  if (!visited.ok()) return visited;
  return cents;
}

std::int64_t Sum(const CentsByAccount& balances) {
  std::int64_t sum = 0;
  for (const auto& [key, cents] : balances) sum += cents;
  return sum;
}

absl::StatusOr<Tellers> HireTellers(const Options& options, pawl::Engine& engine,
                                    const pawl::View<Balances>& balances) {
  Tellers tellers;
  const double interval_ns = options.rate == 0 ? 0
                                               : 1e9 * static_cast<double>(options.producers) /
                                                     static_cast<double>(options.rate);
  for (std::uint64_t i = 0; i < options.producers; ++i) {
    // A named session: if a teller dies, its successor knows where it stopped.
    auto producer = engine.NewProducer({.session = absl::StrCat("teller-", i + 1)});
    if (!producer.ok()) return producer.status();
    const std::uint64_t share =
        options.commands / options.producers + (i < options.commands % options.producers ? 1 : 0);
    const TellerPlan plan{
        .commands = share,
        .accounts = options.accounts,
        .ack = options.ack,
        .interval_ns = interval_ns,
        .phase_ns = interval_ns * static_cast<double>(i) / static_cast<double>(options.producers),
        .seed = options.seed + i};
    tellers.push_back(std::make_unique<Teller>(*std::move(producer), balances, plan));
  }
  return tellers;
}

// One thread per teller, until all have finished; shows progress meanwhile.
//   returns   when they started, on NowNs()'s clock
std::int64_t WorkAll(const Tellers& tellers, std::uint64_t commands,
                     const std::atomic<bool>& stop) {
  std::mutex mutex;
  std::condition_variable finished;
  std::size_t working = tellers.size();
  const std::int64_t start_ns = NowNs();
  std::vector<std::thread> threads;
  for (const auto& teller : tellers) {
    threads.emplace_back([&, start_ns] {
      teller->Work(start_ns, stop);
      const std::lock_guard lock(mutex);
      --working;
      finished.notify_one();
    });
  }
  {
    console::ProgressLine progress;
    std::unique_lock lock(mutex);
    while (!finished.wait_for(lock, std::chrono::milliseconds(50), [&] { return working == 0; })) {
      std::uint64_t answered = 0;
      for (const auto& teller : tellers) answered += teller->answered();
      progress.Show(answered, commands, "commands answered");
    }
  }
  for (std::thread& thread : threads) thread.join();
  return start_ns;
}

// Adds up what the tellers counted.
Tally Total(const Tellers& tellers) {
  Tally total;
  for (const auto& teller : tellers) {
    const Tally& tally = teller->tally();
    if (total.status.ok()) total.status = tally.status;
    total.sent += tally.sent;
    total.accepted += tally.accepted;
    total.refused += tally.refused;
    total.deposited_cents += tally.deposited_cents;
    total.withdrawn_cents += tally.withdrawn_cents;
    total.last_position = std::max(total.last_position, tally.last_position);
    total.finished_ns = std::max(total.finished_ns, tally.finished_ns);
    total.submit_to_ack.Merge(tally.submit_to_ack);
    total.submit_to_visible.Merge(tally.submit_to_visible);
  }
  return total;
}

// Money is conserved if the accounts hold what the tellers' completions say was paid in and out,
// and no account is below zero; the views are right if they say what the aggregates say.
absl::Status Check(const CentsByAccount& before, const CentsByAccount& after, const Tally& total,
                   const pawl::View<Balances>& balances, const pawl::View<Totals>& totals,
                   RunResult& result) {
  const pawl::AtLeast everything(total.last_position, std::chrono::seconds(30));
  const absl::StatusOr<bool> is_equal =
      balances.Read(everything, [&](const Balances& view) { return view.cents == after; });
  if (!is_equal.ok()) return is_equal.status();
  const absl::StatusOr<std::int64_t> through_totals = totals.Read(
      everything, [](const Totals& view) { return view.deposited_cents - view.withdrawn_cents; });
  if (!through_totals.ok()) return through_totals.status();

  const std::int64_t sum = Sum(after);
  const bool is_any_overdrawn =
      std::any_of(after.begin(), after.end(), [](const auto& entry) { return entry.second < 0; });
  result.accounts = after.size();
  result.balance_cents = sum;
  result.is_view_equal = *is_equal && *through_totals == sum;
  result.is_money_conserved =
      sum - Sum(before) == total.deposited_cents - total.withdrawn_cents && !is_any_overdrawn;
  return absl::OkStatus();
}

}  // namespace

double RunResult::commands_per_second() const {
  return seconds <= 0 ? 0 : static_cast<double>(accepted + refused) / seconds;
}

double RunResult::log_bytes_per_command() const {
  return accepted == 0 ? 0 : static_cast<double>(log_bytes) / static_cast<double>(accepted);
}

absl::StatusOr<RunResult> Run(const Options& options, const std::string& directory,
                              const std::atomic<bool>& stop) {
  const auto producers = static_cast<std::uint32_t>(options.producers);
  const auto accounts = static_cast<std::uint32_t>(options.accounts);
  auto opened =
      pawl::Engine::Open({.directory = directory,
                          .streams_max = std::max(accounts, pawl::EngineOptions().streams_max),
                          .sessions_max = std::max(producers, pawl::EngineOptions().sessions_max),
                          .producers_max = std::max(producers, pawl::EngineOptions().producers_max),
                          .on_notice =
                              [](std::string_view notice) {
                                std::fprintf(stderr, "bank: note: %.*s\n",
                                             static_cast<int>(notice.size()), notice.data());
                              }},
                         pawl::Aggregates<Account>{});
  if (!opened.ok()) return opened.status();
  pawl::Engine& engine = **opened;
  auto balances = pawl::Project<Balances>(engine);
  if (!balances.ok()) return balances.status();
  auto totals = pawl::Project<Totals>(engine);
  if (!totals.ok()) return totals.status();
  auto tellers = HireTellers(options, engine, *balances);
  if (!tellers.ok()) return tellers.status();
  const auto before = AggregateBalances(engine);
  if (!before.ok()) return before.status();

  const pawl::Address log_start = engine.log().published();
  const std::int64_t start_ns = WorkAll(*tellers, options.commands, stop);
  const pawl::Address log_end = engine.log().published();

  const Tally total = Total(*tellers);
  if (!total.status.ok()) return total.status;
  const auto after = AggregateBalances(engine);
  if (!after.ok()) return after.status();
  RunResult result;
  if (absl::Status checked = Check(*before, *after, total, *balances, *totals, result);
      !checked.ok()) {
    return checked;
  }
  result.accepted = total.accepted;
  result.refused = total.refused;
  result.seconds = static_cast<double>(total.finished_ns - start_ns) / 1e9;
  result.log_bytes = log_end - log_start;
  result.is_interrupted = total.sent < options.commands;
  result.submit_to_ack.Merge(total.submit_to_ack);
  result.submit_to_visible.Merge(total.submit_to_visible);
  if (absl::Status stopped = engine.Stop(); !stopped.ok()) return stopped;
  return result;
}

}  // namespace bank
