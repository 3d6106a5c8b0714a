// Events that changed: what an old log holds is seen as the newest version, by everyone who reads
// it, and stays as it was written.

#include "pawl/upcast.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log_records.h"
#include "pawl/engine.h"
#include "test_directory.h"
#include "upcast_domain.h"

namespace pawl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
const Key kOne(1);
const Key kTwo(2);

// Releases that are mistaken in one thing.
struct FundedV2Alone {  // its Older was forgotten
  static constexpr EventType kType{"purse.funded", 2};
  std::int64_t cents;
  std::int64_t fee_cents;
};
struct FundedV1Changed {
  static constexpr EventType kType{"purse.funded", 1};
  std::int64_t euros;
};
struct FundedV2OfChanged {
  static constexpr EventType kType{"purse.funded", 2};
  using Older = FundedV1Changed;
  std::int64_t cents;
  std::int64_t fee_cents;
};
FundedV2OfChanged Upcast(const FundedV1Changed& e) noexcept { return {e.euros * 100, 0}; }

// An aggregate that lists these and decides nothing.
template <class... Es>
struct Mistaken {
  using Commands = pawl::Commands<Lock>;
  using Events = pawl::Events<Es...>;
  static constexpr std::string_view kCategory = "purse";
  struct State {};
  static Verdict Decide(const State&, const Lock&, Emit<Mistaken>&) noexcept { return Accept(); }
  template <class E>
  static void Evolve(State&, const E&) noexcept {}
};

struct Elsewhere : Mistaken<FundedV2OfChanged> {
  using Mistaken<FundedV2OfChanged>::State;
  static constexpr std::string_view kCategory = "elsewhere";
  static Verdict Decide(const State&, const Lock&, Emit<Elsewhere>&) noexcept { return Accept(); }
};

class UpcastTest : public ::testing::Test {
 protected:
  template <class A>
  static std::unique_ptr<Engine> Open(const TestDirectory& directory) {
    auto opened = Engine::Open(directory.Options(), Aggregates<A>{});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  template <class A>
  std::unique_ptr<Engine> Open() {
    return Open<A>(directory_);
  }
  template <class A>
  absl::Status Try() {
    return Engine::Open(directory_.Options(), Aggregates<A>{}).status();
  }
  template <class A>
  static void Do(Engine* engine, const std::vector<std::pair<Key, std::int64_t>>& cents) {
    ASSERT_NE(engine, nullptr);
    Producer producer = *engine->NewProducer();
    for (const auto& [key, amount] : cents) {
      const auto done = amount == 0 ? producer.Execute<A>(key, Lock{}, kQuick)
                                    : producer.Execute<A>(key, Fund{amount}, kQuick);
      ASSERT_TRUE(done.ok()) << done.status();
    }
  }
  // Lives of the first release and the second one; 0 locks.
  void LiveTwice() {
    Do<PurseV1>(Open<PurseV1>().get(), {{kOne, 100}, {kTwo, 10}, {kOne, 0}});
    Do<PurseV2>(Open<PurseV2>().get(), {{kOne, 200}, {kTwo, 0}});
  }
  template <class A>
  static typename A::State StateOf(Engine& engine, const Key& key) {
    typename A::State found;
    const absl::Status visited =
        engine.VisitAggregates<A>([&](const Key& each, Version, const auto& state) {
          if (each == key) found = state;
        });
    EXPECT_TRUE(visited.ok()) << visited;
    return found;
  }

  const TestDirectory directory_;
};

TEST_F(UpcastTest, ReplayEvolvesTheNewestVersionThroughTheWholeChain) {
  LiveTwice();
  const auto engine = Open<PurseV3>();
  ASSERT_NE(engine, nullptr);
  const auto one = StateOf<PurseV3>(*engine, kOne);
  EXPECT_EQ(one.cents, (100 - 1) + (200 - 2));
  EXPECT_EQ(one.upcasts, 2U + 1U) << "from version 1, from version 2";
  EXPECT_EQ(one.reasons, 77U) << "of an event that had no fields";
  const auto two = StateOf<PurseV3>(*engine, kTwo);
  EXPECT_EQ(two.cents, 10 - 1);
  EXPECT_EQ(two.reasons, 0U) << "a lock of the second release is not upcast";
}

TEST_F(UpcastTest, EveryReleaseSeesItsOwnNewestVersion) {
  LiveTwice();
  const auto engine = Open<PurseV2>();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(StateOf<PurseV2>(*engine, kOne).cents, 100 + 200);
  EXPECT_EQ(StateOf<PurseV2>(*engine, kOne).reasons, 77U);
}

// The state after an old log is the one after the same events, written as the newest version.
TEST_F(UpcastTest, TheStateHashIsThatOfTheNewestEvents) {
  LiveTwice();
  HashSum upcast;
  {
    const auto engine = Open<PurseV3>();
    ASSERT_NE(engine, nullptr);
    Do<PurseV3>(engine.get(), {{kTwo, 5}, {kOne, 0}});
    upcast = engine->StateHash()->sum;
  }
  const auto again = Open<PurseV3>();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->StateHash()->sum, upcast) << "live and replayed";

  PurseV3::State one;
  PurseV3::State two;
  PurseV3::Evolve(one, Upcast(Upcast(FundedV1{100})));
  PurseV3::Evolve(two, Upcast(Upcast(FundedV1{10})));
  PurseV3::Evolve(one, Upcast(LockedV1{}));
  PurseV3::Evolve(one, Upcast(FundedV2{200, 2}));
  PurseV3::Evolve(two, LockedV2{0});
  PurseV3::Evolve(two, FundedOf<FundedV3>(5));
  PurseV3::Evolve(one, LockedV2{0});
  HashSum expected;
  StateHasher hasher;
  for (const auto& [key, version, state] :
       {std::tuple(kOne, std::uint64_t{4}, one), std::tuple(kTwo, std::uint64_t{3}, two)}) {
    hasher.Add(PurseV3::kCategory);
    hasher.Add(key);
    hasher.Add(version);
    hasher.Add(state);
    expected += hasher.Finish();
  }
  EXPECT_EQ(upcast, expected);
}

TEST_F(UpcastTest, WhatIsInTheLogStaysAsItWasWritten) {
  LiveTwice();
  std::vector<SeenRecord> before;
  {
    const auto engine = Open<PurseV2>();
    ASSERT_NE(engine, nullptr);
    before = EventsOf(ReadLog(*engine));
  }
  const auto engine = Open<PurseV3>();
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(EventsOf(ReadLog(*engine)), before);
  Do<PurseV3>(engine.get(), {{kOne, 7}});
  const std::vector<SeenRecord> after = EventsOf(ReadLog(*engine));
  ASSERT_EQ(after.size(), before.size() + 1);
  EXPECT_EQ(after.back().payload.size(), sizeof(FundedV3)) << "only the newest is emitted";
  EXPECT_EQ(after.back().As<FundedV3>().net_cents, 7);
}

TEST_F(UpcastTest, ANewLogKnowsTheNewestVersionsOnly) {
  const auto engine = Open<PurseV3>();
  ASSERT_NE(engine, nullptr);
  std::set<std::pair<std::string, std::uint16_t>> types;
  for (const SeenRecord& record : ReadLog(*engine)) {
    if (record.kind != RecordKind::kTypeBound) continue;
    const auto bound = record.As<TypeBound>();
    types.emplace(record.payload.substr(sizeof bound, bound.name_bytes), bound.type_version);
  }
  EXPECT_THAT(types,
              UnorderedElementsAre(std::pair("purse.funded", 3), std::pair("purse.locked", 2)));
}

TEST_F(UpcastTest, AVersionThatNoChainReachesIsRefusedByName) {
  LiveTwice();
  for (const absl::Status& status :
       {Try<Mistaken<FundedV2Alone, LockedV2>>(), Try<Mistaken<FundedV1, LockedV2>>()}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("the log holds purse.funded version "));
    EXPECT_THAT(std::string(status.message()), HasSubstr("category purse"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("Older"));
  }
  EXPECT_THAT(std::string(Try<Mistaken<FundedV1, LockedV2>>().message()),
              HasSubstr("purse.funded version 2"))
      << "an older release does not open a newer one's log";
}

TEST_F(UpcastTest, AChangedOlderVersionIsRefusedNamingBothLayouts) {
  using Changed = Mistaken<FundedV2OfChanged, LockedV2>;
  const auto expect_refused = [this] {
    const absl::Status status = Try<Changed>();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("purse.funded version 1"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("log {cents:i64@0}"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("program {euros:i64@0}"));
  };
  Open<PurseV1>();
  expect_refused();  // also before the first event of it
  Do<PurseV1>(Open<PurseV1>().get(), {{kOne, 1}});
  expect_refused();
}

TEST_F(UpcastTest, TwoLayoutsOfAnOlderVersionInAProgramAreRefused) {
  const absl::Status status =
      Engine::Open(directory_.Options(), Aggregates<PurseV3, Elsewhere>{}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("two events are purse.funded version 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("{cents:i64@0}"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("{euros:i64@0}"));
}

// What a visitor saw: version in the stream, net cents, upcasts; or of a lock its reason.
struct Visitor {
  std::vector<std::pair<std::uint64_t, std::int64_t>> funded{};
  std::vector<std::pair<std::uint64_t, std::uint64_t>> locked{};
  void operator()(const FundedV3& e, const Meta& m) noexcept {
    funded.emplace_back(m.version.value(), e.net_cents * 10 + e.upcasts);
  }
  void operator()(const LockedV2& e, const Meta& m) noexcept {
    locked.emplace_back(m.version.value(), e.reason);
  }
};

TEST_F(UpcastTest, AHistoryShowsTheNewestVersionInBothDirections) {
  LiveTwice();
  const auto engine = Open<PurseV3>();
  ASSERT_NE(engine, nullptr);
  Do<PurseV3>(engine.get(), {{kOne, 300}});
  auto history = engine->NewHistory<PurseV3>(kOne);
  ASSERT_TRUE(history.ok()) << history.status();
  Visitor forward;
  EXPECT_EQ(history->Forward(forward), 4U);
  EXPECT_THAT(forward.funded,
              ElementsAre(std::pair(1U, 992), std::pair(3U, 1981), std::pair(4U, 3000)));
  EXPECT_THAT(forward.locked, ElementsAre(std::pair(2U, 77U)));
  Visitor backward;
  EXPECT_EQ(history->Backward(backward), 4U);
  EXPECT_THAT(backward.funded,
              ElementsAre(std::pair(4U, 3000), std::pair(3U, 1981), std::pair(1U, 992)));
  EXPECT_TRUE(history->status().ok()) << history->status();
}

TEST_F(UpcastTest, AnEventReaderShowsTheNewestVersionOfAllItIsAskedFor) {
  LiveTwice();
  const auto engine = Open<PurseV3>();
  ASSERT_NE(engine, nullptr);
  Do<PurseV3>(engine.get(), {{kTwo, 300}});
  auto all = engine->NewEventReader<PurseV3>();
  Visitor everything;
  EXPECT_EQ(all->Forward(everything), 6U);
  EXPECT_THAT(everything.funded, ElementsAre(std::pair(1U, 992), std::pair(1U, 92),
                                             std::pair(3U, 1981), std::pair(3U, 3000)));
  EXPECT_THAT(everything.locked, ElementsAre(std::pair(2U, 77U), std::pair(2U, 0U)));
  // The second one of Events alone: its older version too, nothing else.
  auto locks = engine->NewEventReader<PurseV3, LockedV2>();
  Visitor locked;
  EXPECT_EQ(locks->Forward(locked), 2U);
  EXPECT_EQ(locked.locked, everything.locked);
  auto reversed = engine->NewEventReader<PurseV3, LockedV2, FundedV3>();
  Visitor again;
  EXPECT_EQ(reversed->Forward(again), 6U);
  EXPECT_EQ(again.funded, everything.funded);
  EXPECT_EQ(again.locked, everything.locked);
}

// Versions without a chain between them may be listed one by one, as before.
TEST_F(UpcastTest, VersionsMayBeListedOneByOne) {
  Do<PurseV1>(Open<PurseV1>().get(), {{kOne, 100}});
  using Both = Mistaken<FundedV1, FundedV2Alone, LockedV2>;
  EXPECT_TRUE(Try<Both>().ok()) << Try<Both>();
}

}  // namespace
}  // namespace pawl
