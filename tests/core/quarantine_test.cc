// An input that ends the process does not do so for ever.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "death_list.h"
#include "fuse_aggregate.h"
#include "replay.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

class QuarantineTest : public ::testing::Test {
 protected:
  using Life = std::function<void(Engine&)>;

  void SetUp() override {
    options_ = directory_.Options(Threads::kHost);
    options_.on_notice = [this](std::string_view text) { notices_ += std::string(text) + "\n"; };
  }
  void TearDown() override {
    fuse_switches = {};
    engine_.reset();
  }

  void Open() {
    engine_.reset();
    notices_.clear();
    auto opened = Engine::Open(options_, Aggregates<Fuse>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  // Another process opens the log and lives on as told.
  //   returns   the signal that ended it; 0: it ended by itself, without closing anything
  int LiveAndDie(const Life& live) {
    engine_.reset();
    const pid_t child = ::fork();
    EXPECT_GE(child, 0);
    if (child == 0) {
      auto opened = Engine::Open(options_, Aggregates<Fuse>{});
      if (!opened.ok()) ::_exit(2);
      live(**opened);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_FALSE(WIFEXITED(status)) << "the log did not open";
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  template <class C>
  static absl::StatusOr<Receipt> Run(Engine& engine, std::string_view session, std::uint64_t key,
                                     const C& command, const SubmitOptions& options = kQuick) {
    auto producer = engine.NewProducer({.session = std::string(session)});
    if (!producer.ok()) return producer.status();
    return producer->Execute<Fuse>(Key(key), command, options);
  }
  // The command, sent by a process that dies of it.
  template <class C>
  void DieOf(std::string_view session, std::uint64_t key, const C& command,
             const SubmitOptions& options = kQuick) {
    fuse_switches.decide_kills = true;
    fuse_switches.evolve_kills = std::is_same_v<C, Smoulder>;
    EXPECT_EQ(LiveAndDie([&](Engine& engine) {
                static_cast<void>(Run(engine, session, key, command, options).ok());
              }),
              SIGABRT);
    fuse_switches = {};
  }
  template <class C>
  Verdict VerdictOf(std::string_view session, std::uint64_t key, const C& command,
                    const SubmitOptions& options = kQuick) {
    auto producer = engine_->NewProducer({.session = std::string(session)});
    EXPECT_TRUE(producer.ok()) << producer.status();
    EXPECT_TRUE(producer->Submit<Fuse>(Key(key), command, options));
    Verdict verdict(VerdictKind::kUnknown, 0);
    EXPECT_TRUE(Await([&] {
      engine_->Poll();
      return producer->Poll([&verdict](const Completion& c) noexcept { verdict = c.verdict; }) > 0;
    }));
    return verdict;
  }
  std::string FlightPath() const { return options_.hot_directory + "/flight"; }
  std::string ListPath() const { return options_.directory + "/quarantine"; }
  static std::string Content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void Put(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }

  const TestDirectory directory_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  std::string notices_;
};

TEST_F(QuarantineTest, WhatEndedTheProcessTwiceIsAnsweredAndTheThirdOpenWorks) {
  options_.threads = Threads::kOwn;
  ASSERT_EQ(
      LiveAndDie([](Engine& engine) { EXPECT_TRUE(Run(engine, "teller", 5, Light{3}).ok()); }),
      SIGKILL);
  DieOf("teller", 5, Blow{1});
  DieOf("teller", 5, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << notices_;
  const QuarantinedInput& input = engine_->Quarantined()[0];
  EXPECT_EQ(input.category, "fuse");
  EXPECT_NE(input.command.find("Blow"), std::string::npos) << input.command;
  EXPECT_EQ(input.key, Key(5));
  EXPECT_EQ(input.session, "teller");
  EXPECT_EQ(input.sequence, Sequence(2));
  EXPECT_EQ(input.deaths, 2U);
  EXPECT_NE(notices_.find("sequence 2 of session"), std::string::npos) << notices_;
  fuse_switches.decide_kills = true;  // were it decided, this process would end
  const auto refused = Run(*engine_, "teller", 5, Blow{1});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_NE(std::string(refused.status().message()).find("quarantine"), std::string::npos);
  EXPECT_EQ(engine_->Stats().outcomes[static_cast<std::size_t>(VerdictKind::kQuarantined)], 1U);

  // It stays so, until the session has gone past it.
  Open();
  EXPECT_EQ(VerdictOf("teller", 5, Blow{1}).kind(), VerdictKind::kQuarantined);
  {
    auto teller = engine_->NewProducer({.session = "teller"});
    ASSERT_TRUE(teller.ok());
    EXPECT_EQ(teller->Execute<Fuse>(Key(5), Light{4}, kQuick).value().version, Version(2));
  }
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
}

TEST_F(QuarantineTest, WithoutASessionItIsKnownByItsBytes) {
  DieOf("", 5, Blow{1});
  DieOf("", 5, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  EXPECT_EQ(engine_->Quarantined()[0].session, "");
  EXPECT_EQ(VerdictOf("", 5, Blow{1}).kind(), VerdictKind::kQuarantined);
  EXPECT_EQ(VerdictOf("", 5, Blow{1}, {.ack = Ack::kPublished, .condition = NoStream()}).kind(),
            VerdictKind::kQuarantined);
  // Other bytes, another key, another type, a producer with a session: those are others.
  EXPECT_TRUE(VerdictOf("", 5, Blow{2}).is_accepted());
  EXPECT_TRUE(VerdictOf("", 6, Blow{1}).is_accepted());
  EXPECT_TRUE(VerdictOf("", 5, Light{1}).is_accepted());
  EXPECT_TRUE(VerdictOf("teller", 5, Blow{1}).is_accepted());
  EXPECT_EQ(VerdictOf("", 5, Blow{1}).kind(), VerdictKind::kQuarantined);
}

TEST_F(QuarantineTest, AmongOthersOfOneTurn) {
  DieOf("", 5, Blow{1});
  DieOf("", 5, Blow{1});
  Open();
  auto producer = engine_->NewProducer();
  ASSERT_TRUE(producer.ok());
  for (std::uint64_t i = 0; i < 9; ++i) {
    ASSERT_TRUE(producer->Submit<Fuse>(Key(5), Blow{i % 3}, kQuick));
  }
  std::vector<bool> accepted;
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    producer->Poll(
        [&accepted](const Completion& c) noexcept { accepted.push_back(c.verdict.is_accepted()); });
    return accepted.size() == 9;
  }));
  EXPECT_EQ(accepted, (std::vector<bool>{true, false, true, true, false, true, true, false, true}));
}

TEST_F(QuarantineTest, LargeCommandsAndThoseWithConditions) {
  BlowLarge large{};
  large.tags[24] = 1;
  BlowLarge other = large;
  other.tags[24] = 2;
  const std::array on_other{ConditionOn<Fuse>(Key(9), NoStream())};
  const SubmitOptions with_conditions{.ack = Ack::kPublished, .others = on_other};
  for (int i = 0; i < 2; ++i) {
    DieOf("", 1, large);
    DieOf("", 2, Blow{2}, with_conditions);
    DieOf("", 3, large, with_conditions);
    DieOf("teller", 4, Blow{3}, with_conditions);
  }
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 4U);
  EXPECT_EQ(VerdictOf("", 1, large).kind(), VerdictKind::kQuarantined);
  EXPECT_TRUE(VerdictOf("", 1, other).is_accepted());
  EXPECT_EQ(VerdictOf("", 2, Blow{2}).kind(), VerdictKind::kQuarantined);
  EXPECT_EQ(VerdictOf("", 2, Blow{2}, with_conditions).kind(), VerdictKind::kQuarantined);
  EXPECT_EQ(VerdictOf("", 3, large).kind(), VerdictKind::kQuarantined);
  EXPECT_TRUE(VerdictOf("", 4, Blow{3}).is_accepted());
  EXPECT_EQ(VerdictOf("teller", 4, Blow{3}).kind(), VerdictKind::kQuarantined);
}

TEST_F(QuarantineTest, AnEvolveThatEndsTheProcessIsItsCommandsFault) {
  DieOf("", 1, Smoulder{1});
  DieOf("", 1, Smoulder{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  fuse_switches.evolve_kills = true;
  EXPECT_EQ(VerdictOf("", 1, Smoulder{1}).kind(), VerdictKind::kQuarantined);
}

TEST_F(QuarantineTest, WhatEndedTheProcessOnceRunsAgain) {
  DieOf("teller", 1, Blow{1});
  DieOf("", 1, Blow{1});
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_NE(notices_.find("for the time number 1"), std::string::npos) << notices_;
  EXPECT_TRUE(std::filesystem::exists(ListPath()));
  EXPECT_TRUE(VerdictOf("teller", 1, Blow{1}).is_accepted());
  EXPECT_TRUE(VerdictOf("", 1, Blow{1}).is_accepted());
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_FALSE(std::filesystem::exists(ListPath())) << "both survived";
  // What survived begins anew.
  DieOf("", 1, Blow{1});
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
}

// The process that decided it well was killed, and could write nothing down.
TEST_F(QuarantineTest, SurvivingIsRememberedOverAKill) {
  DieOf("", 1, Blow{1});
  ASSERT_EQ(LiveAndDie([](Engine& engine) { EXPECT_TRUE(Run(engine, "", 1, Blow{1}).ok()); }),
            SIGKILL);
  DieOf("", 1, Blow{1});
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
}

TEST_F(QuarantineTest, AnotherOneInBetweenChangesNothing) {
  DieOf("", 1, Blow{1});
  DieOf("", 1, Blow{2});
  ASSERT_EQ(LiveAndDie([](Engine& engine) { EXPECT_TRUE(Run(engine, "", 1, Light{2}).ok()); }),
            SIGKILL);
  DieOf("", 1, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  EXPECT_EQ(VerdictOf("", 1, Blow{1}).kind(), VerdictKind::kQuarantined);
  EXPECT_TRUE(VerdictOf("", 1, Blow{2}).is_accepted());
}

TEST_F(QuarantineTest, AProcessThatEndsElsewhereBlamesNoInput) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(LiveAndDie([](Engine& engine) {
                EXPECT_TRUE(Run(engine, "teller", 1, Light{2}).ok());
                EXPECT_TRUE(Run(engine, "", 1, Light{2}).ok());
              }),
              SIGKILL);
  }
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_EQ(notices_.find("ended the process"), std::string::npos) << notices_;
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
}

// Who is killed from outside while it decides looks like one who died of it.
TEST_F(QuarantineTest, AKillFromOutsideInTheMiddleOfADecideCountsToo) {
  for (int i = 0; i < 2; ++i) {
    std::array<int, 2> told{};
    ASSERT_EQ(::pipe(told.data()), 0);
    fuse_switches = {.decide_hangs = true, .told_fd = told[1]};
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto opened = Engine::Open(options_, Aggregates<Fuse>{});
      if (opened.ok()) static_cast<void>(Run(**opened, "", 1, Blow{1}).ok());
      ::_exit(1);
    }
    ::close(told[1]);
    char byte = 0;
    ASSERT_EQ(::read(told[0], &byte, 1), 1);
    ::close(told[0]);
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  fuse_switches = {};
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 1U);
}

// A key is beside the command, not part of it.
TEST_F(QuarantineTest, CommandsWithAnIdempotencyKey) {
  const SubmitOptions with_key{.ack = Ack::kPublished, .idempotency_key = Key(77)};
  for (int i = 0; i < 2; ++i) {
    DieOf("", 1, Blow{1}, with_key);
    DieOf("teller", 2, Blow{2}, with_key);
  }
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 2U) << notices_;
  EXPECT_EQ(VerdictOf("", 1, Blow{1}, with_key).kind(), VerdictKind::kQuarantined);
  EXPECT_EQ(VerdictOf("", 1, Blow{1}).kind(), VerdictKind::kQuarantined);
  EXPECT_EQ(VerdictOf("teller", 2, Blow{2}, with_key).kind(), VerdictKind::kQuarantined);
}

// Who is answered by what was executed under the key was not decided, and survived nothing.
TEST_F(QuarantineTest, AnAnswerByAnIdempotencyKeyIsNoSurvival) {
  const auto with_key = [](std::uint64_t key) {
    return SubmitOptions{.ack = Ack::kPublished, .idempotency_key = Key(key)};
  };
  ASSERT_EQ(LiveAndDie([&](Engine& engine) {
              EXPECT_TRUE(Run(engine, "", 1, Blow{1}, with_key(77)).ok());
              EXPECT_TRUE(Run(engine, "", 1, Light{1}, with_key(78)).ok());
            }),
            SIGKILL);
  DieOf("", 1, Blow{1}, with_key(79));
  ASSERT_EQ(
      LiveAndDie([&](Engine& engine) {
        EXPECT_TRUE(Run(engine, "", 1, Blow{1}, with_key(77)).value().is_duplicate);
        EXPECT_TRUE(absl::IsAlreadyExists(Run(engine, "", 1, Blow{1}, with_key(78)).status()));
      }),
      SIGKILL);
  DieOf("", 1, Blow{1}, with_key(79));
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 1U) << notices_;
}

// A tool, say, that knows other aggregates: it evolves and fires nothing of this one.
TEST_F(QuarantineTest, WhoOpensTheLogWithoutTheAggregateForgetsNothingOfIt) {
  const auto open_without = [&] {
    engine_.reset();
    auto opened = Engine::Open(options_, Aggregates<Account>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
  };
  const Life burn = [](Engine& engine) {
    static_cast<void>(Run(engine, "", 5, SetFuse{1}).ok());
    while (engine.Poll(kWholeTurns) != 0) {
    }
  };
  fuse_switches.decide_kills = true;
  ASSERT_EQ(LiveAndDie(burn), SIGABRT);
  ASSERT_EQ(LiveAndDie(burn), SIGABRT);
  fuse_switches = {};
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << notices_;
  ASSERT_TRUE(Run(*engine_, "", 1, Smoulder{1}).ok());
  open_without();
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << "the timer";
  fuse_switches.evolve_kills = true;
  ASSERT_EQ(LiveAndDie([](Engine&) {}), SIGABRT);
  open_without();
  ASSERT_EQ(LiveAndDie([](Engine&) {}), SIGABRT);
  fuse_switches = {};
  EXPECT_TRUE(absl::IsFailedPrecondition(Engine::Open(options_, Aggregates<Fuse>{}).status()));
  options_.forget_deaths = true;
  Open();
  options_.forget_deaths = false;
}

// Each lane has its own sequences, and a closed session's number goes to another one.
TEST_F(QuarantineTest, OtherLanesAndLaterSessionsAreOthers) {
  DieOf("teller", 5, Blow{1});
  DieOf("teller", 5, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  {
    auto bulk = engine_->NewProducer({.session = "teller", .lane = SessionLane::kBulk});
    ASSERT_TRUE(bulk.ok()) << bulk.status();
    EXPECT_TRUE(bulk->Execute<Fuse>(Key(5), Blow{1}, kQuick).ok());
  }
  EXPECT_EQ(VerdictOf("teller", 5, Blow{1}).kind(), VerdictKind::kQuarantined);
  EXPECT_TRUE(VerdictOf("teller", 5, Blow{1}).is_accepted()) << "the next one is another one";
  ASSERT_TRUE(engine_->CloseSession("teller").ok());
  EXPECT_TRUE(VerdictOf("another", 5, Blow{1}).is_accepted());
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
}

// The number of a closed session goes to another one, whose first command is like the other's.
TEST_F(QuarantineTest, ALaterSessionsDeathsAreCountedFromOne) {
  DieOf("teller", 5, Blow{1});
  DieOf("teller", 5, Blow{1});
  fuse_switches.decide_kills = true;
  EXPECT_EQ(LiveAndDie([&](Engine& engine) {
              EXPECT_EQ(engine.Quarantined().size(), 1U);
              EXPECT_TRUE(engine.CloseSession("teller").ok());
              static_cast<void>(Run(engine, "another", 5, Blow{1}).ok());
            }),
            SIGABRT);
  fuse_switches = {};
  EXPECT_EQ(LiveAndDie([](Engine& engine) { EXPECT_TRUE(engine.Quarantined().empty()); }), SIGKILL);
  DieOf("another", 5, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << notices_;
  EXPECT_EQ(engine_->Quarantined()[0].session, "another");
  EXPECT_EQ(engine_->Quarantined()[0].deaths, 2U);
}

TEST_F(QuarantineTest, ATimerThatEndedTheProcessTwiceFiresNoMore) {
  const Life burn = [](Engine& engine) {
    static_cast<void>(Run(engine, "", 5, SetFuse{1}).ok());
    static_cast<void>(Run(engine, "", 5, SetFuse{2}).ok());
    while (engine.Poll(kWholeTurns) != 0) {
    }
  };
  const Life wait = [](Engine& engine) {
    while (engine.Poll(kWholeTurns) != 0) {
    }
  };
  fuse_switches.decide_kills = true;
  ASSERT_EQ(LiveAndDie(burn), SIGABRT);
  // Once: it is tried again.
  ASSERT_EQ(LiveAndDie(wait), SIGABRT);
  // Twice: it is held back, and others fire.
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << notices_;
  const QuarantinedInput& input = engine_->Quarantined()[0];
  EXPECT_EQ(input.category, "fuse");
  EXPECT_NE(input.command.find("BurntDown"), std::string::npos) << input.command;
  EXPECT_EQ(input.key, Key(5));
  EXPECT_NE(input.timer_set, Position());
  EXPECT_EQ(input.deaths, 2U);
  EXPECT_NE(notices_.find("the timer that was set at position"), std::string::npos) << notices_;
  ASSERT_TRUE(Run(*engine_, "", 5, SetFuse{3}).ok());
  wait(*engine_);
  EXPECT_EQ(engine_->Stats().timers.live, 1U);
  // It stays so until the handler is mended.
  Open();
  wait(*engine_);
  EXPECT_EQ(engine_->Stats().timers.live, 1U);
  fuse_switches = {};
  options_.forget_deaths = true;
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  wait(*engine_);
  EXPECT_EQ(engine_->Stats().timers.live, 0U);
  options_.forget_deaths = false;
}

TEST_F(QuarantineTest, AQuarantinedTimerCanBeSetAgain) {
  const Life burn = [](Engine& engine) {
    static_cast<void>(Run(engine, "", 5, SetFuse{1}).ok());
    while (engine.Poll(kWholeTurns) != 0) {
    }
  };
  fuse_switches.decide_kills = true;
  ASSERT_EQ(LiveAndDie(burn), SIGABRT);
  ASSERT_EQ(LiveAndDie([](Engine& engine) {
              while (engine.Poll(kWholeTurns) != 0) {
              }
            }),
            SIGABRT);
  fuse_switches = {};
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U) << notices_;
  burn(*engine_);
  EXPECT_EQ(engine_->Stats().timers.live, 0U);
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
}

TEST_F(QuarantineTest, AnEventThatEndsTheProcessTwiceIsNamedByOpen) {
  Open();
  ASSERT_TRUE(Run(*engine_, "", 1, Light{1}).ok());
  const auto receipt = Run(*engine_, "", 1, Smoulder{1});
  ASSERT_TRUE(receipt.ok());
  ASSERT_TRUE(Run(*engine_, "", 1, Light{1}).ok());
  engine_.reset();
  for (int i = 0; i < 2; ++i) {
    fuse_switches.evolve_kills = true;
    ASSERT_EQ(LiveAndDie([](Engine&) {}), SIGABRT);
    fuse_switches = {};
  }
  for (int i = 0; i < 2; ++i) {
    const auto refused = Engine::Open(options_, Aggregates<Fuse>{});
    ASSERT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
    const std::string message(refused.status().message());
    EXPECT_NE(message.find("position " + std::to_string(receipt->position.value())),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("fuse.smouldered version 1"), std::string::npos) << message;
  }
  options_.forget_deaths = true;
  Open();
  EXPECT_EQ(engine_->StateHash()->aggregates, 1U);
  options_.forget_deaths = false;
  Open();
}

TEST_F(QuarantineTest, AnEventThatEndedTheProcessOnceIsTriedAgain) {
  Open();
  ASSERT_TRUE(Run(*engine_, "", 1, Smoulder{1}).ok());
  fuse_switches.evolve_kills = true;
  ASSERT_EQ(LiveAndDie([](Engine&) {}), SIGABRT);
  fuse_switches = {};
  Open();  // evolves it, which begins it anew
  engine_.reset();
  fuse_switches.evolve_kills = true;
  ASSERT_EQ(LiveAndDie([](Engine&) {}), SIGABRT);
  fuse_switches = {};
  Open();
}

// Who is killed while a long log is read on behind an event, twice at the same place, was not
// killed by that event.
TEST_F(QuarantineTest, AnEventIsNotedOnlyWhileItIsEvolved) {
  Open();
  ASSERT_TRUE(Run(*engine_, "", 1, Light{1}).ok());
  engine_.reset();
  const auto log = Log::Open({.directory = options_.directory,
                              .hot_directory = options_.hot_directory,
                              .segment_bytes = options_.segment_bytes});
  ASSERT_TRUE(log.ok()) << log.status();
  StreamStore store(AggregateTraitsOf<Fuse>(), 10);
  StreamStore* const stores[]{&store};
  SessionTable sessions(4, 64, 256);
  KeyTable keys(16, 1);
  EpochStarts epochs;
  TypeCatalog catalog;
  Replay replay(
      {.stores = stores, .sessions = sessions, .keys = keys, .epochs = epochs, .catalog = catalog});
  static std::atomic<std::uint64_t> note;
  static std::uint64_t noted;
  fuse_switches.on_evolve = [] { noted = note.load(std::memory_order_relaxed); };
  replay.UseNote(note);
  ASSERT_TRUE(replay.Run(**log).ok());
  EXPECT_NE(noted, 0U);
  EXPECT_EQ(note.load(std::memory_order_relaxed), 0U);
}

TEST_F(QuarantineTest, ForgottenDeathsAreForgotten) {
  DieOf("", 1, Blow{1});
  DieOf("", 1, Blow{1});
  options_.forget_deaths = true;
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
  EXPECT_TRUE(VerdictOf("", 1, Blow{1}).is_accepted());
}

TEST_F(QuarantineTest, WithoutTheGuardNothingIsNotedOrRefused) {
  options_.guard = false;
  for (int i = 0; i < 3; ++i) DieOf("", 1, Blow{1});
  EXPECT_FALSE(std::filesystem::exists(FlightPath()));
  Open();
  EXPECT_TRUE(engine_->Quarantined().empty());
  EXPECT_TRUE(VerdictOf("", 1, Blow{1}).is_accepted());
}

TEST_F(QuarantineTest, AStopLeavesNoFlightFile) {
  Open();
  EXPECT_TRUE(std::filesystem::exists(FlightPath()));
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_FALSE(std::filesystem::exists(options_.hot_directory));
}

// Its directory is emptied by whoever opens the log next, as an engine or not.
TEST_F(QuarantineTest, ADeadEnginesFlightFileStaysNowhere) {
  DieOf("", 1, Blow{1});
  ASSERT_TRUE(std::filesystem::exists(FlightPath()));
  auto log = Log::Open({.directory = options_.directory,
                        .hot_directory = options_.hot_directory,
                        .segment_bytes = options_.segment_bytes});
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Close().ok());
  EXPECT_FALSE(std::filesystem::exists(options_.hot_directory));
}

// An engine had no other place for its images; the next one has.
TEST_F(QuarantineTest, WhatWasNotedInTheLogDirectoryCountsAndIsRemoved) {
  const std::string hot = options_.hot_directory;
  options_.hot_directory = options_.directory;
  DieOf("", 1, Blow{1});
  ASSERT_TRUE(std::filesystem::exists(options_.directory + "/flight"));
  options_.hot_directory = hot;
  DieOf("", 1, Blow{1});
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/flight"));
  EXPECT_FALSE(std::filesystem::exists(options_.directory + "/stats"));
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 1U) << notices_;
}

// --- files that are not what they were ---

class FlightDamageTest : public QuarantineTest {
 protected:
  void SetUp() override {
    QuarantineTest::SetUp();
    DieOf("", 1, Blow{1});
    flight_ = Content(FlightPath());
    ASSERT_GT(flight_.size(), sizeof(FlightHeader));
  }
  // What the note in such a file says.
  FlightNote NoteOf(const std::string& bytes) {
    Put(FlightPath(), bytes);
    const std::vector<const AggregateTraits*> traits = Aggregates<Fuse>::Traits();
    return FlightFile::Read(PosixStorage(), options_.hot_directory, log_id(), traits);
  }
  LogId log_id() const {
    LogId id{};
    flight_.copy(reinterpret_cast<char*>(id.data()), id.size(), 16);
    return id;
  }
  static bool IsBlank(const FlightNote& note) {
    return !note.has_command && note.replaying == Position();
  }

  std::string flight_;
};

TEST_F(FlightDamageTest, AsItWasLeftItNamesTheCommand) {
  const FlightNote note = NoteOf(flight_);
  ASSERT_TRUE(note.has_command);
  EXPECT_EQ(note.slot.key, Key(1));
  EXPECT_EQ(note.epoch, 1U);
  EXPECT_EQ(note.body.size(), sizeof(Blow));
}

TEST_F(FlightDamageTest, CutShortItSaysNothing) {
  for (std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{127}, std::size_t{128},
        sizeof(FlightHeader) - 1, sizeof(FlightHeader), flight_.size() / 2, flight_.size() - 1}) {
    EXPECT_TRUE(IsBlank(NoteOf(flight_.substr(0, bytes)))) << bytes;
  }
  EXPECT_TRUE(IsBlank(NoteOf(flight_ + '\0')));
  std::filesystem::remove(FlightPath());
  Open();
  EXPECT_FALSE(std::filesystem::exists(ListPath()));
}

// A page that was lost reads as zeros: a command of zeros is none.
TEST_F(FlightDamageTest, LostPagesSayNothing) {
  for (std::size_t at = 0; at < flight_.size(); at += 4096) {
    std::string lost = flight_;
    const std::size_t end = std::min(at + 4096, lost.size());
    std::fill(lost.begin() + static_cast<std::ptrdiff_t>(at),
              lost.begin() + static_cast<std::ptrdiff_t>(end), '\0');
    const FlightNote note = NoteOf(lost);
    EXPECT_TRUE(!note.has_command || note.slot.key == Key(1)) << at;
  }
  std::string all_but_header(flight_.size(), '\0');
  flight_.copy(all_but_header.data(), sizeof(FlightHeader));
  EXPECT_TRUE(IsBlank(NoteOf(all_but_header)));
  EXPECT_TRUE(IsBlank(NoteOf(std::string(flight_.size(), '\0'))));
}

TEST_F(FlightDamageTest, OfAnotherLogBootOrProgramItSaysNothing) {
  for (const std::size_t at : {offsetof(FlightHeader, magic), offsetof(FlightHeader, version),
                               offsetof(FlightHeader, log_id), offsetof(FlightHeader, boot_id),
                               offsetof(FlightHeader, program), offsetof(FlightHeader, bytes),
                               offsetof(FlightHeader, lanes), offsetof(FlightHeader, window),
                               offsetof(FlightHeader, parcel_bytes)}) {
    const LogId id = log_id();
    std::string changed = flight_;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    Put(FlightPath(), changed);
    const std::vector<const AggregateTraits*> traits = Aggregates<Fuse>::Traits();
    EXPECT_TRUE(IsBlank(FlightFile::Read(PosixStorage(), options_.hot_directory, id, traits)))
        << at;
  }
}

// Whatever the header says, it is read without harm, and what is named is a command of the program.
TEST_F(FlightDamageTest, GarbageHarmsNobody) {
  std::mt19937_64 random(SeedOfTest());
  int named = 0;
  for (int i = 0; i < 1'000; ++i) {
    std::string changed = flight_;
    for (std::uint64_t left = 1 + random() % 4; left != 0; --left) {
      const std::size_t at = 8 * (random() % (sizeof(FlightHeader) / 8));
      const std::uint64_t word = random() % 3 == 0 ? random() : random() % 1'000'000;
      std::memcpy(&changed[at], &word, sizeof word);
    }
    const FlightNote note = NoteOf(changed);
    if (!note.has_command) continue;
    ++named;
    EXPECT_FALSE(note.slot.key.is_zero());
    EXPECT_LT(note.slot.type, Fuse::Commands::kSize);
  }
  EXPECT_GT(named, 0) << "no change was harmless";
  Open();
}

TEST_F(FlightDamageTest, AListThatIsDamagedIsForgottenWithANotice) {
  DieOf("", 1, Blow{1});
  Open();
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  engine_.reset();
  const std::string list = Content(ListPath());
  ASSERT_EQ(list.size(), sizeof(QuarantineBlock));
  std::vector<std::string> damaged{"", "x", list.substr(0, 4095), std::string(4096, '\0')};
  for (const std::size_t at : {0U, 8U, 12U, 16U, 64U, 70U, 4095U}) {
    damaged.push_back(list);
    damaged.back()[at] = static_cast<char>(list[at] ^ 1);
  }
  for (const std::string& each : damaged) {
    Put(ListPath(), each);
    Open();
    EXPECT_TRUE(engine_->Quarantined().empty());
    EXPECT_NE(notices_.find("is forgotten"), std::string::npos) << notices_;
    engine_.reset();
  }
  Put(ListPath(), list);
  Open();
  EXPECT_EQ(engine_->Quarantined().size(), 1U);
}

TEST_F(FlightDamageTest, WhatStandsUnderTheirNamesAndIsNotOursEndsTheOpen) {
  for (const std::string& path : {FlightPath(), ListPath()}) {
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
    const auto refused = Engine::Open(options_, Aggregates<Fuse>{});
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
    EXPECT_NE(std::string(refused.status().message()).find(path), std::string::npos);
    std::filesystem::remove(path);
  }
  Open();
}

}  // namespace
}  // namespace pawl
