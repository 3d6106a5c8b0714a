// On a machine that lacks something the engine says so, and keeps what it promises elsewhere.
// (AcksTest runs on each of them too.)

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "fallback.h"
#include "mixed_traffic.h"

namespace pawl {
namespace {

class FallbacksTest : public BankTest, public ::testing::WithParamInterface<Fallback> {
 protected:
  void SetUp() override {
    if (!ground_.is_there()) GTEST_SKIP() << "mounting a file system needs root";
    ground_.Apply(storage_);
  }
  EngineOptions Options() {
    EngineOptions options = ground_.Options();
    options.storage = &storage_;
    options.on_notice = [this](std::string_view notice) { notices_.emplace_back(notice); };
    return options;
  }
  // Whether anything that was told holds `words`.
  bool WasTold(const std::string& words) const {
    return std::any_of(notices_.begin(), notices_.end(), [&words](const std::string& notice) {
      return notice.find(words) != std::string::npos;
    });
  }

  const FallbackGround ground_{GetParam()};
  GateStorage storage_;
  std::vector<std::string> notices_;  // the preparer's thread writes while an engine is open
};

TEST_P(FallbacksTest, IsToldOfOnceAndLosesNothingOverSegmentsAndAStop) {
  const EngineOptions options = Options();
  Open(options);
  ASSERT_NE(engine_, nullptr);
  {
    Producer producer = NewProducer("teller");
    MixedTraffic traffic(producer);
    traffic.Run(50'000);
    EXPECT_TRUE(traffic.is_sound());
  }
  ASSERT_GT(engine_->log().published().value(), 2 * options.segment_bytes) << "no segment changed";
  EXPECT_EQ(engine_->log().is_direct(), GetParam() != Fallback::kNoDirectWrites);
  const bool has_images_with_log = engine_->log().hot_directory() == options.directory;
  EXPECT_EQ(has_images_with_log, ground_.HasImagesWithLog());
  const auto before = Balances();
  ASSERT_TRUE(engine_->Stop().ok());
  engine_ = nullptr;
  // Where there is room for some of it, statistics and commands find none either.
  const bool has_no_stats = GetParam() == Fallback::kRoomForSome;
  EXPECT_EQ(notices_.size(), (GetParam() == Fallback::kNone ? 0U : 1U) + (has_no_stats ? 2U : 0U));
  EXPECT_EQ(WasTold("cannot read this engine's statistics"), has_no_stats);
  EXPECT_EQ(WasTold("inputs that end the process will not be found out"), has_no_stats);
  EXPECT_EQ(WasTold("fdatasync"), GetParam() == Fallback::kNoDirectWrites);
  EXPECT_EQ(WasTold("images live in"), ground_.HasImagesWithLog());
  EXPECT_EQ(WasTold("no boot id"), GetParam() == Fallback::kNoBootId);
  Open(options);
  ASSERT_NE(engine_, nullptr);
  EXPECT_EQ(Balances(), before);
}

// Deposits of one cent, over segments: first with durable ones among them, then published only;
// then it dies.
constexpr int kDeposits = 6'000;

[[noreturn]] void DepositAndDie(const EngineOptions& options, GateStorage& gate) {
  auto engine = Engine::Open(options, Aggregates<Account>{});
  if (!engine.ok()) ::_exit(1);
  auto producer = (*engine)->NewProducer();
  if (!producer.ok()) ::_exit(2);
  for (int i = 0; i < 2 * kDeposits; ++i) {
    const bool is_durable = i < kDeposits && i % 20 == 19;
    const Ack ack = is_durable ? Ack::kDurable : Ack::kPublished;
    // What is published from here on never reaches the disk.
    if (i == kDeposits) gate.Shut();
    if (!producer->Execute<Account>(Key(1), Deposit{1}, {.ack = ack}).ok()) ::_exit(3);
  }
  ::kill(::getpid(), SIGKILL);
  ::_exit(4);
}

TEST_P(FallbacksTest, ADeathOfTheProcessLosesNothingThatWasPublishedWhereImagesCount) {
  EngineOptions options = Options();
  options.on_notice = {};
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) DepositAndDie(options, storage_);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit status " << WEXITSTATUS(status);
  Open(options);
  ASSERT_NE(engine_, nullptr);
  ASSERT_EQ(Balances().size(), 1U);
  const std::int64_t cents = Balances()[0].second;
  if (GetParam() == Fallback::kNoBootId) {
    // As after a power cut: the durable half and no hole.
    EXPECT_GE(cents, kDeposits);
    EXPECT_LT(cents, 2 * kDeposits);
    EXPECT_FALSE(engine_->recovery().used_hot_images);
  } else {
    EXPECT_EQ(cents, 2 * kDeposits);
    EXPECT_TRUE(engine_->recovery().used_hot_images);
  }
}

INSTANTIATE_TEST_SUITE_P(On, FallbacksTest,
                         ::testing::Values(Fallback::kNone, Fallback::kNoDirectWrites,
                                           Fallback::kNoRoom, Fallback::kRoomForSome,
                                           Fallback::kNoPermission, Fallback::kNoBootId),
                         [](const auto& param) { return std::string(NameOf(param.param)); });

}  // namespace
}  // namespace pawl
