// Opening: what is refused, with which words, and what a reopening brings back.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"
#include "pawl/check.h"
#include "probe_aggregate.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};

// The bank's first event with another layout, and the bank without its second event.
struct WiderDeposited {
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t cents;
  std::int64_t fee;
};
template <class E>
struct Ledger {  // an aggregate of the same category with one event
  struct Write {};
  using Commands = pawl::Commands<Write>;
  using Events = pawl::Events<E>;
  static constexpr std::string_view kCategory = "account";
  struct State {};
  static Verdict Decide(const State&, const Write&, Emit<Ledger>&) noexcept { return Accept(); }
  static void Evolve(State&, const E&) noexcept {}
};

class EngineOpenTest : public BankTest {
 protected:
  static absl::Status Try(const EngineOptions& options) {
    return Engine::Open(options, Aggregates<Account>{}).status();
  }
  static void ExpectWords(const absl::Status& status, std::initializer_list<std::string> words) {
    for (const std::string& word : words) {
      EXPECT_NE(std::string(status.message()).find(word), std::string::npos)
          << "no '" << word << "' in: " << status;
    }
  }
};

TEST_F(EngineOpenTest, AMissingParentIsRefusedByName) {
  EngineOptions options = directory_.Options();
  options.directory = directory_.root() + "/no/such/parent";
  const absl::Status status = Try(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  ExpectWords(status, {directory_.root() + "/no/such", "No such file"});
}

TEST_F(EngineOpenTest, ADirectoryThatIsAFileIsRefusedByName) {
  EngineOptions options = directory_.Options();
  options.directory = directory_.root() + "/file";
  std::ofstream(options.directory) << "not a directory";
  const absl::Status status = Try(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  ExpectWords(status, {options.directory});
}

// Root may write everywhere: while this lives, root is nobody.
class Unprivileged {
 public:
  Unprivileged() {
    if (was_root_) PAWL_CHECK(::seteuid(kNobody) == 0);
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;
  ~Unprivileged() {
    if (was_root_) PAWL_CHECK(::seteuid(0) == 0);
  }

 private:
  static constexpr uid_t kNobody = 65534;
  const bool was_root_ = ::geteuid() == 0;
};

TEST_F(EngineOpenTest, ADirectoryThatIsNotWritableIsRefusedByName) {
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.root(), perms::owner_read | perms::owner_exec |
                                                      perms::others_read | perms::others_exec);
  absl::Status status;
  {
    const Unprivileged unprivileged;
    status = Try(directory_.Options());
  }
  std::filesystem::permissions(directory_.root(), perms::owner_all);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  ExpectWords(status, {directory_.log()});
}

TEST_F(EngineOpenTest, ALogOpenInThisProcessIsRefusedAndUnharmed) {
  Open();
  Producer producer = NewProducer();
  ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  const absl::Status status = Try(directory_.Options());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  ExpectWords(status, {directory_.log()});
  EXPECT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
  EXPECT_EQ(engine_->health(), EngineHealth::kOpen);
}

TEST_F(EngineOpenTest, ALogOpenInAnotherProcessIsRefusedUntilThatDies) {
  std::array<int, 2> opened{};
  ASSERT_EQ(::pipe(opened.data()), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto engine = Engine::Open(directory_.Options(), Aggregates<Account>{});
    const char is_open = engine.ok() ? 1 : 0;
    if (::write(opened[1], &is_open, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char is_open = 0;
  ASSERT_EQ(::read(opened[0], &is_open, 1), 1);
  ASSERT_EQ(is_open, 1);
  const absl::Status status = Try(directory_.Options());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  ExpectWords(status, {directory_.log(), std::to_string(child)});
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(opened[0]);
  ::close(opened[1]);
  Open();
  EXPECT_EQ(engine_->epoch(), Epoch(2));
}

TEST_F(EngineOpenTest, AChangedLayoutIsRefusedAndBothAreNamed) {
  Open();
  ASSERT_TRUE(NewProducer().Execute<Account>(Key(1), Deposit{1}, kQuick).ok());
  engine_.reset();
  const auto other =
      Engine::Open(directory_.Options(), Aggregates<Ledger<WiderDeposited>>{}).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  ExpectWords(other, {"bank.deposited", "cents:i64@0", "cents:i64@0,fee:i64@8"});
  Open();  // the refusal left the log as it was
  EXPECT_EQ(Balances()[0].second, 1);
}

TEST_F(EngineOpenTest, AnEventThatTheAggregateNoLongerListsIsRefusedByName) {
  Open();
  {
    Producer producer = NewProducer();
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{5}, kQuick).ok());
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Withdraw{1}, kQuick).ok());
  }
  engine_.reset();
  const auto other = Engine::Open(directory_.Options(), Aggregates<Ledger<Deposited>>{}).status();
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition) << other;
  ExpectWords(other, {"bank.withdrawn", "account"});
}

TEST_F(EngineOpenTest, AnAggregateThatIsNotRegisteredIsLeftAlone) {
  Open();
  ASSERT_TRUE(NewProducer().Execute<Account>(Key(1), Deposit{5}, kQuick).ok());
  engine_.reset();
  {
    auto probes = Engine::Open(directory_.Options(), Aggregates<Probe>{});
    ASSERT_TRUE(probes.ok()) << probes.status();
    auto producer = (*probes)->NewProducer();
    ASSERT_TRUE(producer->Execute<Probe>(Key(1), EmitMany{1, 1, Key(2)}, kQuick).ok());
  }
  auto both = Engine::Open(directory_.Options(), Aggregates<Probe, Account>{});
  ASSERT_TRUE(both.ok()) << both.status();
  auto producer = (*both)->NewProducer();
  EXPECT_EQ(producer->Execute<Account>(Key(1), Deposit{5}, kQuick)->version, Version(2));
  EXPECT_EQ(producer->Execute<Probe>(Key(2), EmitEmpty{}, kQuick)->version, Version(2));
}

TEST_F(EngineOpenTest, OptionsOutOfRangeAreInvalidAndLeaveNothingBehind) {
  using Change = std::function<void(EngineOptions&)>;
  const std::vector<std::pair<std::string, Change>> changes{
      {"no directory", [](EngineOptions& o) { o.directory = ""; }},
      {"streams 0", [](EngineOptions& o) { o.streams_max = 0; }},
      {"sessions 0", [](EngineOptions& o) { o.sessions_max = 0; }},
      {"producers 0", [](EngineOptions& o) { o.producers_max = 0; }},
      {"producers 4097", [](EngineOptions& o) { o.producers_max = 4097; }},
      {"window 0", [](EngineOptions& o) { o.session_window = 0; }},
      {"window no power of two", [](EngineOptions& o) { o.session_window = 100; }},
      {"window 131072", [](EngineOptions& o) { o.session_window = 131'072; }},
      {"segment 0", [](EngineOptions& o) { o.segment_bytes = 0; }},
      {"segment odd", [](EngineOptions& o) { o.segment_bytes = (1U << 20) + 1; }},
      {"segment 8 GiB", [](EngineOptions& o) { o.segment_bytes = std::uint64_t{8} << 30; }},
      {"undurable small", [](EngineOptions& o) { o.undurable_bytes_max = o.segment_bytes - 1; }},
      {"commit small", [](EngineOptions& o) { o.commit_bytes_max = 1; }},
      {"commit large", [](EngineOptions& o) { o.commit_bytes_max = 1U << 20; }},
      {"ahead 0", [](EngineOptions& o) { o.segments_ahead = 0; }},
  };
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    EngineOptions options = directory_.Options();
    change(options);
    const absl::Status status = Try(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_FALSE(status.message().empty());
    EXPECT_FALSE(std::filesystem::exists(directory_.log())) << "a mistake made a log";
    std::filesystem::remove_all(directory_.log());
  }
}

// The smallest log there is either opens and works or is refused with what it needs.
TEST_F(EngineOpenTest, UndurableBytesThatHoldNoCommitAreInvalid) {
  EngineOptions options = directory_.Options();
  options.segment_bytes = kSegmentBytesMin;
  options.undurable_bytes_max = kSegmentBytesMin;
  const absl::Status status = Try(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  ExpectWords(status, {"undurable_bytes_max"});
  options.undurable_bytes_max = 4 * kSegmentBytesMin;
  Open(options);
  Producer producer = NewProducer();
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}, kQuick).ok()) << i;
  }
  EXPECT_EQ(Balances()[0].second, 5000);
}

TEST_F(EngineOpenTest, TwoAggregatesOfOneCategoryAreRefused) {
  const auto twice =
      Engine::Open(directory_.Options(), Aggregates<Account, Ledger<Deposited>>{}).status();
  EXPECT_EQ(twice.code(), absl::StatusCode::kInvalidArgument) << twice;
  ExpectWords(twice, {"account"});
}

TEST_F(EngineOpenTest, ReopeningKeepsStatesVersionsAndTimeAndEpochsGrow) {
  using Row = std::tuple<Key, Version, std::int64_t>;
  std::vector<Row> before;
  for (std::uint32_t epoch = 1; epoch <= 4; ++epoch) {
    ASSERT_NO_FATAL_FAILURE(Open());
    EXPECT_EQ(engine_->epoch(), Epoch(epoch));
    EXPECT_EQ(engine_->recovery().reason,
              epoch == 1 ? EpochReason::kCreated : EpochReason::kReopened);
    const auto look = [&] {
      std::vector<Row> rows;
      const absl::Status visited = engine_->VisitAggregates<Account>(
          [&rows](const Key& key, Version version, const auto& state) {
            rows.emplace_back(key, version, state.cents);
          });
      EXPECT_TRUE(visited.ok()) << visited;
      std::sort(rows.begin(), rows.end());
      return rows;
    };
    EXPECT_EQ(look(), before);
    Producer producer = NewProducer("teller");
    for (std::uint64_t i = 1; i <= 400; ++i) {
      ASSERT_TRUE(producer.Execute<Account>(Key(i), Deposit{10}, kQuick).ok());
      ASSERT_TRUE(
          producer.Execute<Account>(Key(i), Transfer{Key(1 + (i - 1) / 2), 3}, kQuick).ok() ||
          i == 1);
    }
    before = look();
    { const Producer ends_before_its_engine = std::move(producer); }
    engine_.reset();
  }
}

}  // namespace
}  // namespace pawl
