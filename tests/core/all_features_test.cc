// P15 with everything at once: no allocation on the threads of producer, loop, disk and view.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "allocation_counter.h"
#include "bank_fixture.h"
#include "codec_domain.h"
#include "fuse_aggregate.h"
#include "pawl/view.h"

namespace pawl {
namespace {

using AllocationsTest = BankTest;
using All = Aggregates<Account, Fuse, Alarm, LetterV3>;

struct Board {
  using Events = pawl::Events<Deposited, Lit, Rang, Written, Closed<Alarm>, Closed<LetterV3>>;
  static constexpr int kVersion = 1;
  std::uint64_t plain = 0;
  std::uint64_t text_bytes = 0;
  std::uint64_t closed_alarms = 0;
  std::uint64_t closed_letters = 0;
  void On(const Deposited&, const Meta&) noexcept { ++plain; }
  void On(const Lit&, const Meta&) noexcept { ++plain; }
  void On(const Rang&, const Meta&) noexcept { ++plain; }
  void On(const WrittenView& e, const Meta&) noexcept { text_bytes += e.text.size(); }
  void On(const Closed<Alarm>&, const Meta&) noexcept { ++closed_alarms; }
  void On(const Closed<LetterV3>&, const Meta&) noexcept { ++closed_letters; }
};

// Commands of every kind, in every way, and what was answered.
class Everything {
 public:
  Everything(Engine& engine, const View<Board>& view)
      : view_(view),
        control_(engine.NewProducer({.session = "teller"}).value()),
        bulk_(engine.NewProducer({.session = "teller", .lane = SessionLane::kBulk}).value()),
        plain_(engine.NewProducer().value()) {}

  void Run(std::uint64_t commands) {
    for (const std::uint64_t end = step_ + commands; step_ < end; ++step_) {
      while (!Send()) Poll();
      Poll();
      // The view is behind by less than a segment: it reads what the loop wrote a moment ago.
      while (seen_.value() > view_.position().value() + 4'000) std::this_thread::yield();
    }
    while (control_.in_flight() + bulk_.in_flight() + plain_.in_flight() != 0) Poll();
  }
  std::uint64_t count(VerdictKind kind) const { return counts_[static_cast<std::size_t>(kind)]; }
  std::uint64_t duplicates() const { return duplicates_; }

 private:
  Producer& Sender() { return *std::array{&control_, &bulk_, &plain_}[step_ / 16 % 3]; }
  bool Send() {
    const std::uint64_t i = step_;
    Producer& any = Sender();
    const Key key(1 + i % 50);
    const SubmitOptions quick{.ack = i % 5 == 0 ? Ack::kDurable : Ack::kPublished};
    switch (i % 16) {
      case 0: return static_cast<bool>(any.Submit<Fuse>(key, Light{1}, quick));
      case 1: return static_cast<bool>(any.Submit<Fuse>(key, BlowLarge{}, quick));
      case 2: return static_cast<bool>(any.Submit<LetterV3>(key, Write{300, 'a'}, quick));
      case 3: return static_cast<bool>(any.Submit<LetterV3>(key, Burn{30}, quick));
      case 4: return static_cast<bool>(any.Submit<LetterV3>(key, WriteThere{Key(99), 9}, quick));
      case 5: return SendAlarm(any, i, quick);
      case 6: return static_cast<bool>(any.Submit<Alarm>(key, CancelAlarm{i % 11}, quick));
      case 7: return i % 3 != 0 || any.Submit<Alarm>(key, EndAlarm{}, quick);
      case 8: return SendWithConditions(any, key, quick);
      case 9: return SendWithKey(any, i, quick);
      case 10: return static_cast<bool>(plain_.Submit<Fuse>(Key(5), Blow{1}, quick));
      case 11: return static_cast<bool>(any.Submit<Account>(key, Withdraw{1'000'000'000}, quick));
      case 12: return SendInConflict(any, key, quick);
      case 13: return SendAgain(quick);
      case 14: return static_cast<bool>(any.Submit<Account>(key, Transfer{Key(7), 1}, quick));
      default: return SendBatch(any, quick);
    }
  }
  static bool SendAlarm(Producer& any, std::uint64_t i, const SubmitOptions& options) {
    const auto delay_ns = static_cast<std::int64_t>(i % 7 * i % 5'000'000);
    return static_cast<bool>(
        any.Submit<Alarm>(Key(1 + i % 50), SetAlarm{delay_ns, 1, i % 11}, options));
  }
  static bool SendWithConditions(Producer& any, const Key& key, SubmitOptions options) {
    const std::array others{ConditionOn<Fuse>(Key(1), Exists()),
                            ConditionOn<Account>(Key(7'777), NoStream())};
    options.others = others;
    return static_cast<bool>(any.Submit<Account>(key, Deposit{1}, options));
  }
  static bool SendWithKey(Producer& any, std::uint64_t i, SubmitOptions options) {
    options.idempotency_key = Key(1 + i / 48);
    return static_cast<bool>(any.Submit<Account>(Key(1), Deposit{1}, options));
  }
  static bool SendInConflict(Producer& any, const Key& key, SubmitOptions options) {
    options.condition = Exact(Version(1'000'000'000));
    return static_cast<bool>(any.Submit<Account>(key, Deposit{1}, options));
  }
  // What the bulk lane sent last, sent again.
  bool SendAgain(SubmitOptions options) {
    options.resend = bulk_.last_sequence();
    if (options.resend == Sequence()) return true;
    return static_cast<bool>(bulk_.Submit<Account>(Key(1), Deposit{1}, options));
  }
  bool SendBatch(Producer& any, const SubmitOptions& options) {
    for (std::size_t i = 0; i < batch_.size(); ++i) batch_[i] = {Key(1 + i), {1}};
    return any.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(batch_), options).count > 0;
  }
  void Poll() {
    for (Producer* const each : {&control_, &bulk_, &plain_}) {
      each->Poll([this](const Completion& c) noexcept {
        ++counts_[static_cast<std::size_t>(c.verdict.kind())];
        duplicates_ += c.receipt.is_duplicate ? 1 : 0;
        if (c.verdict.is_accepted()) seen_ = std::max(seen_, c.receipt.position);
      });
    }
  }

  const View<Board>& view_;
  Producer control_;
  Producer bulk_;
  Producer plain_;
  std::array<Addressed<Deposit>, 20> batch_{};
  std::array<std::uint64_t, 32> counts_{};
  std::uint64_t step_ = 0;
  std::uint64_t duplicates_ = 0;
  Position seen_;
};

// A process that dies of Blow{1} to fuse 5.
void DieOnce(EngineOptions options) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    options.threads = Threads::kHost;
    auto opened = Engine::Open(options, All{});
    if (!opened.ok()) ::_exit(2);
    fuse_switches.decide_kills = true;
    auto producer = (*opened)->NewProducer();
    if (producer.ok()) static_cast<void>(producer->Execute<Fuse>(Key(5), Blow{1}).ok());
    ::_exit(3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
}

// Sessions on both lanes, conditions, keys, large commands, resends, batches, timers set, fired and
// cancelled, closings, an event with a codec, an input in quarantine, statistics, a view and an
// event reader beside them. New streams are within streams_max: behind that a view's table of keys
// grows.
TEST_F(AllocationsTest, AllFeaturesTogetherAllocateNothing) {
  if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer has its own allocator";
  constexpr std::uint64_t kWarmUp = 50'000;
  constexpr std::uint64_t kCommands = 200'000;
  EngineOptions options = directory_.Options();
  options.streams_max = 65'536;
  options.timers_max = 4'096;
  for (int i = 0; i < 2; ++i) ASSERT_NO_FATAL_FAILURE(DieOnce(options));
  auto opened = Engine::Open(options, All{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  ASSERT_EQ(engine_->Quarantined().size(), 1U);
  auto view = Project<Board>(*engine_);
  ASSERT_TRUE(view.ok()) << view.status();
  // Relaxed, all: guards nothing; the thread is joined.
  std::atomic<bool> is_done{false};
  std::uint64_t read = 0;
  std::thread reader([&] {
    auto letters = engine_->NewEventReader<LetterV3, Written>();
    while (letters.ok() && !is_done.load(std::memory_order_relaxed)) {
      read += letters->Forward([](const WrittenView&, const Meta&) noexcept {});
      std::this_thread::yield();
    }
  });
  const std::uint64_t began = engine_->log().published().value();
  std::thread([&] {
    RegisterProducerThread();
    Everything everything(*engine_, *view);
    everything.Run(kWarmUp);
    StartCounting();
    everything.Run(kCommands);
    StopCounting();
    for (const VerdictKind kind : {VerdictKind::kAccepted, VerdictKind::kRefused,
                                   VerdictKind::kConflict, VerdictKind::kQuarantined}) {
      EXPECT_GT(everything.count(kind), kCommands / 50) << static_cast<int>(kind);
    }
    EXPECT_GT(everything.duplicates(), kCommands / 50);
  }).join();
  is_done.store(true, std::memory_order_relaxed);
  reader.join();
  EXPECT_EQ(AllocationsOf(CountedThread::kProducer), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kLoop), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kSync), 0U);
  EXPECT_EQ(AllocationsOf(CountedThread::kView), 0U);
  EXPECT_GT(engine_->log().published().value() - began, options.segment_bytes * 4);
  EXPECT_GT(engine_->Stats().timers.fired, kCommands / 100);
  EXPECT_GT(read, 0U);
  const Board board = view->Read([](const Board& b) noexcept { return b; });
  EXPECT_TRUE(view->status().ok()) << view->status();
  for (const std::uint64_t seen :
       {board.plain, board.text_bytes, board.closed_alarms, board.closed_letters}) {
    EXPECT_GT(seen, kCommands / 100);
  }
}

}  // namespace
}  // namespace pawl
