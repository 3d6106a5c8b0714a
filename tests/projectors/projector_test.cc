// What a projector tells and when it stops.

#include "pawl/projector.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "../core/fake_clock.h"
#include "../core/log_records.h"
#include "../core/probe_aggregate.h"
#include "pawl/view.h"

namespace pawl {
namespace {

using std::chrono::seconds;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

struct Refuses {  // stops at the first deposit above 100
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;
  static inline std::atomic<int> calls_after_failure{0};
  std::vector<std::int64_t> seen;
  bool has_failed = false;
  Outcome On(const Deposited& e, const Meta&) noexcept {
    // Relaxed: a count, read when the projector has stopped.
    if (has_failed) calls_after_failure.fetch_add(1, std::memory_order_relaxed);
    has_failed = has_failed || e.cents > 100;
    if (e.cents > 100) return Fail(42, "too much");
    seen.push_back(e.cents);
    return {};
  }
  void On(const Withdrawn& e, const Meta&) noexcept { seen.push_back(-e.cents); }
};

struct Metas {  // what On is told besides the event
  using Events = pawl::Events<Deposited, Probed, Emptied>;
  static constexpr int kVersion = 1;
  struct Row {
    Key key;
    std::uint64_t position;
    std::uint64_t version;
    std::uint64_t time_ns;
    std::int64_t value;
  };
  std::vector<Row> rows;
  void Add(const Meta& m, std::int64_t value) {
    rows.push_back({m.key, m.position.value(), m.version.value(), m.time_ns, value});
  }
  void On(const Deposited& e, const Meta& m) noexcept { Add(m, e.cents); }
  void On(const Probed& e, const Meta& m) noexcept { Add(m, e.value); }
  void On(const Emptied&, const Meta& m) noexcept { Add(m, 0); }
};

struct OtherDeposited {
  static constexpr EventType kType{"bank.deposited", 1};
  double euros;
};
struct Misreads {
  using Events = pawl::Events<OtherDeposited>;
  static constexpr int kVersion = 1;
  int count = 0;
  void On(const OtherDeposited&, const Meta&) noexcept { ++count; }
};

struct Slow {  // takes its time for each event
  using Events = pawl::Events<Deposited>;
  static constexpr int kVersion = 1;
  static inline FakeClock* clock = nullptr;
  static inline std::uint64_t ns = 0;
  int count = 0;
  void On(const Deposited&, const Meta&) noexcept {
    ++count;
    clock->Advance(ns);
  }
};

class ProjectorTest : public BankTest {
 protected:
  template <class P>
  View<P> Make() {
    auto view = Project<P>(*engine_);
    EXPECT_TRUE(view.ok()) << view.status();
    return *std::move(view);
  }
  Receipt Run(Producer& producer, std::uint64_t key, std::int64_t cents) {
    auto receipt = producer.Execute<Account>(Key(key), Deposit{cents}, kQuick);
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    return receipt.value_or(Receipt{});
  }

  FakeClock clock_;  // an engine that stops still looks at it
};

TEST_F(ProjectorTest, AFailureStopsItNamingEventPositionAndReason) {
  Open();
  const auto view = Make<Refuses>();
  Producer producer = NewProducer();
  const Receipt good = Run(producer, 1, 100);
  ASSERT_TRUE(
      view.Read(AtLeast(good, seconds(60)), [](const Refuses&) noexcept { return 0; }).ok());
  const Receipt bad = Run(producer, 1, 101);
  const Receipt after = Run(producer, 1, 1);
  const auto query =
      view.Read(AtLeast(after, seconds(60)), [](const Refuses&) noexcept { return 0; });
  ASSERT_FALSE(query.ok());
  EXPECT_NE(query.status().code(), absl::StatusCode::kDeadlineExceeded) << query.status();
  const std::string words(view.status().message());
  for (const std::string& word :
       {std::string("bank.deposited"), std::to_string(bad.position.value()),
        std::string("too much"), std::string("42")}) {
    EXPECT_NE(words.find(word), std::string::npos) << "no '" << word << "' in: " << words;
  }
  EXPECT_EQ(view.Read([](const Refuses& r) noexcept { return r.seen; }),
            (std::vector<std::int64_t>{100}));
  EXPECT_EQ(view.position(), good.position);
  // The engine and another view go on.
  const auto other = Make<Metas>();
  const Receipt last = Run(producer, 1, 7);
  EXPECT_TRUE(other.Read(AtLeast(last, seconds(60)), [](const Metas&) noexcept { return 0; }).ok());
}

TEST_F(ProjectorTest, AFailureInTheMiddleOfAFrameShowsNothingOfThatFrame) {
  Open(Threads::kHost);
  const auto view = Make<Refuses>();
  Producer producer = NewProducer();
  const Receipt before = Run(producer, 1, 1);
  ASSERT_TRUE(
      view.Read(AtLeast(before, seconds(60)), [](const Refuses&) noexcept { return 0; }).ok());
  for (const std::int64_t cents : {2, 3, 500, 4}) {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{cents}, kQuick));
  }
  Collect(producer, 4);
  while (engine_->Poll() != 0) {
  }
  EXPECT_FALSE(view.status().ok());
  EXPECT_EQ(view.Read([](const Refuses& r) noexcept { return r.seen; }),
            (std::vector<std::int64_t>{1}));
  EXPECT_EQ(view.position(), before.position);
  // Relaxed: the host runs the projector, on this thread.
  EXPECT_EQ(Refuses::calls_after_failure.load(std::memory_order_relaxed), 0);
}

// On moves the clock: host-driven, a projector ends its round behind the frame that used the budget
// up, and says so only if that took longer than a command may.
TEST_F(ProjectorTest, HostDrivenItLooksAtTheBudgetBehindEachFrame) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.clock = &clock_;
  Open(options);
  Slow::clock = &clock_;
  const auto view = Make<Slow>();
  Producer producer = NewProducer();
  const auto frames_of_a_poll = [&] {
    const std::uint64_t before = clock_.boot_ns;
    engine_->Poll(std::chrono::milliseconds(1));
    return (clock_.boot_ns - before) / Slow::ns;
  };
  // Each a frame of its own: published before the next is sent. The view does not come to them.
  Slow::ns = 0;
  for (int i = 0; i < 20; ++i) Run(producer, 1, 1);
  while (engine_->Poll() != 0) {
  }
  // A second view folds them all anew.
  Slow::ns = 300'000;
  const auto late = Make<Slow>();
  for (int poll = 0; poll < 3; ++poll) EXPECT_EQ(frames_of_a_poll(), 4U) << "1.2 ms of 1";
  EXPECT_EQ(engine_->poll_overruns().count, 3U) << "200 µs is more than one Decide";
  // Both copies fold them: four, the same four, four more.
  EXPECT_EQ(late.Read([](const Slow& s) noexcept { return s.count; }), 8);
  Slow::ns = 251'000;
  EXPECT_EQ(frames_of_a_poll(), 4U);
  EXPECT_EQ(engine_->poll_overruns().count, 3U);
}

TEST_F(ProjectorTest, AStoppedProjectorCanBeDestroyedAndMadeAgain) {
  Open();
  Producer producer = NewProducer();
  Run(producer, 1, 500);
  for (int i = 0; i < 20; ++i) {
    const auto view = Make<Refuses>();
    ASSERT_TRUE(Await([&] { return !view.status().ok(); }));
  }
}

TEST_F(ProjectorTest, OnLearnsKeyPositionVersionAndTime) {
  EngineOptions options = directory_.Options();
  options.streams_max = 16;  // of each of two aggregates: numbers go to 32
  auto opened = Engine::Open(options, Aggregates<Account, Probe>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  const auto view = Make<Metas>();
  Producer producer = NewProducer();
  std::map<std::uint64_t, Key> key_at;  // by position
  Receipt last;
  for (std::uint64_t i = 0; i < 64; ++i) {
    const Key key(0xABCD'0000'0000'0000U + i % 16, 1000 + i % 16);
    last = producer.Execute<Account>(key, Deposit{1}, kQuick).value();
    key_at[last.position.value()] = key;
    last = producer.Execute<Probe>(key, EmitEmpty{}, kQuick).value();
    key_at[last.position.value()] = key;
  }
  const auto rows =
      view.Read(AtLeast(last, seconds(60)), [](const Metas& m) noexcept { return m.rows; });
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), key_at.size());
  std::uint64_t time_ns = 0;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const Metas::Row& row = (*rows)[i];
    ASSERT_TRUE(key_at.contains(row.position)) << row.position;
    EXPECT_EQ(row.key, key_at[row.position]);
    EXPECT_EQ(row.version, 1 + i / 32);
    EXPECT_GE(row.time_ns, time_ns) << "engine time went back";
    EXPECT_GT(row.time_ns, 0U);
    time_ns = row.time_ns;
  }
}

TEST_F(ProjectorTest, AnotherLayoutOfAnEventIsRefusedNamingBoth) {
  Open();
  Producer producer = NewProducer();
  const Receipt receipt = Run(producer, 1, 1);
  auto view = Project<Misreads>(*engine_);
  absl::Status status = view.status();
  if (view.ok()) {
    const auto query = view->Read(AtLeast(receipt, seconds(60)),
                                  [](const Misreads& m) noexcept { return m.count; });
    status = query.status();
    EXPECT_EQ(view->Read([](const Misreads& m) noexcept { return m.count; }), 0);
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  const std::string words(status.message());
  for (const std::string_view word : {"bank.deposited", "cents:i64@0", "euros:f64@0"}) {
    EXPECT_NE(words.find(word), std::string::npos) << "no '" << word << "' in: " << words;
  }
}

TEST_F(ProjectorTest, EventsOfNoInterestMoveThePositionOnly) {
  auto opened = Engine::Open(directory_.Options(), Aggregates<Account, Probe>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  const auto view = Make<Refuses>();
  Producer producer = NewProducer();
  const auto last = producer.Execute<Probe>(Key(1), EmitMany{100, 0, Key(2)}, kQuick);
  ASSERT_TRUE(last.ok()) << last.status();
  const auto seen =
      view.Read(AtLeast(*last, seconds(60)), [](const Refuses& r) noexcept { return r.seen; });
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_TRUE(seen->empty());
}

}  // namespace
}  // namespace pawl
