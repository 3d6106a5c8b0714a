// What the public headers and README.md say, at the edges where nobody else asks: option values
// that make no sense, calls with nothing in them, levels that are none, calls while the engine
// stops.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

using namespace std::chrono_literals;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr std::uint32_t kMax32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kUndurableMost = std::uint64_t{1} << 62;

std::uint64_t VirtualBytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t pages = 0;
  in >> pages;
  return pages * static_cast<std::uint64_t>(::getpagesize());
}

class OptionsTest : public BankTest {
 protected:
  using Change = std::function<void(EngineOptions&)>;
  struct Row {
    std::string option;
    std::string value;
    Change change;
  };
};

TEST_F(OptionsTest, NonsenseIsRefusedNamingTheOption) {
  const std::vector<Row> rows{
      {"directory", "empty", [](EngineOptions& o) { o.directory = ""; }},
      {"segment_bytes", "0", [](EngineOptions& o) { o.segment_bytes = 0; }},
      {"segment_bytes", "max", [](EngineOptions& o) { o.segment_bytes = kMax64; }},
      {"segment_bytes", "65,535", [](EngineOptions& o) { o.segment_bytes = kSegmentBytesMin - 1; }},
      {"segment_bytes must be a multiple", "4 GiB and 64 KiB",
       [](EngineOptions& o) {
         o.segment_bytes = kSegmentBytesMax + kSegmentBytesMin;
         o.undurable_bytes_max = 2 * o.segment_bytes;  // else that is what is refused
       }},
      {"undurable_bytes_max", "0", [](EngineOptions& o) { o.undurable_bytes_max = 0; }},
      {"undurable_bytes_max", "2^62 + 1",
       [](EngineOptions& o) { o.undurable_bytes_max = kUndurableMost + 1; }},
      {"undurable_bytes_max", "max", [](EngineOptions& o) { o.undurable_bytes_max = kMax64; }},
      {"commit_bytes_max", "1", [](EngineOptions& o) { o.commit_bytes_max = 1; }},
      {"commit_bytes_max", "1,023", [](EngineOptions& o) { o.commit_bytes_max = 1'023; }},
      {"commit_bytes_max", "max", [](EngineOptions& o) { o.commit_bytes_max = kMax32; }},
      {"segments_ahead", "0", [](EngineOptions& o) { o.segments_ahead = 0; }},
      {"segments_ahead", "257", [](EngineOptions& o) { o.segments_ahead = 257; }},
      {"segments_ahead", "max", [](EngineOptions& o) { o.segments_ahead = kMax32; }},
      {"streams_max", "0", [](EngineOptions& o) { o.streams_max = 0; }},
      {"sessions_max", "0", [](EngineOptions& o) { o.sessions_max = 0; }},
      {"sessions_max", "max", [](EngineOptions& o) { o.sessions_max = kMax32; }},
      {"session_window", "0", [](EngineOptions& o) { o.session_window = 0; }},
      {"session_window", "3", [](EngineOptions& o) { o.session_window = 3; }},
      {"session_window", "131,072", [](EngineOptions& o) { o.session_window = 131'072; }},
      {"session_window", "2^31", [](EngineOptions& o) { o.session_window = 1U << 31; }},
      {"receipts_max", "1", [](EngineOptions& o) { o.receipts_max = 1; }},
      {"keys_max", "0", [](EngineOptions& o) { o.keys_max = 0; }},
      {"keys_max", "max", [](EngineOptions& o) { o.keys_max = kMax32; }},
      {"key_window", "-1 ns", [](EngineOptions& o) { o.key_window = -1ns; }},
      {"producers_max", "0", [](EngineOptions& o) { o.producers_max = 0; }},
      {"producers_max", "max", [](EngineOptions& o) { o.producers_max = kMax32; }},
      {"command_bytes_max", "0", [](EngineOptions& o) { o.command_bytes_max = 0; }},
      {"command_bytes_max", "max", [](EngineOptions& o) { o.command_bytes_max = kMax32; }},
      {"parcel_bytes", "0", [](EngineOptions& o) { o.parcel_bytes = 0; }},
      {"parcel_bytes", "max", [](EngineOptions& o) { o.parcel_bytes = kMax32; }},
      {"command_bytes_max", "63", [](EngineOptions& o) { o.command_bytes_max = 63; }},
      {"readers_max", "65,537", [](EngineOptions& o) { o.readers_max = 65'537; }},
      {"readers_max", "max", [](EngineOptions& o) { o.readers_max = kMax32; }},
      {"timers_max", "max", [](EngineOptions& o) { o.timers_max = kMax32; }},
      {"threads", "3", [](EngineOptions& o) { o.threads = static_cast<Threads>(3); }},
      {"idle", "9", [](EngineOptions& o) { o.idle = static_cast<Idle>(9); }},
      {"stall_after", "-1 ns", [](EngineOptions& o) { o.stall_after = -1ns; }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.option + " = " + row.value);
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHostAll);
    row.change(options);
    auto opened = Engine::Open(options, Aggregates<Account>{});
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument) << opened.status();
    EXPECT_NE(std::string(opened.status().message()).find(row.option), std::string::npos)
        << opened.status();
    if (opened.ok()) opened->reset();
    EXPECT_FALSE(std::filesystem::exists(directory.log())) << "a mistake made a log";
  }
}

TEST_F(OptionsTest, WhatNoMemoryIsEnoughForIsSaidByName) {
  const std::vector<Row> rows{
      {"streams_max", "max", [](EngineOptions& o) { o.streams_max = kMax32; }},
      {"agents_max", "max", [](EngineOptions& o) { o.agents_max = kMax32; }},
  };
  constexpr std::uint64_t kEnough = std::uint64_t{16} << 30;
  if (VirtualBytes() > kEnough) GTEST_SKIP() << "a sanitizer has the addresses already";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  const rlimit limited{.rlim_cur = kEnough, .rlim_max = before.rlim_max};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.option + " = " + row.value);
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHostAll);
    row.change(options);
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &limited), 0);
    const absl::Status refused = Engine::Open(options, Aggregates<Account>{}).status();
    ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
    EXPECT_NE(std::string(refused.message()).find(row.option), std::string::npos) << refused;
    Open(directory.Options(Threads::kHostAll));  // what it left is a new log
    engine_.reset();
  }
}

TEST_F(OptionsTest, ACoreThatIsNotThereIsRefusedNamingTheThread) {
  for (const int bad : {std::numeric_limits<int>::max(), 1'023, 1'024}) {
    for (const std::string thread : {"pawl-loop", "pawl-sync"}) {
      SCOPED_TRACE(thread + std::to_string(bad));
      const TestDirectory directory;
      EngineOptions options = directory.Options();
      (thread == "pawl-loop" ? options.loop_core : options.disk_core) = bad;
      const absl::Status refused = Engine::Open(options, Aggregates<Account>{}).status();
      EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
      EXPECT_NE(std::string(refused.message()).find(thread), std::string::npos) << refused;
      Open(directory.Options());  // no thread of the first one is left
      engine_.reset();
    }
  }
}

// An aggregate whose category has so many bytes.
template <std::size_t kBytes>
struct Named {
  using Commands = pawl::Commands<Look>;
  using Events = pawl::Events<Deposited>;
  static constexpr std::array<char, 65> kLetters = [] {
    std::array<char, 65> letters{};
    letters.fill('c');
    return letters;
  }();
  static constexpr std::string_view kCategory{kLetters.data(), kBytes};
  struct State {};
  static Verdict Decide(const State&, const Look&, Emit<Named>&) noexcept { return Accept(); }
  static void Evolve(State&, const Deposited&) noexcept {}
};

TEST_F(OptionsTest, ACategoryHasOneTo64Bytes) {
  const EngineOptions options = directory_.Options(Threads::kHostAll);
  for (const absl::Status& refused : {Engine::Open(options, Aggregates<Named<0>>{}).status(),
                                      Engine::Open(options, Aggregates<Named<65>>{}).status()}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << refused;
    EXPECT_NE(std::string(refused.message()).find("kCategory"), std::string::npos) << refused;
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.log())) << "a mistake made a log";
  for (int life = 0; life < 2; ++life) {  // made, and found again
    const absl::Status opened = Engine::Open(options, Aggregates<Named<64>, Named<1>>{}).status();
    EXPECT_TRUE(opened.ok()) << opened;
  }
}

// At the other end of what is allowed: the engine opens, answers, and ends.
TEST_F(OptionsTest, TheSmallestAndTheLongestWork) {
  const std::vector<Row> rows{
      {"streams_max", "1", [](EngineOptions& o) { o.streams_max = 1; }},
      {"sessions_max", "1", [](EngineOptions& o) { o.sessions_max = 1; }},
      {"session_window", "1", [](EngineOptions& o) { o.session_window = 1; }},
      {"keys_max", "1", [](EngineOptions& o) { o.keys_max = 1; }},
      {"receipts_max", "2^36", [](EngineOptions& o) { o.receipts_max = std::uint64_t{1} << 36; }},
      {"key_window", "0", [](EngineOptions& o) { o.key_window = 0ns; }},
      {"key_window", "max",
       [](EngineOptions& o) { o.key_window = std::chrono::nanoseconds::max(); }},
      {"producers_max", "1", [](EngineOptions& o) { o.producers_max = 1; }},
      {"command_bytes_max", "64", [](EngineOptions& o) { o.command_bytes_max = 64; }},
      {"segments_ahead", "256", [](EngineOptions& o) { o.segments_ahead = 256; }},
      {"readers_max", "65,536", [](EngineOptions& o) { o.readers_max = 65'536; }},
      {"agents_max", "0", [](EngineOptions& o) { o.agents_max = 0; }},
      {"readers_max", "0", [](EngineOptions& o) { o.readers_max = 0; }},
      {"scrub_bytes_per_second", "0", [](EngineOptions& o) { o.scrub_bytes_per_second = 0; }},
      {"scrub_bytes_per_second", "1", [](EngineOptions& o) { o.scrub_bytes_per_second = 1; }},
      {"scrub_bytes_per_second", "max",
       [](EngineOptions& o) { o.scrub_bytes_per_second = kMax64; }},
      {"decide_budget_ns", "0", [](EngineOptions& o) { o.decide_budget_ns = 0; }},
      {"decide_budget_ns", "max", [](EngineOptions& o) { o.decide_budget_ns = kMax64; }},
      {"stall_after", "0", [](EngineOptions& o) { o.stall_after = 0ns; }},
      {"stall_after", "1 ns", [](EngineOptions& o) { o.stall_after = 1ns; }},
      {"stall_after", "max",
       [](EngineOptions& o) { o.stall_after = std::chrono::nanoseconds::max(); }},
      {"stats, guard", "false",
       [](EngineOptions& o) {
         o.stats = false;
         o.guard = false;
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.option + " = " + row.value);
    const TestDirectory directory;
    EngineOptions options = directory.Options();
    row.change(options);
    for (std::uint64_t life = 1; life <= 2; ++life) {
      Open(options);
      if (engine_ == nullptr) break;
      {
        Producer teller = NewProducer("teller");
        for (std::uint64_t i = 1; i <= 3; ++i) {
          const auto receipt =
              teller.Execute<Account>(Key(1), Deposit{1}, {.idempotency_key = Key(life, i)});
          ASSERT_TRUE(receipt.ok()) << receipt.status();
          EXPECT_FALSE(receipt->is_duplicate);
          EXPECT_EQ(receipt->version, Version(3 * (life - 1) + i));
        }
        EXPECT_EQ(teller.last_sequence(), Sequence(3 * life));
      }
      EXPECT_TRUE(engine_->Stop().ok());
      engine_.reset();
    }
  }
}

// Added to where the log is, the largest number went around: nothing was decided any more once the
// log was longer than two commits.
TEST_F(OptionsTest, TheMostUndurableBytesAreSoManyForAnyLog) {
  EngineOptions options = directory_.Options(Threads::kHostAll);
  options.undurable_bytes_max = kUndurableMost;
  Open(options);
  Producer producer = NewProducer();
  const std::vector<Addressed<Deposit>> batch(256, {Key(1), {1}});
  for (int i = 0; i < 200; ++i) {
    const auto sent =
        producer.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(batch), kQuick);
    ASSERT_EQ(sent.count, batch.size()) << ToString(sent.fault);
    for (const Completion& c : Collect(producer, batch.size())) {
      ASSERT_TRUE(c.verdict.is_accepted());
    }
  }
  EXPECT_GT(engine_->log().durable().value(), std::uint64_t{2} << 20);
}

class DirectoriesTest : public OptionsTest {
 protected:
  absl::Status Try(const EngineOptions& options) {
    auto opened = Engine::Open(options, Aggregates<Account>{});
    return opened.ok() ? (*opened)->Stop() : opened.status();
  }
};

TEST_F(DirectoriesTest, NamesThatNoDirectoryCanHaveAreRefusedByName) {
  std::string long_path = directory_.root();
  while (long_path.size() < 5'000) long_path += "/" + std::string(100, 'd');
  for (const std::string& bad :
       {directory_.root() + "/" + std::string(256, 'd'), long_path, std::string("/dev/null"),
        std::string("/dev/null/log"), directory_.root() + std::string("/nul\0byte", 9)}) {
    SCOPED_TRACE(bad.substr(0, 100));
    for (const bool is_hot : {false, true}) {
      const TestDirectory directory;
      EngineOptions options = directory.Options();
      (is_hot ? options.hot_directory : options.directory) = bad;
      const absl::Status refused = Try(options);
      // Images that cannot be there are beside the segments, with a notice.
      if (is_hot && refused.ok()) continue;
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
      EXPECT_NE(refused.message().find(bad.substr(0, bad.find('\0'))), std::string::npos)
          << refused;
    }
  }
}

TEST_F(DirectoriesTest, OneDirectoryMayBeBoth) {
  for (const std::string& hot : {directory_.log(), directory_.log() + "/hot"}) {
    EngineOptions options = directory_.Options();
    options.hot_directory = hot;
    for (std::int64_t life = 1; life <= 2; ++life) {
      Open(options);
      ASSERT_TRUE(NewProducer().Execute<Account>(Key(1), Deposit{1}).ok());
      EXPECT_EQ(Balances()[0].second, life);
      engine_.reset();
    }
    std::filesystem::remove_all(directory_.log());
  }
}

TEST_F(DirectoriesTest, OfSeveralWhoOpenAtOnceOneGetsTheLog) {
  for (int round = 0; round < 5; ++round) {
    std::array<absl::StatusOr<std::unique_ptr<Engine>>, 4> opened;
    {
      std::vector<std::thread> threads;
      for (auto& each : opened) {
        threads.emplace_back(
            [this, &each] { each = Engine::Open(directory_.Options(), Aggregates<Account>{}); });
      }
      for (std::thread& thread : threads) thread.join();
    }
    int winners = 0;
    for (auto& each : opened) {
      winners += each.ok() ? 1 : 0;
      if (!each.ok()) {
        EXPECT_EQ(each.status().code(), absl::StatusCode::kFailedPrecondition) << each.status();
        continue;
      }
      auto producer = (*each)->NewProducer();
      EXPECT_TRUE(producer.ok() && producer->Execute<Account>(Key(1), Deposit{1}).ok());
    }
    EXPECT_EQ(winners, 1);
  }
  Open();
  EXPECT_EQ(Balances().at(0).second, 5);
}

using CallsTest = BankTest;

// Ack has no value 0, but `{.ack = {}}` and a number from elsewhere have.
TEST_F(CallsTest, AnAckThatIsNoneIsDurable) {
  Open();
  Producer teller = NewProducer("teller");
  for (const int bad : {0, 3, 4, 255}) {
    SCOPED_TRACE(bad);
    const SubmitOptions options{.ack = static_cast<Ack>(bad)};
    const auto receipt = teller.Execute<Account>(Key(1), Deposit{1}, options);
    ASSERT_TRUE(receipt.ok()) << receipt.status();
    EXPECT_EQ(receipt->level, Ack::kDurable);
    EXPECT_TRUE(engine_->Confirm(*receipt).value().is_durable);
  }
}

TEST_F(CallsTest, TimesBelowZeroAreZero) {
  for (const Threads threads : {Threads::kOwn, Threads::kHost}) {
    const TestDirectory directory;
    EngineOptions options = directory.Options(threads);
    options.session_window = 1;
    Open(options);
    for (const auto negative : {-1ns, std::chrono::nanoseconds::min()}) {
      for (const WhenFull when_full : {WhenFull::kFail, WhenFull::kSpin, WhenFull::kPark}) {
        auto made = engine_->NewProducer({.when_full = when_full, .full_timeout = negative});
        ASSERT_TRUE(made.ok()) << made.status();
        Producer& producer = *made;
        producer.Wait(negative);  // nothing is under way, and nobody rings
        ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
        EXPECT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
        producer.Wait(negative);
        EXPECT_GE(engine_->Poll(negative), 0);
        Collect(producer, 1);
        const auto late = producer.Execute<Account>(Key(1), Deposit{1}, {}, negative);
        if (!late.ok()) {
          EXPECT_EQ(late.status().code(), absl::StatusCode::kDeadlineExceeded) << late.status();
          Collect(producer, 1);
        }
      }
    }
    EXPECT_EQ(engine_->CloseIdleSessions(-1ns).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(engine_->CloseIdleSessions(std::chrono::nanoseconds::max()).value_or(77), 0U);
    engine_.reset();
  }
}

TEST_F(CallsTest, NothingIsSentByABatchOfNothingAndNothingPolledByAPollOfNone) {
  Open();
  Producer teller = NewProducer("teller");
  const SentBatch none = teller.SubmitBatch<Account>(std::span<const Addressed<Deposit>>());
  EXPECT_EQ(none.count, 0U);
  EXPECT_EQ(none.fault, SendFault::kNone);
  const SentBatch written = teller.SubmitBatch<Account, Deposit>(
      0, [](std::uint32_t, Key&, Deposit&) noexcept { ADD_FAILURE(); });
  EXPECT_EQ(written.count, 0U);
  EXPECT_EQ(written.fault, SendFault::kNone);
  EXPECT_EQ(teller.last_sequence(), Sequence());
  ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kQuick));
  teller.Wait(1min);
  EXPECT_EQ(teller.Poll([](const Completion&) noexcept { ADD_FAILURE(); }, 0), 0U);
  EXPECT_EQ(teller.PollRanges([](const CompletionRange&) noexcept { ADD_FAILURE(); }, 0), 0U);
  EXPECT_EQ(Collect(teller, 1).size(), 1U);
}

// Read before a command to it, and about it: as if there were nothing.
TEST_F(CallsTest, WhatTheEngineWasOpenedWithoutIsAMistake) {
  Open();
  Producer teller = NewProducer("teller");
  EXPECT_EQ(engine_->NewHistory<Probe>(Key(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->NewEventReader<Probe>().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->FindLives<Probe>(Key(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->StateHash<Probe>().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->VisitAggregates<Probe>([](const Key&, Version, const auto&) {}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->NewHistory<Account>(Key()).status().code(), absl::StatusCode::kNotFound);
  const std::array without{ConditionOn<Probe>(Key(1), NoStream())};
  const std::array zero{ConditionOn<Account>(Key(), NoStream())};
  for (const auto& others : {without, zero}) {
    EXPECT_EQ(teller.Submit<Account>(Key(1), Deposit{1}, {.others = others}).fault(),
              SendFault::kNotInEngine);
  }
}

TEST_F(CallsTest, AnAgentThatIsNoneIsRefused) {
  Open();
  EXPECT_EQ(engine_->Attach(nullptr).code(), absl::StatusCode::kInvalidArgument);
  engine_->Detach(nullptr);
}

// The engine has threads of its own: the host's Poll has nothing to run.
TEST_F(CallsTest, PollOfAnEngineWithThreadsOfItsOwnDoesNothing) {
  Open();
  Producer teller = NewProducer("teller");
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kQuick));
    EXPECT_EQ(engine_->Poll(), 0);
    Collect(teller, 1);
  }
  EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
}

TEST_F(CallsTest, StopFromWithinAPollAnswersTheRest) {
  for (const Threads threads : {Threads::kOwn, Threads::kHost, Threads::kHostAll}) {
    const TestDirectory directory;
    Open(directory.Options(threads));
    {
      Producer teller = NewProducer("teller");
      for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kQuick));
      }
      std::size_t answers = 0;
      ASSERT_TRUE(Await([&] {
        if (threads != Threads::kOwn) engine_->Poll();
        answers +=
            teller.Poll([&](const Completion&) noexcept { EXPECT_TRUE(engine_->Stop().ok()); });
        return answers == 10;
      }));
      EXPECT_EQ(teller.in_flight(), 0U);
    }
    engine_.reset();
  }
}

// A name is bytes: neither a text nor a C string, also after a restart.
TEST_F(CallsTest, SessionsNamesMayHoldAnyBytes) {
  const std::vector<std::string> names{std::string("a\0b", 3), "a",          std::string("a\0c", 3),
                                       std::string(1, '\0'),   "\xFF\xFE\n", " "};
  for (std::uint32_t life = 1; life <= 3; ++life) {
    Open();
    for (std::size_t i = 0; i < names.size(); ++i) {
      Producer teller = NewProducer(names[i]);
      EXPECT_EQ(teller.generation(), life);
      EXPECT_EQ(teller.last_sequence(), Sequence(i * (life - 1)));
      for (std::size_t n = 0; n < i; ++n) {
        ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
      }
    }
    engine_.reset();
  }
  Open();
  EXPECT_TRUE(engine_->CloseSession(names[0]).ok());
  EXPECT_EQ(engine_->CloseSession(names[0]).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(engine_->CloseSession("a").ok());
  EXPECT_EQ(engine_->CloseSession("").code(), absl::StatusCode::kNotFound);
}

TEST_F(CallsTest, AHandleThatIsAssignedOverLeavesItsCommandsExecuted) {
  Open();
  Producer teller = NewProducer("teller");
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(teller.Submit<Account>(Key(1), Deposit{1}, kQuick));
  teller = NewProducer("another");
  EXPECT_EQ(teller.in_flight(), 0U);
  ASSERT_TRUE(teller.Execute<Account>(Key(2), Deposit{1}).ok());
  ASSERT_TRUE(Await([&] { return Balances().at(0).second == 100; }));
}

// The same key with another body, in the next life.
TEST_F(CallsTest, AKeyIsReusedAlsoAfterARestart) {
  Open();
  const SubmitOptions keyed{.idempotency_key = Key(7, 7)};
  ASSERT_TRUE(NewProducer("teller").Execute<Account>(Key(1), Deposit{5}, keyed).ok());
  for (int life = 0; life < 2; ++life) {
    Reopen();
    Producer teller = NewProducer("another");
    EXPECT_EQ(teller.Execute<Account>(Key(1), Deposit{6}, keyed).status().code(),
              absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(teller.Execute<Account>(Key(2), Deposit{5}, keyed).status().code(),
              absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(teller.Execute<Account>(Key(1), Withdraw{5}, keyed).status().code(),
              absl::StatusCode::kAlreadyExists);
    const auto first = teller.Execute<Account>(Key(1), Deposit{5}, keyed);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(first->is_duplicate);
    EXPECT_EQ(Balances().size(), 1U);
    EXPECT_EQ(Balances()[0].second, 5);
  }
}

TEST_F(CallsTest, TwoStopsAtOnceBothEnd) {
  Open();
  Producer teller = NewProducer("teller");
  std::array<std::thread, 4> stops;
  for (std::thread& each : stops) {
    each = std::thread([this] { EXPECT_TRUE(engine_->Stop().ok()); });
  }
  for (std::thread& each : stops) each.join();
  EXPECT_EQ(teller.Submit<Account>(Key(1), Deposit{1}).fault(), SendFault::kUnavailable);
}

TEST_F(CallsTest, ColdCallsBehindAStopAreUnavailable) {
  for (const Threads threads : {Threads::kOwn, Threads::kHost, Threads::kHostAll}) {
    const TestDirectory directory;
    Open(directory.Options(threads));
    {
      Producer teller = NewProducer("teller");
      ASSERT_TRUE(teller.Execute<Account>(Key(1), Deposit{1}).ok());
      ASSERT_TRUE(engine_->Stop().ok());
      EXPECT_EQ(engine_->Poll(), 0);
      const auto expect_unavailable = [](const absl::Status& status) {
        EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      };
      expect_unavailable(engine_->NewProducer().status());
      expect_unavailable(engine_->CloseSession("teller"));
      expect_unavailable(teller.CloseSession());
      expect_unavailable(engine_->CloseIdleSessions(0s).status());
      // What is read of a stopped engine is there still.
      EXPECT_TRUE(engine_->NewHistory<Account>(Key(1)).ok());
      EXPECT_TRUE(engine_->FindSlowDecides().ok());
      EXPECT_TRUE(engine_->StateHash().ok());
      EXPECT_EQ(Balances().size(), 1U);
      EXPECT_TRUE(engine_->Stats().is_stopped);
      EXPECT_EQ(engine_->NextTimer(), std::chrono::nanoseconds::max());
    }
    engine_.reset();
  }
}

}  // namespace
}  // namespace pawl
