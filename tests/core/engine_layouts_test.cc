// The log describes itself: types are records, a changed layout is refused, and types that the
// program does not know stay readable as bytes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

using ::testing::HasSubstr;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

// An aggregate that lists events and keeps the number of those that it saw.
template <class... Es>
struct Ledger {
  struct Write {};
  using Commands = pawl::Commands<Write>;
  using Events = pawl::Events<Es...>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t seen = 0;
  };
  static Verdict Decide(const State&, const Write&, Emit<Ledger>&) noexcept { return Accept(); }
  template <class E>
  static void Evolve(State& s, const E&) noexcept {
    ++s.seen;
  }
};

// The bank's deposit, changed in one thing each.
struct AsDouble {
  static constexpr EventType kType{"bank.deposited", 1};
  double cents;
};
struct Renamed {
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t amount;
};
struct Unsigned {
  static constexpr EventType kType{"bank.deposited", 1};
  std::uint64_t cents;
};
struct FieldAdded {
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t cents;
  std::int64_t fee;
};
struct FieldRemoved {
  static constexpr EventType kType{"bank.deposited", 1};
};
struct AsArray {
  static constexpr EventType kType{"bank.deposited", 1};
  std::array<std::int32_t, 2> cents;
};
struct AsEnum {
  static constexpr EventType kType{"bank.deposited", 1};
  enum class Cents : std::int64_t { kNone } cents;
};
struct Nested {
  static constexpr EventType kType{"bank.deposited", 1};
  struct Amount {
    std::int64_t cents;
  } amount;
};
struct NewVersion {
  static constexpr EventType kType{"bank.deposited", 2};
  double euros;
};

class EngineLayoutsTest : public BankTest {
 protected:
  template <class... As>
  absl::Status Try() {
    return Engine::Open(directory_.Options(), Aggregates<As...>{}).status();
  }
  // A bank with events of both types on two accounts; closed.
  void Fill() {
    ASSERT_NO_FATAL_FAILURE(Open());
    {
      Producer producer = NewProducer();
      for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(producer.Execute<Account>(Key(7, 1), Deposit{i}, kQuick).ok());
        ASSERT_TRUE(producer.Execute<Account>(Key(2), Deposit{1000 + i}, kQuick).ok());
        ASSERT_TRUE(producer.Execute<Account>(Key(2), Withdraw{1}, kQuick).ok());
      }
    }
    engine_.reset();
  }
  template <class E>
  void ExpectRefused(const char* layout) {
    const absl::Status status = Try<Ledger<E, Withdrawn>>();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    const std::string message(status.message());
    EXPECT_THAT(message, HasSubstr("event bank.deposited version 1"));
    EXPECT_THAT(message, HasSubstr("log {cents:i64@0}"));
    EXPECT_THAT(message, HasSubstr("program {" + std::string(layout) + "}"));
  }
  void ExpectEveryChangeRefused() {
    ExpectRefused<AsDouble>("cents:f64@0");
    ExpectRefused<Renamed>("amount:i64@0");
    ExpectRefused<Unsigned>("cents:u64@0");
    ExpectRefused<FieldAdded>("cents:i64@0,fee:i64@8");
    ExpectRefused<FieldRemoved>("");
    ExpectRefused<AsArray>("cents:array<2,i32>@0");
    ExpectRefused<AsEnum>("cents:enum<i64>@0");
    ExpectRefused<Nested>("amount:{cents:i64@0}@0");
  }
};

TEST_F(EngineLayoutsTest, TypesAndCategoriesAreRecordsOfTheLog) {
  Open();
  struct Type {
    std::uint64_t hash;
    std::string text;
    std::uint32_t bytes;
    std::uint16_t version;
  };
  std::map<std::string, Type> types;
  std::vector<std::string> categories;
  for (const SeenRecord& record : ReadLog(*engine_)) {
    if (record.kind == RecordKind::kCategoryBound) categories.push_back(record.payload);
    if (record.kind != RecordKind::kTypeBound) continue;
    const auto bound = record.As<TypeBound>();
    types[record.payload.substr(sizeof bound, bound.name_bytes)] = {
        bound.layout_hash, record.payload.substr(sizeof bound + bound.name_bytes),
        bound.event_bytes, bound.type_version};
  }
  EXPECT_EQ(categories, std::vector<std::string>{"account"});
  ASSERT_EQ(types.size(), 2U);
  for (const char* name : {"bank.deposited", "bank.withdrawn"}) {
    EXPECT_EQ(types[name].text, "cents:i64@0");
    EXPECT_EQ(types[name].hash, 0x185fee8dcf82ba73U) << "of that text, whatever the compiler";
    EXPECT_EQ(types[name].bytes, 8U);
    EXPECT_EQ(types[name].version, 1U);
  }
}

template <std::uint16_t kNumber>
struct OneOfMany {
  static constexpr EventType kType{"ledger.one-of-many", kNumber};
  std::int64_t field_with_a_name_of_some_length;
};
template <std::size_t... kNumbers>
Ledger<OneOfMany<kNumbers + 1>...> ManyTypes(std::index_sequence<kNumbers...>);

TEST_F(EngineLayoutsTest, MoreNewTypesThanACommitHoldsAreRefusedAndLeaveNothing) {
  using Few = decltype(ManyTypes(std::make_index_sequence<5>()));
  using Many = decltype(ManyTypes(std::make_index_sequence<15>()));
  EngineOptions options = directory_.Options();
  options.commit_bytes_max = 1024;
  for (int i = 0; i < 2; ++i) {
    const absl::Status refused = Engine::Open(options, Aggregates<Many>{}).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("commit_bytes_max (1024)"));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("ledger.one-of-many"));
  }
  {
    const auto few = Engine::Open(options, Aggregates<Few>{});
    ASSERT_TRUE(few.ok()) << few.status();
    EXPECT_EQ(std::ranges::count(ReadLog(**few), RecordKind::kTypeBound, &SeenRecord::kind), 5);
  }
  options.commit_bytes_max = 4096;
  const auto many = Engine::Open(options, Aggregates<Many>{});
  ASSERT_TRUE(many.ok()) << many.status();
}

TEST_F(EngineLayoutsTest, EveryChangeOfALayoutIsRefusedAndBothAreNamed) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  ExpectEveryChangeRefused();
  Open();  // the refusals took nothing away
  EXPECT_EQ(Balances().size(), 2U);
  EXPECT_EQ(Balances()[0].second, 99 * 100 / 2 + 100 * 1000 - 100);
}

TEST_F(EngineLayoutsTest, AChangedLayoutIsRefusedAlsoBeforeTheFirstEventOfIt) {
  Open();
  engine_.reset();
  ExpectEveryChangeRefused();
}

TEST_F(EngineLayoutsTest, ANewVersionStandsBesideTheOldOneWhichCannotBeLeftOut) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  const absl::Status status = Try<Ledger<NewVersion, Withdrawn>>();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("bank.deposited version 1"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("category account"));
  using Both = Ledger<Deposited, NewVersion, Withdrawn>;
  const auto engine = Engine::Open(directory_.Options(), Aggregates<Both>{});
  ASSERT_TRUE(engine.ok()) << engine.status();
  std::int64_t seen = 0;
  ASSERT_TRUE((*engine)
                  ->VisitAggregates<Both>([&](const Key&, Version version, const auto& state) {
                    EXPECT_EQ(state.seen, static_cast<std::int64_t>(version.value()));
                    seen += state.seen;
                  })
                  .ok());
  EXPECT_EQ(seen, 300) << "no event is dropped from a state";
}

// A tool, or a program that has other aggregates: it learns from the log itself what is there.
TEST_F(EngineLayoutsTest, EventsOfUnknownTypesAreReadAsBytes) {
  ASSERT_NO_FATAL_FAILURE(Fill());
  for (const bool has_probe : {false, true}) {
    auto opened = has_probe ? Engine::Open(directory_.Options(), Aggregates<Probe>{})
                            : Engine::Open(directory_.Options(), Aggregates<>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    std::map<std::uint16_t, std::string> names;
    std::map<std::string, std::vector<std::int64_t>> values;
    for (const SeenRecord& record : ReadLog(**opened)) {
      if (record.kind == RecordKind::kTypeBound) {
        const auto bound = record.As<TypeBound>();
        names[record.type] = record.payload.substr(sizeof bound, bound.name_bytes);
      }
      if (record.kind != RecordKind::kEvent) continue;
      ASSERT_EQ(record.payload.size(), 8U);
      std::int64_t value = 0;
      std::memcpy(&value, record.payload.data(), sizeof value);
      values[names[record.type]].push_back(value);
    }
    ASSERT_EQ(values["bank.deposited"].size(), 200U);
    EXPECT_EQ(values["bank.deposited"][2], 1) << "the second deposit on the first account";
    EXPECT_EQ(values["bank.withdrawn"], std::vector<std::int64_t>(100, 1));
  }
  Open();
  EXPECT_EQ(Balances()[1].second, 99 * 100 / 2) << "and known ones again";
}

struct OtherDeposited {  // the bank's name and version, another layout
  static constexpr EventType kType{"bank.deposited", 1};
  double euros;
};
struct SameDeposited {  // another struct, but the same layout
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};
template <class E>
struct Vault : Ledger<E> {
  using typename Ledger<E>::State;
  static constexpr std::string_view kCategory = "vault";
  static Verdict Decide(const State&, const typename Ledger<E>::Write&, Emit<Vault>&) noexcept {
    return Accept();
  }
};

TEST_F(EngineLayoutsTest, TwoLayoutsOfOneNameAndVersionInAProgramAreRefused) {
  const absl::Status status = Try<Account, Vault<OtherDeposited>>();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("bank.deposited version 1"));
  EXPECT_THAT(message, HasSubstr("{cents:i64@0}"));
  EXPECT_THAT(message, HasSubstr("{euros:f64@0}"));
  EXPECT_FALSE(std::filesystem::exists(directory_.log())) << "a mistake made a log";
  EXPECT_TRUE((Try<Account, Vault<Deposited>>().ok())) << "aggregates may share a type";
  EXPECT_TRUE((Try<Account, Vault<SameDeposited>>().ok()));
}

}  // namespace
}  // namespace pawl
