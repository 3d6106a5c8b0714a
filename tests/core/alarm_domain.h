#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "fake_clock.h"
#include "pawl/engine.h"

namespace pawl {

// An aggregate that sets timers and tells what became of them.

struct SetAlarm {
  std::int64_t delay_ns;
  std::int64_t value;
  std::uint64_t id;
};
struct SetAlarmAt {
  std::uint64_t time_ns;
  std::int64_t value;
  std::uint64_t id;
};
struct SetMany {  // ids first, first + 1, …
  std::uint64_t first;
  std::uint32_t count;
  std::int64_t delay_ns;
};
struct CancelAlarm {
  std::uint64_t id;
};
struct CancelMany {
  std::uint64_t first;
  std::uint32_t count;
};
struct Juggle {  // set, set again, cancel and set other ids, then Accept or not
  bool is_refused;
};
struct SetKnock {
  std::int64_t delay_ns;
};
struct Ring {  // an event without a timer
  std::int64_t value;
};
struct RingAndSet {  // an event, and behind it a timer
  std::int64_t value;
};
struct AskOf {  // sets a timer, then says whether Others finds `key`
  Key key;
};
struct EndAlarm {  // closes the aggregate, or another one
  Key other{};
  bool is_refused = false;
};
struct SetAndEnd {   // sets and cancels timers, closes, and cancels again
  bool sets_behind;  // a timer, which is too late
};

struct Rang {
  static constexpr EventType kType{"alarm.rang", 1};
  std::int64_t value;
  std::uint64_t now_ns;
};

// Timers.
struct Due {
  static constexpr EventType kType{"alarm.due", 1};
  std::int64_t value;

  // What it does beside ringing with its value.
  static constexpr std::int64_t kRefuses = -1;   // emits, sets a timer, and refuses
  static constexpr std::int64_t kTooMuch = -2;   // emits more than a command may
  static constexpr std::int64_t kNothing = -3;   // is accepted and emits nothing
  static constexpr std::int64_t kRepeats = -4;   // sets itself again, a second later
  static constexpr std::int64_t kCascades = -5;  // sets one that is due at once
  static constexpr std::int64_t kIsSlow = -6;    // takes longer than it may
  static constexpr std::int64_t kForEver = -7;   // sets itself again, at once
  static constexpr std::int64_t kEnds = -8;      // sets another one and closes the aggregate
};
struct Knock {  // without fields, and with Others
  static constexpr EventType kType{"alarm.knock", 1};
};

struct Alarm {
  using Commands = pawl::Commands<SetAlarm, SetAlarmAt, SetMany, CancelAlarm, CancelMany, Juggle,
                                  SetKnock, Ring, RingAndSet, AskOf, EndAlarm, SetAndEnd>;
  using Events = pawl::Events<Rang>;
  using Timers = pawl::Timers<Due, Knock>;
  static constexpr std::string_view kCategory = "alarm";
  static constexpr std::uint16_t kRefusal = 77;
  struct State {
    std::int64_t sum = 0;
    std::uint64_t rings = 0;
  };

  static Verdict Decide(const State&, const SetAlarm& c, Emit<Alarm>& emit) noexcept {
    emit.After(std::chrono::nanoseconds(c.delay_ns), Due{c.value}, c.id);
    return Accept();
  }
  static Verdict Decide(const State&, const SetAlarmAt& c, Emit<Alarm>& emit) noexcept {
    emit.At(c.time_ns, Due{c.value}, c.id);
    return Accept();
  }
  static Verdict Decide(const State&, const SetMany& c, Emit<Alarm>& emit) noexcept {
    for (std::uint32_t i = 0; i < c.count; ++i) {
      emit.After(std::chrono::nanoseconds(c.delay_ns), Due{1}, c.first + i);
    }
    return Accept();
  }
  static Verdict Decide(const State&, const CancelAlarm& c, Emit<Alarm>& emit) noexcept {
    emit.Cancel<Due>(c.id);
    return Accept();
  }
  static Verdict Decide(const State&, const CancelMany& c, Emit<Alarm>& emit) noexcept {
    for (std::uint32_t i = 0; i < c.count; ++i) emit.Cancel<Due>(c.first + i);
    return Accept();
  }
  static Verdict Decide(const State&, const Juggle& c, Emit<Alarm>& emit) noexcept {
    using std::chrono::seconds;
    emit(Rang{100, 0});
    emit.After(seconds(1), Due{11}, 1);
    emit.After(seconds(2), Due{12}, 1);
    emit.Cancel<Due>(2);
    emit.After(seconds(3), Due{13}, 3);
    emit.Cancel<Due>(3);
    emit.After(seconds(4), Due{14}, 3);
    emit.After(seconds(5), Due{15}, 4);
    emit.Cancel<Due>(4);
    return c.is_refused ? Refuse(kRefusal) : Accept();
  }
  static Verdict Decide(const State&, const SetKnock& c, Emit<Alarm>& emit) noexcept {
    emit.After(std::chrono::nanoseconds(c.delay_ns), Knock{});
    return Accept();
  }
  static Verdict Decide(const State&, const Ring& c, Emit<Alarm>& emit) noexcept {
    emit(Rang{c.value, emit.now_ns()});
    return Accept();
  }
  static Verdict Decide(const State&, const RingAndSet& c, Emit<Alarm>& emit) noexcept {
    emit(Rang{c.value, emit.now_ns()});
    emit.After(std::chrono::hours(1), Due{c.value});
    return Accept();
  }
  static Verdict Decide(const State&, const AskOf& c, const Others& others,
                        Emit<Alarm>& emit) noexcept {
    emit.After(std::chrono::hours(1), Due{1});
    emit(Rang{others.Find<Alarm>(c.key) == nullptr ? 0 : 1, emit.now_ns()});
    return Accept();
  }

  static Verdict Decide(const State&, const EndAlarm& c, Emit<Alarm>& emit) noexcept {
    if (c.other.is_zero()) {
      emit.Close();
    } else {
      emit.CloseOn<Alarm>(c.other);
    }
    return c.is_refused ? Refuse(kRefusal) : Accept();
  }
  static Verdict Decide(const State&, const SetAndEnd& c, Emit<Alarm>& emit) noexcept {
    using std::chrono::seconds;
    emit(Rang{1, 0});
    emit.After(seconds(1), Due{21}, 1);
    emit.Cancel<Due>(2);
    emit.After(seconds(1), Due{22}, 3);
    emit.Close();
    emit.Cancel<Due>(1);
    if (c.sets_behind) emit.After(seconds(1), Due{23}, 4);
    return Accept();
  }

  static Verdict Decide(const State& s, const Due& t, Emit<Alarm>& emit) noexcept;
  static Verdict Decide(const State&, const Knock&, const Others& others,
                        Emit<Alarm>& emit) noexcept {
    emit(Rang{others.Find<Alarm>(emit.key()) == nullptr ? 0 : 1, emit.now_ns()});
    return Accept();
  }
  static void Evolve(State& s, const Rang& e) noexcept {
    s.sum += e.value;
    ++s.rings;
  }

  // How often a Due was decided, for tests that ask often. One thread at a time.
  static inline std::uint64_t fires = 0;
  // Of a Due{kIsSlow}: what the clock of the test does meanwhile. One thread.
  static inline FakeClock* slow_clock = nullptr;
};

inline Verdict Alarm::Decide(const State& s, const Due& t, Emit<Alarm>& emit) noexcept {
  using std::chrono::seconds;
  ++fires;
  switch (t.value) {
    case Due::kRefuses:
      emit(Rang{1, 0});
      emit.After(seconds(1), Due{5}, 500);
      return Refuse(kRefusal);
    case Due::kTooMuch:
      for (std::uint32_t i = 0; i <= kCommitEventsMax; ++i) emit(Rang{1, 0});
      return Accept();
    case Due::kNothing: return Accept();
    case Due::kRepeats: emit.After(seconds(1), t, 0); break;
    case Due::kCascades:
      emit.After(seconds(-1), Due{static_cast<std::int64_t>(s.rings)}, 1000);
      break;
    case Due::kForEver: emit.After(seconds(0), t, 0); break;
    case Due::kEnds:
      emit.After(seconds(1), Due{6}, 600);
      emit.Close();
      return Accept();
    case Due::kIsSlow: slow_clock->Advance(FakeClock::kMillisecond); break;
    default: break;
  }
  emit(Rang{t.value, emit.now_ns()});
  return Accept();
}

// What is set, as a test writes it down.
struct SetDue {
  std::uint64_t key;
  std::uint64_t id;
  std::uint64_t due_ns;
  std::int64_t value;

  friend auto operator<=>(const SetDue&, const SetDue&) = default;
};

// An engine that the test drives, with a clock that it moves.
class AlarmTest : public ::testing::Test {
 protected:
  using Engines = Aggregates<Alarm>;

  void TearDown() override { Close(); }

  EngineOptions Options() {
    EngineOptions options = directory_.Options(Threads::kHostAll);
    options.clock = &clock_;
    options.timers_max = 1'000;
    return options;
  }
  void Open(const EngineOptions& options) {
    Close();
    auto opened = Engine::Open(options, Engines{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    auto producer = engine_->NewProducer({.session = "tester"});
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = std::make_unique<Producer>(*std::move(producer));
  }
  void Open() { Open(Options()); }
  void Close() {
    producer_.reset();
    engine_.reset();
  }

  template <class C>
  absl::StatusOr<Receipt> Do(std::uint64_t key, const C& command) {
    return producer_->Execute<Alarm>(Key(key), command, {.ack = Ack::kPublished});
  }
  // Until nothing is left to do.
  void Run() {
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  }
  void Pass(std::uint64_t ns) {
    clock_.Advance(ns);
    Run();
  }
  std::vector<Rang> Rings() {
    std::vector<Rang> rings;
    auto reader = engine_->NewEventReader<Alarm>();
    EXPECT_TRUE(reader.ok()) << reader.status();
    reader->Forward([&rings](const Rang& e, const Meta&) noexcept { rings.push_back(e); });
    EXPECT_TRUE(reader->status().ok()) << reader->status();
    return rings;
  }
  std::vector<std::int64_t> Values() {
    std::vector<std::int64_t> values;
    for (const Rang& rang : Rings()) values.push_back(rang.value);
    return values;
  }
  std::vector<SetDue> Set() {
    std::vector<SetDue> set;
    const absl::Status visited = engine_->VisitTimers<Alarm, Due>(
        [&set](const Key& key, std::uint64_t id, std::uint64_t due_ns, const Due& timer) {
          set.push_back({key.low, id, due_ns, timer.value});
        });
    EXPECT_TRUE(visited.ok()) << visited;
    std::sort(set.begin(), set.end());
    return set;
  }

  const TestDirectory directory_;
  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Producer> producer_;
};

using Values = std::vector<std::int64_t>;

}  // namespace pawl
