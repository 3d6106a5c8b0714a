// What passes in the kit passes in the engine: the same random commands, decided by both.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "event_diff.h"
#include "log_records.h"
#include "pawl/testing.h"
#include "probe_aggregate.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr int kCases = 30;
constexpr int kCommands = 60;       // of a case
constexpr std::uint64_t kKeys = 5;  // of each type
constexpr std::uint32_t kStreamsMax = 1024;
constexpr std::uint32_t kTimersMax = 9;  // few, so that there are too many

// Later than any machine's clock, by which a log is made: engine time begins at the later one.
constexpr std::chrono::sys_time<std::chrono::nanoseconds> kStart =
    std::chrono::sys_days(std::chrono::year(2100) / 1 / 1);

// Emits on the other types, on one that is opened by neither, and what it is told.
struct Pay {
  Key account;
  Key probe;
  std::int64_t cents;
};
struct Ask {
  Key account;
};
struct Knock {};
struct Leave {  // is closed, and closes an account; too late, or in vain, if asked
  Key account;
  std::uint64_t mood;
};
struct Answered {
  static constexpr EventType kType{"clerk.answered", 1};
  std::uint64_t now_ns;
  std::uint64_t version;
  std::int64_t cents;
};
struct Absent {
  using Commands = pawl::Commands<Knock>;
  using Events = pawl::Events<Answered>;
  [[maybe_unused]] static constexpr std::string_view kCategory = "absent";
  struct State {};
  static Verdict Decide(const State&, const Knock&, Emit<Absent>&) noexcept { return Accept(); }
  static void Evolve(State&, const Answered&) noexcept {}
};
struct Clerk {
  using Commands = pawl::Commands<Pay, Ask, Knock, Leave>;
  using Events = pawl::Events<Answered>;
  static constexpr std::string_view kCategory = "clerk";
  struct State {
    std::uint64_t answers = 0;
  };
  static Verdict Decide(const State&, const Pay& c, Emit<Clerk>& emit) noexcept {
    emit.On<Account>(c.account, Deposited{c.cents});
    emit.On<Probe>(c.probe, Probed{c.cents});
    if (c.cents % 3 == 0) return Refuse(3);
    return Accept();
  }
  static Verdict Decide(const State& s, const Ask& c, const Others& others,
                        Emit<Clerk>& emit) noexcept {
    const Account::State* account = others.Find<Account>(c.account);
    emit(Answered{emit.now_ns(), emit.version().value(), account == nullptr ? -1 : account->cents});
    emit(Answered{s.answers, emit.version().value(), 0});
    return Accept();
  }
  static Verdict Decide(const State&, const Knock&, Emit<Clerk>& emit) noexcept {
    emit(Answered{});
    emit.On<Absent>(Key(1), Answered{});
    return Accept();
  }
  static Verdict Decide(const State& s, const Leave& c, Emit<Clerk>& emit) noexcept {
    if (c.mood != 0) emit(Answered{s.answers, emit.version().value(), 0});
    emit.CloseOn<Account>(c.account);
    emit.Close();
    if (c.mood == 1) return Refuse(4);
    if (c.mood == 2) emit.On<Account>(c.account, Deposited{1});
    return Accept();
  }
  static void Evolve(State& s, const Answered&) noexcept { ++s.answers; }
};

// Sets, sets again and cancels timers, which do the same.
struct Wind {
  std::int64_t delay_ns;
  std::uint64_t id;
  std::int64_t value;
};
struct Unwind {
  std::uint64_t id;
};
struct Stow {  // closes it behind setting a timer; refused in the end if `value` is odd
  std::int64_t value;
  std::uint64_t id;
};
struct Ticked {
  static constexpr EventType kType{"watch.ticked", 1};
  std::int64_t value;
  std::uint64_t now_ns;
  std::uint64_t version;
  std::int64_t cents;
};
struct Tick {
  static constexpr EventType kType{"watch.tick", 1};
  std::int64_t value;
};
struct Tock {  // without fields
  static constexpr EventType kType{"watch.tock", 1};
};
struct Watch {
  using Commands = pawl::Commands<Wind, Unwind, Stow>;
  using Events = pawl::Events<Ticked>;
  using Timers = pawl::Timers<Tick, Tock>;
  static constexpr std::string_view kCategory = "watch";
  struct State {
    std::int64_t ticks = 0;
  };
  static Verdict Decide(const State&, const Wind& c, Emit<Watch>& emit) noexcept {
    emit.After(std::chrono::nanoseconds(c.delay_ns), Tick{c.value}, c.id);
    if (c.value % 4 == 0) emit.At(emit.now_ns() + 500'000, Tock{});
    return c.value % 11 == 0 ? Refuse(11) : Accept();
  }
  static Verdict Decide(const State&, const Unwind& c, Emit<Watch>& emit) noexcept {
    emit.Cancel<Tick>(c.id);
    return Accept();
  }
  // What is set behind the closing is too late; there is nothing to cancel then.
  static Verdict Decide(const State&, const Stow& c, Emit<Watch>& emit) noexcept {
    emit.After(std::chrono::nanoseconds(c.value), Tick{c.value}, c.id);
    emit.Close();
    emit.Cancel<Tick>(c.id);
    if (c.value % 16 == 0) emit.After(std::chrono::nanoseconds(0), Tock{});
    return c.value % 2 == 1 ? Refuse(12) : Accept();
  }
  static Verdict Decide(const State& s, const Tick& t, const Others& others,
                        Emit<Watch>& emit) noexcept {
    const Account::State* account = others.Find<Account>(emit.key());
    emit(Ticked{t.value, emit.now_ns(), emit.version().value(),
                account == nullptr ? -1 : account->cents});
    if (t.value % 5 == 0)
      emit.After(std::chrono::nanoseconds(t.value * 1000), Tick{t.value / 5}, 1);
    if (t.value % 7 == 0) emit.After(std::chrono::nanoseconds(0), Tick{s.ticks + 1}, 2);
    if (t.value % 3 == 0)
      emit.On<Account>(Key(1 + static_cast<std::uint64_t>(s.ticks) % kKeys), Deposited{t.value});
    if (t.value % 6 == 1) emit.Cancel<Tock>();
    if (t.value % 13 == 0) emit.Close();
    return t.value % 6 == 5 ? Refuse(13) : Accept();
  }
  static Verdict Decide(const State&, const Tock&, Emit<Watch>& emit) noexcept {
    emit(Ticked{-1, emit.now_ns(), emit.version().value(), 0});
    return Accept();
  }
  static void Evolve(State& s, const Ticked&) noexcept { ++s.ticks; }
};

// An event, and what it is called in a message.
struct Told {
  testing::Fact fact;
  std::string text;

  friend bool operator==(const Told& a, const Told& b) { return a.fact == b.fact; }
};

Told TellOf(testing::Fact fact) {
  std::string text = std::string(fact.aggregate->traits->category) + " " +
                     testing::KeyText(fact.key) + ": " + testing::EventText(fact);
  return {std::move(fact), std::move(text)};
}

// Stands still unless told; then the wall clock goes with it, so that engine time need not lean.
class StillClock final : public Clock {
 public:
  std::uint64_t WallNs() noexcept override {
    return static_cast<std::uint64_t>(kStart.time_since_epoch().count()) + boot_ns - 1;
  }
  std::uint64_t BootNs() noexcept override { return boot_ns; }

  std::uint64_t boot_ns = 1;
};

class KitEngineTest : public ::testing::Test {
 protected:
  using Known = Aggregates<Account, Probe, Clerk, Watch>;

  void Open() {
    producer_.reset();  // before the engine, which outlives its producers
    engine_.reset();
    clock_ = {};  // the kit's time begins anew too
    directory_ = std::make_unique<TestDirectory>();
    EngineOptions options = directory_->Options(Threads::kHost);
    options.clock = &clock_;
    options.streams_max = kStreamsMax;
    options.timers_max = kTimersMax;
    auto opened = Engine::Open(options, Known{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    auto producer = engine_->NewProducer();
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = std::make_unique<Producer>(*std::move(producer));
    events_.clear();
  }

  // The same command to both.
  template <class A, class C>
  void Both(testing::Case<Account>& kit, const Key& key, const C& command) {
    ASSERT_TRUE(producer_->Submit<A>(key, command, {.ack = Ack::kPublished}));
    Verdict verdict(VerdictKind::kUnknown, 0);
    ASSERT_TRUE(Await([&] {
      engine_->Poll();
      return producer_->Poll([&verdict](const Completion& c) noexcept { verdict = c.verdict; }) > 0;
    }));
    const testing::Decision& decision = kit.WhenOn<A>(key, command).decision();
    EXPECT_EQ(decision.verdict, verdict)
        << "kit " << ToString(decision.verdict.kind()) << ", engine " << ToString(verdict.kind());
    Take(decision);
    ++verdicts_[static_cast<std::size_t>(verdict.kind())];
    // An engine fires what is due at once behind the command.
    kit.After(std::chrono::nanoseconds(0));
    Take(kit.decision());
  }
  // Time passes for both; the host sleeps as long as the engine lets it.
  void BothPass(testing::Case<Account>& kit, std::uint64_t ns) {
    kit.After(std::chrono::nanoseconds(ns));
    Take(kit.decision());
    for (;;) {
      while (engine_->Poll(kWholeTurns) != 0) {
      }
      if (ns == 0) break;
      const auto wanted = static_cast<std::uint64_t>(engine_->NextTimer().count());
      const std::uint64_t sleep = std::min(wanted, ns);
      clock_.boot_ns += sleep;
      ns -= sleep;
    }
  }
  // What the kit has told since it was asked last.
  void Take(const testing::Decision& decision) {
    for (const testing::Fact& fact : decision.events) {
      if (!fact.is_timer()) events_.push_back(TellOf(fact));
    }
  }

  void BothOfRandom(testing::Case<Account>& kit) {
    const Key key = RandomKey();
    const Key other = RandomKey();
    const auto cents = static_cast<std::int64_t>(random_() % 100);
    switch (random_() % 23) {
      case 0:
      case 1: return Both<Account>(kit, key, Deposit{cents});
      case 2: return Both<Account>(kit, key, Withdraw{cents});
      case 3:
      case 4: return Both<Account>(kit, key, Transfer{other, cents});
      case 5: return Both<Account>(kit, key, Look{});
      case 6: return Both<Probe>(kit, key, EmitInterleaved{other});
      case 7: return Both<Probe>(kit, key, AskOthers{other});
      case 8: return Both<Probe>(kit, key, EmitThenRefuse{other});
      case 9: return Both<Probe>(kit, key, Many(other));
      case 10: return Both<Probe>(kit, key, EmitNewStreams{random_() % 1000, Few()});
      case 11: return Both<Clerk>(kit, key, Pay{other, RandomKey(), cents});
      case 12: return Both<Clerk>(kit, key, Ask{other});
      case 13: return Both<Watch>(kit, key, Unwind{random_() % 4});
      case 14:
      case 15:
      case 16:
      case 17:
      case 18: return Both<Watch>(kit, key, Wind{Delay(), random_() % 4, cents});
      case 19: return Both<Watch>(kit, key, Stow{cents, random_() % 4});
      case 20:
      case 21: return Both<Clerk>(kit, key, Leave{other, random_() % 6});
      default: return BothOfRare(kit, key);
    }
  }
  void BothOfRare(testing::Case<Account>& kit, const Key& key) {
    switch (random_() % 5) {
      case 0: return Both<Probe>(kit, key, FillMax{});
      case 1: return Both<Probe>(kit, key, FillOver{});
      case 2: return Both<Probe>(kit, key, EmitOneThenRefuse{});
      case 3: return Both<Probe>(kit, key, EmitEmpty{});
      default: return Both<Clerk>(kit, key, Knock{});
    }
  }
  // Often the same, now and then at once.
  std::int64_t Delay() { return static_cast<std::int64_t>(random_() % 8) * 500'000; }
  Key RandomKey() { return Key(1 + random_() % kKeys); }
  std::uint32_t Few() { return static_cast<std::uint32_t>(random_() % 300); }
  // Now and then at the limit.
  EmitMany Many(const Key& other) {
    const auto own = static_cast<std::uint32_t>(random_() % 4);
    if (random_() % 8 != 0) return {own, 2, other};
    return {own, kCommitEventsMax - 2 + static_cast<std::uint32_t>(random_() % 4), other};
  }

  void ExpectEvents() {
    const std::vector<Told> engine = EngineEvents();
    const std::size_t count = std::min(engine.size(), events_.size());
    for (std::size_t k = 0; k < count; ++k) {
      ASSERT_TRUE(engine[k] == events_[k])
          << "event " << k << ": engine " << engine[k].text << ", kit " << events_[k].text;
    }
    ASSERT_EQ(engine.size(), events_.size());
  }
  // All events of the engine's log, in its order.
  std::vector<Told> EngineEvents() {
    std::vector<std::pair<Position, Told>> all;
    Collect<Account>(all);
    Collect<Probe>(all);
    Collect<Clerk>(all);
    Collect<Watch>(all);
    CollectClosings(all);
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Told> told;
    for (auto& [position, event] : all) told.push_back(std::move(event));
    return told;
  }
  template <class A>
  void Collect(std::vector<std::pair<Position, Told>>& all) {
    auto reader = engine_->NewEventReader<A>();
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto add = [&all]<class E>(const E& event, const Meta& meta) noexcept {
      all.emplace_back(meta.position, TellOf(testing::MakeFact<A>(meta.key, event)));
    };
    reader->Forward(add);
    ASSERT_TRUE(reader->status().ok()) << reader->status();
  }
  void CollectClosings(std::vector<std::pair<Position, Told>>& all) {
    const std::array formats{
        &testing::AggregateFormatOf<Account>(), &testing::AggregateFormatOf<Probe>(),
        &testing::AggregateFormatOf<Clerk>(), &testing::AggregateFormatOf<Watch>()};  // as in Known
    std::vector<Key> keys(1);  // by stream number
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kStreamBound) {
        const auto bound = record.As<StreamBound>();
        keys.emplace_back(bound.key_high, bound.key_low);
      }
      if (record.kind != RecordKind::kStreamClosed) continue;
      all.emplace_back(Position(record.position),
                       TellOf({formats.at(record.type - 1U), keys.at(record.stream), 0,
                               std::vector<std::byte>(1), testing::FactKind::kClosing}));
      ++closings_;
    }
  }
  template <class A, class Same>
  void ExpectStates(testing::Case<Account>& kit, Same same) {
    const absl::Status visited =
        engine_->VisitAggregates<A>([&](const Key& key, Version, const auto& engine) {
          kit.template ThenStateOf<A>(key,
                                      [&](const auto& state) { EXPECT_TRUE(same(state, engine)); });
        });
    ASSERT_TRUE(visited.ok()) << visited;
  }

  StillClock clock_;
  std::unique_ptr<TestDirectory> directory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Producer> producer_;
  std::mt19937_64 random_;
  std::vector<Told> events_;  // the kit's
  std::array<std::uint64_t, 8> verdicts_{};
  std::uint64_t closings_ = 0;
  std::uint64_t fired_ = 0;
  std::uint64_t refused_ = 0;
};

TEST_F(KitEngineTest, RandomCommandsAreDecidedAlike) {
  random_.seed(SeedOfTest());
  for (int i = 0; i < kCases; ++i) {
    ASSERT_NO_FATAL_FAILURE(Open());
    // A quarter of a segment is the engine's own bound.
    auto kit = testing::Given<Account>();
    kit.With(Known{}).At(kStart).Within(
        {.streams_max = kStreamsMax, .commit_bytes_max = 256 * 1024, .timers_max = kTimersMax});
    for (int k = 0; k < kCommands; ++k) {
      ASSERT_NO_FATAL_FAILURE(BothOfRandom(kit));
      BothPass(kit, random_() % 1'000'000);
      if (HasFailure()) FAIL() << "case " << i << ", command " << k;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectEvents()) << "case " << i;
    ExpectStates<Account>(kit, [](const auto& a, const auto& b) { return a.cents == b.cents; });
    ExpectStates<Probe>(
        kit, [](const auto& a, const auto& b) { return a.sum == b.sum && a.events == b.events; });
    ExpectStates<Clerk>(kit, [](const auto& a, const auto& b) { return a.answers == b.answers; });
    ExpectStates<Watch>(kit, [](const auto& a, const auto& b) { return a.ticks == b.ticks; });
    fired_ += engine_->Stats().timers.fired;
    refused_ += engine_->Stats().timers.refused;
  }
  // All that Decide can lead to was seen.
  EXPECT_GT(verdicts_[static_cast<std::size_t>(VerdictKind::kAccepted)], 100U);
  EXPECT_GT(verdicts_[static_cast<std::size_t>(VerdictKind::kRefused)], 100U);
  EXPECT_GT(verdicts_[static_cast<std::size_t>(VerdictKind::kLimitExceeded)], 20U);
  EXPECT_GT(closings_, 50U);
  EXPECT_GT(fired_, 300U);
  EXPECT_GT(refused_, 20U);
}

}  // namespace
}  // namespace pawl
