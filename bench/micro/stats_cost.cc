// Question: how many instructions does a command cost with the engine's statistics, and without?
// One thread is everything (host-driven, disk agents too), a fixed number of commands, so that a
// tool which counts instructions can be put around it:
//
//   valgrind --tool=callgrind --toggle-collect='*Measured*' stats_cost --stats 1 --batch 256
//
// Checks the balances it ends with, and with statistics that these counted every command.

#include <array>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "arguments.h"
#include "or_fail.h"
#include "pawl/engine.h"
#include "pawl/view.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr const char* kUsage =
    "stats_cost [--stats 0|1] [--batch N] [--commands N] [--accounts N] [--durable] [--directory "
    "D]";

struct Post {
  std::int64_t cents;
  std::array<std::uint64_t, 7> memo;
};
struct Posted {
  static constexpr EventType kType{"cost.posted", 1};
  std::int64_t cents;
  std::array<std::uint64_t, 7> memo;
};
struct Account {
  using Commands = pawl::Commands<Post>;
  using Events = pawl::Events<Posted>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State&, const Post& c, Emit<Account>& emit) noexcept {
    emit(Posted{c.cents, c.memo});
    return Accept();
  }
  static void Evolve(State& s, const Posted& e) noexcept { s.cents += e.cents; }
};

struct Total {
  using Events = pawl::Events<Posted>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Posted& e, const Meta&) noexcept { cents += e.cents; }
};

struct Run {
  std::uint64_t commands;
  std::uint64_t batch;
  std::uint64_t accounts;
  Ack ack;
};

[[gnu::noinline]] void Measured(Engine& engine, Producer& producer, const Run& run) {
  std::uint64_t next = 0;
  const auto fill = [&](std::uint32_t, Key& key, Post& post) noexcept {
    key = Key(1 + next++ % run.accounts);
    post = {1, {next, 2, 3, 4, 5, 6, 7}};
  };
  std::uint64_t answered = 0;
  while (answered < run.commands) {
    const std::uint64_t left = run.commands - next;
    const auto count = static_cast<std::uint32_t>(left < run.batch ? left : run.batch);
    const SentBatch sent = count == 0
                               ? SentBatch{}
                               : producer.SubmitBatch<Account, Post>(count, fill, {.ack = run.ack});
    if (count != 0 && sent.count != count)
      Fail("a batch found no room: " + std::to_string(static_cast<int>(sent.fault)));
    const std::uint64_t wanted = answered + count;
    while (answered < wanted) {
      engine.Poll(std::chrono::nanoseconds(0));
      answered += producer.PollRanges([](const CompletionRange&) noexcept {});
    }
  }
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  const bool has_stats = arguments.Number("--stats", 1, 0, 1) != 0;
  const auto batch = static_cast<std::uint64_t>(arguments.Number("--batch", 256, 1, 4096));
  const auto commands =
      static_cast<std::uint64_t>(arguments.Number("--commands", 1'000'000, 1, 100'000'000));
  const auto accounts = static_cast<std::uint64_t>(arguments.Number("--accounts", 1000, 1, 60'000));
  const Ack ack = arguments.Flag("--durable") ? Ack::kDurable : Ack::kPublished;
  const TemporaryDirectory directory(arguments.Text("--directory", "."), "stats_cost");
  arguments.RefuseTheRest(kUsage);

  EngineOptions options{.directory = directory.path()};
  options.segment_bytes = std::uint64_t{256} << 20;
  options.threads = Threads::kHostAll;
  options.stats = has_stats;
  const auto engine = OrFail(Engine::Open(options, Aggregates<Account>{}));
  const auto view = OrFail(Project<Total>(*engine));
  Producer producer = OrFail(engine->NewProducer({.session = "cost"}));
  Measured(*engine, producer, {accounts, 256, accounts, ack});  // makes the streams
  while (engine->Poll() != 0) {
  }
  Measured(*engine, producer, {commands, batch, accounts, ack});
  while (engine->Poll() != 0) {
  }
  const std::uint64_t all = commands + accounts;
  const auto seen = view.Read([](const Total& total) noexcept { return total.cents; });
  if (static_cast<std::uint64_t>(seen) != all) Fail("the view does not hold what was sent");
  const EngineStats stats = engine->Stats();
  const std::uint64_t counted = has_stats ? all : 0;
  if (stats.outcome(VerdictKind::kAccepted) != counted) Fail("the statistics miss commands");
  std::printf("%llu commands, %llu turns\n", static_cast<unsigned long long>(all),
              static_cast<unsigned long long>(stats.turns));
  for (std::size_t i = 0; i < kStages; ++i) {
    const StageTimes& stage = stats.stages[i];
    const std::string name(ToString(static_cast<Stage>(i)));
    std::printf("%-10s %9llu  p50 %llu  p99 %llu  most %llu ns\n", name.c_str(),
                static_cast<unsigned long long>(stage.count),
                static_cast<unsigned long long>(stage.p50_ns),
                static_cast<unsigned long long>(stage.p99_ns),
                static_cast<unsigned long long>(stage.most_ns));
  }
  OrFail(engine->Stop());
  return 0;
}

}  // namespace
}  // namespace pawl::inline v0::bench

int main(int argc, char** argv) { return pawl::bench::Main(argc, argv); }
