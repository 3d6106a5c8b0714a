// A projection sees that an aggregate was closed, and can drop its row.

#include "pawl/closed.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "../core/bank_fixture.h"
#include "../core/ending_aggregates.h"
#include "pawl/view.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

struct Rows {
  using Events = pawl::Events<Scribbled, Closed<Sheet>, Piled, Closed<Heap>>;
  static constexpr int kVersion = 1;
  std::map<Key, std::int64_t> sheets;
  std::map<Key, std::int64_t> heaps;
  std::vector<Meta> closed;  // of sheets
  void On(const Scribbled& e, const Meta& m) noexcept { sheets[m.key] += e.value; }
  void On(const Closed<Sheet>&, const Meta& m) noexcept {
    sheets.erase(m.key);
    closed.push_back(m);
  }
  void On(const Piled& e, const Meta& m) noexcept { heaps[m.key] += e.value; }
  void On(const Closed<Heap>&, const Meta& m) noexcept { heaps.erase(m.key); }
};

// Knows nothing of closings.
struct Sums {
  using Events = pawl::Events<Scribbled>;
  static constexpr int kVersion = 1;
  std::map<Key, std::int64_t> sheets;
  void On(const Scribbled& e, const Meta& m) noexcept { sheets[m.key] += e.value; }
};

struct Stubborn {
  using Events = pawl::Events<Closed<Sheet>>;
  static constexpr int kVersion = 1;
  std::uint64_t closed = 0;
  Outcome On(const Closed<Sheet>&, const Meta&) noexcept {
    return ++closed == 2 ? Fail(9, "no more of them") : Outcome();
  }
};

// clang-format off
// [readme]
struct Order { std::int64_t cents; };
struct Pay {};
struct Ordered { static constexpr pawl::EventType kType{"tab.ordered", 1}; std::int64_t cents; };

struct Tab {
  using Commands = pawl::Commands<Order, Pay>;
  using Events = pawl::Events<Ordered>;
  static constexpr std::string_view kCategory = "tab";
  struct State { std::int64_t cents = 0; };
  static pawl::Verdict Decide(const State&, const Order& c, pawl::Emit<Tab>& emit) noexcept {
    emit(Ordered{c.cents});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State&, const Pay&, pawl::Emit<Tab>& emit) noexcept {
    emit.Close();                                         // or emit.CloseOn<Other>(key)
    return pawl::Accept();
  }
  static void Evolve(State& s, const Ordered& e) noexcept { s.cents += e.cents; }
};

struct OpenTabs {
  using Events = pawl::Events<Ordered, pawl::Closed<Tab>>;
  static constexpr int kVersion = 1;
  std::map<pawl::Key, std::int64_t> cents;
  void On(const Ordered& e, const pawl::Meta& m) noexcept { cents[m.key] += e.cents; }
  void On(const pawl::Closed<Tab>&, const pawl::Meta& m) noexcept { cents.erase(m.key); }
};
// [/readme]
// clang-format on

class ClosedTest : public ::testing::Test {
 protected:
  void TearDown() override {
    producer_.reset();
    engine_.reset();
  }
  void Open() {
    producer_.reset();
    engine_.reset();
    auto opened = Engine::Open(directory_.Options(Threads::kHost), Aggregates<Heap, Sheet>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    producer_ = std::make_unique<Producer>(engine_->NewProducer().value());
  }
  template <class A = Sheet, class C>
  Receipt Run(std::uint64_t key, const C& command) {
    const auto receipt = producer_->Execute<A>(Key(key), command, kQuick);
    EXPECT_TRUE(receipt.ok()) << receipt.status();
    return receipt.value_or(Receipt{});
  }
  template <class P>
  P After(const View<P>& view, const Receipt& receipt) {
    const auto seen = view.Read(AtLeast(receipt, std::chrono::seconds(60)),
                                [](const P& projection) noexcept { return projection; });
    EXPECT_TRUE(seen.ok()) << seen.status();
    return seen.value_or(P{});
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Producer> producer_;
};

TEST_F(ClosedTest, ARowIsDroppedAndComesBackWithTheNextLife) {
  Open();
  auto rows = Project<Rows>(*engine_);
  auto sums = Project<Sums>(*engine_);
  ASSERT_TRUE(rows.ok() && sums.ok());
  Run(1, Scribble{5});
  Run<Heap>(1, Pile{50});
  Run(2, Scribble{6});
  const Receipt closed = Run(1, WriteAndEnd{7});
  Rows seen = After(*rows, closed);
  EXPECT_EQ(seen.sheets, (std::map<Key, std::int64_t>{{Key(2), 6}}));
  EXPECT_EQ(seen.heaps, (std::map<Key, std::int64_t>{{Key(1), 50}})) << "of another category";
  ASSERT_EQ(seen.closed.size(), 1U);
  EXPECT_EQ(seen.closed[0].key, Key(1));
  EXPECT_EQ(seen.closed[0].position, closed.position);
  EXPECT_EQ(seen.closed[0].version, Version(2));
  EXPECT_GT(seen.closed[0].time_ns, 0U);

  Run(1, Scribble{8});
  seen = After(*rows, Run(3, EndPile{Key(1)}));
  EXPECT_EQ(seen.sheets, (std::map<Key, std::int64_t>{{Key(1), 8}, {Key(2), 6}}));
  EXPECT_TRUE(seen.heaps.empty());
  EXPECT_EQ(seen.closed.size(), 1U);
  // Who does not ask is not told: its sums go on.
  EXPECT_EQ(After(*sums, closed).sheets.at(Key(1)), 5 + 7 + 8);
}

TEST_F(ClosedTest, TheExampleOfTheReadmeDropsWhatIsPaid) {
  auto engine = Engine::Open(directory_.Options(Threads::kHost), Aggregates<Tab>{});
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto tabs = Project<OpenTabs>(**engine);
  auto waiter = (*engine)->NewProducer();
  ASSERT_TRUE(tabs.ok() && waiter.ok());
  ASSERT_TRUE(waiter->Execute<Tab>(Key(1), Order{300}, kQuick).ok());
  ASSERT_TRUE(waiter->Execute<Tab>(Key(2), Order{400}, kQuick).ok());
  const auto paid = waiter->Execute<Tab>(Key(1), Pay{}, kQuick);
  ASSERT_TRUE(paid.ok()) << paid.status();
  EXPECT_EQ(After(*tabs, *paid).cents, (std::map<Key, std::int64_t>{{Key(2), 400}}));
}

TEST_F(ClosedTest, TheSameAfterTheLogIsOpenedAgain) {
  Open();
  Run(1, Scribble{5});
  Run<Heap>(1, Pile{50});
  Run(1, End{});
  const Receipt last = Run(1, Scribble{8});
  Open();
  const auto rows = Project<Rows>(*engine_);
  ASSERT_TRUE(rows.ok());
  const Rows seen = After(*rows, last);
  EXPECT_EQ(seen.sheets, (std::map<Key, std::int64_t>{{Key(1), 8}}));
  EXPECT_EQ(seen.heaps.size(), 1U);
  EXPECT_EQ(seen.closed.size(), 1U);
}

TEST_F(ClosedTest, AProjectionThatFailsAtOneNamesIt) {
  Open();
  const auto view = Project<Stubborn>(*engine_);
  ASSERT_TRUE(view.ok());
  Run(1, WriteAndEnd{1});
  const Receipt second = Run(1, WriteAndEnd{1});
  EXPECT_FALSE(view->Read(AtLeast(second, std::chrono::seconds(60)),
                          [](const Stubborn& s) noexcept { return s.closed; })
                   .ok());
  const std::string message(view->status().message());
  EXPECT_NE(message.find("closing of sheet"), std::string::npos) << message;
  EXPECT_NE(message.find("position " + std::to_string(second.position.value())), std::string::npos)
      << message;
}

}  // namespace
}  // namespace pawl
