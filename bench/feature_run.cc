// One measured run of `tools/bench bank-features`: what a command costs with everything that the
// engine does for it, or with sessions, conditions, statistics and checksums left out. One thread
// is everything (host-driven, disk agents too) and the number of commands is fixed, so that
// instructions can be counted around Measured(). Prints the seconds that took.
// With --use each command is sent alone and uses one feature more; `nothing` is what to compare
// with.
//
// Linked with a checksum that is none it is `pawl_feature_run_unchecked`.

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
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
    "pawl_feature_run [--features 0|1] [--stats 0|1] [--batch N] [--commands N] [--accounts N]\n"
    "                 [--use nothing|bulk|key|other|timer] [--directory D] [--counted-time]";

// Goes on by the number of looks at it: who counts instructions makes everything slower, and an
// engine that sees that goes in smaller steps.
class CountedClock final : public Clock {
 public:
  std::uint64_t WallNs() noexcept override { return kStartNs + ns_; }
  std::uint64_t BootNs() noexcept override { return ns_ += 500; }

 private:
  static constexpr std::uint64_t kStartNs = 1'800'000'000'000'000'000;
  std::uint64_t ns_ = 0;
};

struct Post {
  std::int64_t cents;
  std::array<std::uint64_t, 7> memo;
};
struct Posted {
  static constexpr EventType kType{"features.posted", 1};
  std::int64_t cents;
  std::array<std::uint64_t, 7> memo;
};
struct Reminder {
  static constexpr EventType kType{"features.reminder", 1};
};
// In memo[1] of a post: the aggregate sets a timer.
constexpr std::uint64_t kRemind = 1;

struct Account {
  using Commands = pawl::Commands<Post>;
  using Events = pawl::Events<Posted>;
  using Timers = pawl::Timers<Reminder>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State&, const Post& c, Emit<Account>& emit) noexcept {
    emit(Posted{c.cents, c.memo});
    if (c.memo[1] == kRemind) emit.After(std::chrono::microseconds(1), Reminder{});
    return Accept();
  }
  static Verdict Decide(const State&, const Reminder&, Emit<Account>&) noexcept { return Accept(); }
  static void Evolve(State& s, const Posted& e) noexcept { s.cents += e.cents; }
};
struct Total {
  using Events = pawl::Events<Posted>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Posted& e, const Meta&) noexcept { cents += e.cents; }
};

// What every single command uses beside session, condition, statistics and checksums.
enum class Use : std::uint8_t { kBatch, kNothing, kBulk, kKey, kOther, kTimer };

Use UseNamed(const std::string& name) {
  constexpr std::array<const char*, 6> kNames{"", "nothing", "bulk", "key", "other", "timer"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Use>(i);
  }
  Fail("--use knows nothing, bulk, key, other and timer, not " + name);
}

// Sends posts to one account after the other.
class Sender {
 public:
  Sender(Engine& engine, Producer& producer, std::uint64_t accounts, bool has_conditions)
      : engine_(engine),
        producer_(producer),
        versions_(accounts),
        has_conditions_(has_conditions) {}

  // So many at a time: the next ones are sent when those before are answered.
  [[gnu::noinline]] void Measured(std::uint64_t commands, std::uint64_t batch, Use use) {
    while (commands != 0) {
      const std::uint64_t count = commands < batch ? commands : batch;
      if (use == Use::kBatch) {
        SendBatch(static_cast<std::uint32_t>(count));
      } else {
        for (std::uint64_t i = 0; i < count; ++i) SendOne(use);
      }
      Await(count);
      commands -= count;
    }
  }

 private:
  void SendBatch(std::uint32_t count) {
    const auto fill = [this](std::uint32_t, Key& key, Post& post, Condition& condition) noexcept {
      Next(key, post, condition);
    };
    const SentBatch sent =
        producer_.SubmitBatch<Account, Post>(count, fill, {.ack = Ack::kPublished});
    if (sent.count != count) Fail("a batch found no room");
  }

  void SendOne(Use use) {
    Key key;
    Post post{};
    SubmitOptions options{.ack = Ack::kPublished};
    Next(key, post, options.condition);
    const StreamCondition other = ConditionOn<Account>(Key(at_ + 1), Exists());
    if (use == Use::kTimer) post.memo[1] = kRemind;
    if (use == Use::kKey) options.idempotency_key = Key(1, ++keys_);
    if (use == Use::kOther) options.others = {&other, 1};
    if (!producer_.Submit<Account>(key, post, options)) Fail("a command found no room");
  }

  void Next(Key& key, Post& post, Condition& condition) noexcept {
    std::uint64_t& version = versions_[at_];
    key = Key(++at_);
    if (at_ == versions_.size()) at_ = 0;
    post = {1, {version, 2, 3, 4, 5, 6, 7}};
    if (has_conditions_) condition = Exact(Version(version++));
  }

  void Await(std::uint64_t count) {
    for (std::uint64_t answered = 0; answered < count;) {
      engine_.Poll();
      answered += producer_.PollRanges([](const CompletionRange& range) noexcept {
        if (!range.verdict().is_accepted()) Fail("a command was not accepted");
      });
    }
  }

  Engine& engine_;
  Producer& producer_;
  std::vector<std::uint64_t> versions_;
  const bool has_conditions_;
  std::size_t at_ = 0;
  std::uint64_t keys_ = 0;
};

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv);
  const bool has_features = arguments.Number("--features", 1, 0, 1) != 0;
  const bool has_stats = arguments.Number("--stats", has_features ? 1 : 0, 0, 1) != 0;
  const auto batch = static_cast<std::uint64_t>(arguments.Number("--batch", 256, 1, 4096));
  const auto commands =
      static_cast<std::uint64_t>(arguments.Number("--commands", 1'000'000, 1, 100'000'000));
  const auto accounts = static_cast<std::uint64_t>(arguments.Number("--accounts", 1000, 1, 60'000));
  const Use use = UseNamed(arguments.Text("--use", ""));
  const bool has_counted_time = arguments.Flag("--counted-time");
  const TemporaryDirectory directory(arguments.Text("--directory", "."), "pawl-features");
  arguments.RefuseTheRest(kUsage);

  EngineOptions options{.directory = directory.path()};
  options.threads = Threads::kHostAll;
  options.stats = has_stats;
  CountedClock clock;
  if (has_counted_time) options.clock = &clock;
  const auto engine = OrFail(Engine::Open(options, Aggregates<Account>{}));
  const auto view = OrFail(Project<Total>(*engine));
  Producer producer = OrFail(engine->NewProducer(
      {.session = has_features ? "features" : std::string(),
       .lane = use == Use::kBulk ? SessionLane::kBulk : SessionLane::kControl}));
  Sender sender(*engine, producer, accounts, has_features);
  sender.Measured(accounts, 256, Use::kBatch);  // makes the streams
  while (engine->Poll() != 0) {
  }
  const auto begun = std::chrono::steady_clock::now();
  sender.Measured(commands, batch, use);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  while (engine->Poll() != 0) {
  }
  const auto seen = view.Read([](const Total& total) noexcept { return total.cents; });
  if (static_cast<std::uint64_t>(seen) != commands + accounts) Fail("the view misses commands");
  std::printf("%.6f\n", took.count());
  OrFail(engine->Stop());
  return 0;
}

}  // namespace
}  // namespace pawl::inline v0::bench

int main(int argc, char** argv) { return pawl::bench::Main(argc, argv); }
