// P9: a query sees the state after some whole frame, and its own write when it asks for it.

#include "pawl/view.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "../core/thread_facts.h"

namespace pawl {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

struct Sheet {
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;
  std::map<Key, std::int64_t> cents;
  std::uint64_t events = 0;
  std::uint64_t newest = 0;  // position of the newest event
  bool is_in_order = true;

  void On(const Deposited& e, const Meta& m) noexcept { Add(e.cents, m); }
  void On(const Withdrawn& e, const Meta& m) noexcept { Add(-e.cents, m); }
  void Add(std::int64_t change, const Meta& m) noexcept {
    is_in_order = is_in_order && m.position.value() > newest;
    newest = m.position.value();
    cents[m.key] += change;
    ++events;
  }
  std::int64_t Total() const noexcept {
    return std::accumulate(cents.begin(), cents.end(), std::int64_t{0},
                           [](std::int64_t sum, const auto& row) { return sum + row.second; });
  }
};

class ViewTest : public BankTest {
 protected:
  template <class P = Sheet>
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
  static std::int64_t CentsOf(const Sheet& b, std::uint64_t key) noexcept {
    const auto it = b.cents.find(Key(key));
    return it == b.cents.end() ? 0 : it->second;
  }
};

TEST_F(ViewTest, AQuerySeesItsOwnWrite) {
  Open();
  const auto view = Make();
  Producer producer = NewProducer();
  for (std::int64_t i = 1; i <= 500; ++i) {
    const Receipt receipt = Run(producer, 1, 10);
    const auto seen = view.Read(AtLeast(receipt, seconds(60)),
                                [](const Sheet& b) noexcept { return CentsOf(b, 1); });
    ASSERT_TRUE(seen.ok()) << seen.status();
    ASSERT_EQ(*seen, 10 * i);
    ASSERT_GE(view.position(), receipt.position);
  }
}

TEST_F(ViewTest, AWriteThatDidNotComeIsADeadlineNamingBothPositions) {
  Open();
  const auto view = Make();
  Producer producer = NewProducer();
  const Receipt receipt = Run(producer, 1, 10);
  const Position later = receipt.position.Plus(1);
  const auto missed =
      view.Read(AtLeast(later, milliseconds(5)), [](const Sheet& b) noexcept { return b.events; });
  EXPECT_EQ(missed.status().code(), absl::StatusCode::kDeadlineExceeded) << missed.status();
  const std::string words(missed.status().message());
  EXPECT_NE(words.find(std::to_string(later.value())), std::string::npos) << words;
  // Zero and negative waits ask without waiting.
  EXPECT_FALSE(
      view.Read(AtLeast(later, milliseconds(0)), [](const Sheet&) noexcept { return 0; }).ok());
  EXPECT_FALSE(
      view.Read(AtLeast(later, milliseconds(-5)), [](const Sheet&) noexcept { return 0; }).ok());
  EXPECT_TRUE(view.status().ok());
}

// Money moves between accounts at full speed; whoever looks finds all of it.
TEST_F(ViewTest, ATransferIsNeverSeenHalf) {
  Open();
  const auto view = Make();
  Producer producer = NewProducer();
  constexpr std::int64_t kTotal = 16 * 1000;
  Receipt last;
  for (std::uint64_t key = 1; key <= 16; ++key) last = Run(producer, key, 1000);
  ASSERT_TRUE(view.Read(AtLeast(last, seconds(60)), [](const Sheet&) noexcept { return 0; }).ok());

  std::atomic<bool> is_done{false};
  std::vector<std::thread> readers;
  std::atomic<std::uint64_t> moves_seen{0};
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      std::uint64_t moves = 0;
      Position newest;
      // Relaxed: only ends the loop.
      while (!is_done.load(std::memory_order_relaxed)) {
        const auto [total, at, event, is_in_order] =
            view.Read([](const Sheet& b, Position position) noexcept {
              return std::tuple(b.Total(), position, b.newest, b.is_in_order);
            });
        ASSERT_EQ(total, kTotal);
        ASSERT_TRUE(is_in_order);
        ASSERT_GE(at, newest) << "the view went back";
        ASSERT_EQ(event, at.value()) << "a frame of events ends with one";
        if (at != newest) ++moves;
        newest = at;
      }
      // Relaxed: joined before it is read.
      moves_seen.fetch_add(moves, std::memory_order_relaxed);
    });
  }
  std::uint64_t sent = 0;
  constexpr std::uint64_t kTransfers = 100'000;
  EXPECT_TRUE(Await([&] {
    while (sent < kTransfers &&
           producer.Submit<Account>(Key(1 + sent % 16), Transfer{Key(1 + (sent + 5) % 16), 1},
                                    kQuick)) {
      ++sent;
    }
    producer.Poll([&](const Completion& c) noexcept {
      if (c.verdict.is_accepted()) last = c.receipt;
    });
    return sent == kTransfers && producer.in_flight() == 0;
  }));
  EXPECT_TRUE(view.Read(AtLeast(last, seconds(60)), [](const Sheet&) noexcept { return 0; }).ok());
  // Relaxed: only ends the loops.
  is_done.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
  // Relaxed: the threads are joined.
  EXPECT_GT(moves_seen.load(std::memory_order_relaxed), 0U) << "nobody saw the view move";
}

TEST_F(ViewTest, AViewMadeLateCatchesUpOverEpochs) {
  Open();
  std::map<Key, std::int64_t> expected;
  for (int epoch = 0; epoch < 3; ++epoch) {
    {
      Producer producer = NewProducer();
      for (std::uint64_t i = 0; i < 200; ++i) {
        Run(producer, 1 + i % 9, 3);
        expected[Key(1 + i % 9)] += 3;
      }
    }
    Reopen();
  }
  const auto view = Make();
  Producer producer = NewProducer();
  const Receipt last = Run(producer, 1, 1);
  expected[Key(1)] += 1;
  const auto seen = view.Read(AtLeast(last, seconds(60)),
                              [](const Sheet& b) noexcept { return std::pair(b.cents, b.events); });
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->first, expected);
  EXPECT_EQ(seen->second, 601U) << "each event once";
}

TEST_F(ViewTest, AQueryThatStaysLongDelaysOnlyItsView) {
  Open();
  const auto slow = Make();
  const auto quick = Make();
  Producer producer = NewProducer();
  const Receipt first = Run(producer, 1, 1);
  ASSERT_TRUE(slow.Read(AtLeast(first, seconds(60)), [](const Sheet&) noexcept { return 0; }).ok());
  std::atomic<bool> is_inside{false};
  std::atomic<bool> may_leave{false};
  std::thread stays([&] {
    const std::int64_t seen = slow.Read([&](const Sheet& b) noexcept {
      const std::int64_t before = CentsOf(b, 1);
      // Release and acquire: the test's steps are ordered with the query's.
      is_inside.store(true, std::memory_order_release);
      while (!may_leave.load(std::memory_order_acquire)) std::this_thread::yield();
      EXPECT_EQ(CentsOf(b, 1), before) << "what a query looks at changed under it";
      return before;
    });
    EXPECT_EQ(seen, 1);
  });
  // Acquire: pairs with the query's release above.
  ASSERT_TRUE(Await([&] { return is_inside.load(std::memory_order_acquire); }));
  Receipt last;
  for (int i = 0; i < 300; ++i) last = Run(producer, 1, 1);  // the loop does not wait
  const auto other =
      quick.Read(AtLeast(last, seconds(60)), [](const Sheet& b) noexcept { return CentsOf(b, 1); });
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(*other, 301);
  // Release: pairs with the query's acquire above.
  may_leave.store(true, std::memory_order_release);
  stays.join();
  const auto at_last =
      slow.Read(AtLeast(last, seconds(60)), [](const Sheet& b) noexcept { return CentsOf(b, 1); });
  ASSERT_TRUE(at_last.ok()) << at_last.status();
  EXPECT_EQ(*at_last, 301);
}

TEST_F(ViewTest, SeveralViewsComeAndGoWhileTheLogGrows) {
  Open();  // agents_max 8
  Producer producer = NewProducer();
  std::vector<View<Sheet>> views;
  for (int round = 0; round < 30; ++round) {
    std::optional<View<Sheet>> brief = Make();
    if (views.size() < 5) views.push_back(Make());
    Receipt last;
    for (int i = 0; i < 20; ++i) last = Run(producer, 1, 1);
    brief.reset();
    for (const auto& view : views) {
      const auto seen = view.Read(AtLeast(last, seconds(60)),
                                  [](const Sheet& b) noexcept { return CentsOf(b, 1); });
      ASSERT_TRUE(seen.ok()) << seen.status();
      ASSERT_EQ(*seen, 20 * (round + 1));
    }
  }
}

TEST_F(ViewTest, MoreViewsThanAgentsMaxAreRefusedUntilOneEnds) {
  Open();
  std::vector<View<Sheet>> views;
  for (int i = 0; i < 8; ++i) views.push_back(Make());
  EXPECT_EQ(Project<Sheet>(*engine_).status().code(), absl::StatusCode::kResourceExhausted);
  views.pop_back();
  views.push_back(Make());
}

TEST_F(ViewTest, ViewsShareAThreadOrHaveOneOfTheirOwnPinnedAsAsked) {
  Open();
  const int core = CoresOf(0).back();
  {
    const auto one = Project<Sheet>(*engine_, {.core = core, .thread = "sheets"});
    const auto two = Project<Sheet>(*engine_, {.thread = "sheets"});
    ASSERT_TRUE(one.ok() && two.ok());
    EXPECT_EQ(ThreadNamed("pawl-projector"), 0);
    ASSERT_NE(ThreadNamed("sheets"), 0);
    EXPECT_EQ(CoresOf(ThreadNamed("sheets")), std::vector{core});
    const auto alone = Project<Sheet>(*engine_, {.core = core});
    ASSERT_TRUE(alone.ok());
    ASSERT_NE(ThreadNamed("pawl-projector"), 0);
    EXPECT_EQ(CoresOf(ThreadNamed("pawl-projector")), std::vector{core});
    Producer producer = NewProducer();
    const Receipt receipt = Run(producer, 1, 10);
    for (const auto* view : {&*one, &*two, &*alone}) {
      EXPECT_EQ(view->Read(AtLeast(receipt, seconds(60)),
                           [](const Sheet& b) noexcept { return CentsOf(b, 1); })
                    .value_or(-1),
                10);
    }
    EXPECT_EQ(Project<Sheet>(*engine_, {.thread = "sixteen-letters-"}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ViewTest, AfterStopAViewShowsAllThatWasPublished) {
  Open();
  const auto view = Make();
  {
    Producer producer = NewProducer();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    Collect(producer, 200);
  }
  EXPECT_TRUE(engine_->Stop().ok());
  EXPECT_EQ(view.Read([](const Sheet& b) noexcept { return CentsOf(b, 1); }), 200);
  EXPECT_EQ(Project<Sheet>(*engine_).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(view.Read(AtLeast(view.position().Next(), milliseconds(1)),
                         [](const Sheet&) noexcept { return 0; })
                   .ok());
}

TEST_F(ViewTest, AStopEndsAQueryThatWaitsForWhatNeverComes) {
  Open();
  const auto view = Make();
  const auto nothing = [](const Sheet&) noexcept { return 0; };
  const AtLeast never(Position(1'000'000), std::chrono::hours(24));
  std::atomic<bool> waits{false};
  absl::Status ended;
  std::thread asks([&] {
    // Relaxed: guards nothing.
    waits.store(true, std::memory_order_relaxed);
    ended = view.Read(never, nothing).status();
  });
  // Relaxed: guards nothing.
  ASSERT_TRUE(Await([&] { return waits.load(std::memory_order_relaxed); }));
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // it sleeps, most likely
  EXPECT_TRUE(engine_->Stop().ok());
  asks.join();
  EXPECT_EQ(ended.code(), absl::StatusCode::kUnavailable) << ended;
  EXPECT_EQ(view.Read(never, nothing).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(view.Read(AtLeast(view.position(), seconds(0)), nothing).ok());
  EXPECT_TRUE(view.status().ok());
}

TEST_F(ViewTest, HostDrivenAQueryBehindTheStopDoesNotWait) {
  Open(Threads::kHost);
  const auto view = Make();
  EXPECT_TRUE(engine_->Stop().ok());
  const AtLeast never(Position(1'000'000), std::chrono::hours(24));
  EXPECT_EQ(view.Read(never, [](const Sheet&) noexcept { return 0; }).status().code(),
            absl::StatusCode::kUnavailable);
}

// The deadline of the longest wait was before now.
TEST_F(ViewTest, TheLongestWaitIsForEver) {
  for (const Threads threads : {Threads::kOwn, Threads::kHost}) {
    ASSERT_NO_FATAL_FAILURE(Open(threads));
    {
      const auto view = Make();
      Producer producer = NewProducer();
      for (int i = 0; i < 50; ++i) {
        const Receipt receipt = Run(producer, 1, 10);
        const auto seen = view.Read(AtLeast(receipt, std::chrono::nanoseconds::max()),
                                    [](const Sheet&) noexcept { return 0; });
        ASSERT_TRUE(seen.ok()) << seen.status();
      }
    }
    engine_.reset();
  }
}

TEST_F(ViewTest, HostDrivenAQueryRunsTheEngineUntilItSeesItsWrite) {
  for (const Threads threads : {Threads::kHost, Threads::kHostAll}) {
    ASSERT_NO_FATAL_FAILURE(Open(threads));
    {
      const auto view = Make();
      Producer producer = NewProducer();
      const std::int64_t before = view.Read(AtLeast(Position(1), seconds(60)),
                                            [](const Sheet& b) noexcept { return CentsOf(b, 1); })
                                      .value_or(-1);
      const Receipt receipt = Run(producer, 1, 10);
      const auto seen = view.Read(AtLeast(receipt, seconds(60)),
                                  [](const Sheet& b) noexcept { return CentsOf(b, 1); });
      ASSERT_TRUE(seen.ok()) << seen.status();
      EXPECT_GE(*seen, before + 10);
    }
    engine_.reset();
  }
}

}  // namespace
}  // namespace pawl
