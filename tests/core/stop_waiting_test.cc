// Stop ends whatever waits, in every way there is to wait, and never hangs: each pending completion
// ends accepted, unavailable or unknown.

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "coroutine.h"
#include "gate_storage.h"
#include "pawl/awaiting.h"
#include "worker.h"

namespace pawl {
namespace {

constexpr std::chrono::minutes kForever{10};

// How the pending commands end: the disk comes back before the Stop() is over, or fails.
enum class Disk { kComesBack, kFails };

class StopWaitingTest : public BankTest, public ::testing::WithParamInterface<Disk> {
 protected:
  void SetUp() override {
    EngineOptions options = directory_.Options();
    options.undurable_bytes_max = std::uint64_t{2} << 20;
    options.session_window = std::uint32_t{1} << 15;
    options.storage = &gate_;
    Open(options);
    ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
    gate_.Shut();
  }

  void TearDown() override {
    gate_.Open();  // also after a test that failed
    BankTest::TearDown();
  }

  Producer Make(WhenFull when_full = WhenFull::kFail) {
    auto made = engine_->NewProducer({.when_full = when_full, .full_timeout = kForever});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  // Until the disk is behind, whose gate is shut.
  void FillUp(Producer& producer) {
    ASSERT_TRUE(Await([&] {
      const Sent sent = producer.Submit<Account>(
          Key(1), Deposit{1}, {.ack = Ack::kPublished, .when_full = WhenFull::kFail});
      producer.Poll([](const Completion&) noexcept {});
      return sent.fault() == SendFault::kUndurable;
    }));
  }
  // Stops while the disk hangs, which then comes back or fails.
  void Stop() {
    absl::Status stopped = absl::UnknownError("did not end");
    const Worker stopper([&] { stopped = engine_->Stop(); });
    EXPECT_TRUE(stopper.Sleeps());
    if (GetParam() == Disk::kFails) {
      gate_.Break();
    } else {
      gate_.Open();
    }
    ASSERT_TRUE(Await([&] { return stopper.is_done(); })) << "Stop hangs";
    EXPECT_EQ(stopped.ok(), GetParam() == Disk::kComesBack) << stopped;
  }
  bool IsAnEnd(VerdictKind kind) const {
    return kind == VerdictKind::kAccepted || kind == VerdictKind::kUnavailable ||
           (kind == VerdictKind::kUnknown && GetParam() == Disk::kFails);
  }
  void ExpectAllEnded(Producer& producer) {
    producer.Poll([this](const Completion& c) noexcept {
      EXPECT_TRUE(IsAnEnd(c.verdict.kind())) << ToString(c.verdict.kind());
    });
    EXPECT_EQ(producer.in_flight(), 0U) << "never answered";
  }

  GateStorage gate_;
};

TEST_P(StopWaitingTest, WhoSendsAndPolls) {
  Producer producer = Make();
  const Worker sender([&] {
    EXPECT_TRUE(Await([&] {
      const Sent sent = producer.Submit<Account>(Key(1), Deposit{1});
      producer.Poll(
          [this](const Completion& c) noexcept { EXPECT_TRUE(IsAnEnd(c.verdict.kind())); }, 1);
      return sent.fault() == SendFault::kUnavailable;
    }));
  });
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  Stop();
  ASSERT_TRUE(Await([&] { return sender.is_done(); }));
  ExpectAllEnded(producer);
}

TEST_P(StopWaitingTest, WhoParksInExecute) {
  Producer producer = Make();
  absl::Status outcome;
  const Worker caller(
      [&] { outcome = producer.Execute<Account>(Key(1), Deposit{1}, {}, kForever).status(); });
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  EXPECT_TRUE(caller.Sleeps());
  Stop();
  ASSERT_TRUE(Await([&] { return caller.is_done(); }));
  EXPECT_TRUE(GetParam() == Disk::kFails ? absl::IsUnknown(outcome) : outcome.ok()) << outcome;
  ExpectAllEnded(producer);
}

TEST_P(StopWaitingTest, WhoParksWithoutRoomInSubmitAndInExecute) {
  Producer filler = Make();
  Producer submitting = Make(WhenFull::kPark);
  Producer batching = Make(WhenFull::kPark);
  Producer spinning = Make(WhenFull::kSpin);
  Producer executing = Make();
  FillUp(filler);
  std::array<SendFault, 3> faults{};
  absl::Status outcome;
  const std::vector<Addressed<Deposit>> two(2, {Key(1), {1}});
  const Worker submitter(
      [&] { faults[0] = submitting.Submit<Account>(Key(1), Deposit{1}).fault(); });
  const Worker batcher([&] {
    faults[1] = batching.SubmitBatch<Account>(std::span<const Addressed<Deposit>>(two)).fault;
  });
  const Worker executer(
      [&] { outcome = executing.Execute<Account>(Key(1), Deposit{1}, {}, kForever).status(); });
  EXPECT_TRUE(submitter.Sleeps());
  EXPECT_TRUE(batcher.Sleeps());
  EXPECT_TRUE(executer.Sleeps());
  const Worker spinner([&] { faults[2] = spinning.Submit<Account>(Key(1), Deposit{1}).fault(); });
  Stop();
  ASSERT_TRUE(Await([&] {
    return submitter.is_done() && batcher.is_done() && executer.is_done() && spinner.is_done();
  })) << "somebody waits for ever";
  for (const SendFault fault : faults) EXPECT_EQ(fault, SendFault::kUnavailable);
  EXPECT_TRUE(absl::IsUnavailable(outcome)) << outcome;
  for (Producer* producer : {&filler, &submitting, &batching, &spinning, &executing}) {
    ExpectAllEnded(*producer);
  }
}

TEST_P(StopWaitingTest, WhoSleepsInWaitAndInEpoll) {
  Producer waiting = Make();
  Producer polling = Make();
  const int event_fd = polling.EventFd().value();
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{.events = EPOLLIN, .data = {.fd = event_fd}};
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event), 0);
  ASSERT_TRUE(waiting.Submit<Account>(Key(1), Deposit{1}));
  ASSERT_TRUE(polling.Submit<Account>(Key(1), Deposit{1}));
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));  // decided before the stop
  int readable = 0;
  const Worker sleeper([&] { waiting.Wait(kForever); });
  const Worker poller([&] {
    if (polling.ArmEventFd()) readable = ::epoll_pwait(epoll, &event, 1, 60'000, nullptr);
  });
  EXPECT_TRUE(sleeper.Sleeps());
  EXPECT_TRUE(poller.Sleeps(SYS_epoll_pwait));
  Stop();
  ASSERT_TRUE(Await([&] { return sleeper.is_done() && poller.is_done(); }));
  EXPECT_EQ(readable, 1);
  ::close(epoll);
  ExpectAllEnded(waiting);
  ExpectAllEnded(polling);
}

// Nothing is under way, so that no answer wakes them: a program that stops its engine and then
// joins its threads would wait for as long as they do.
TEST_P(StopWaitingTest, WhoSleepsWithNothingUnderWay) {
  Producer waiting = Make();
  Producer polling = Make();
  Producer late = Make();
  Producer other = Make();
  ASSERT_TRUE(other.Submit<Account>(Key(1), Deposit{1}));
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));  // so that the stop waits for the disk
  const int event_fd = polling.EventFd().value();
  ASSERT_TRUE(late.EventFd().ok());
  pollfd event{.fd = event_fd, .events = POLLIN, .revents = 0};
  int readable = 0;
  const Worker sleeper([&] { waiting.Wait(kForever); });
  const Worker poller([&] {
    if (polling.ArmEventFd()) readable = ::ppoll(&event, 1, nullptr, nullptr);
  });
  EXPECT_TRUE(sleeper.Sleeps());
  EXPECT_TRUE(poller.Sleeps(SYS_ppoll));
  Stop();
  ASSERT_TRUE(Await([&] { return sleeper.is_done() && poller.is_done(); }));
  EXPECT_EQ(readable, 1);
  // Who comes to it behind the stop is told once, and then sleeps as long as it likes.
  EXPECT_FALSE(late.ArmEventFd());
  EXPECT_TRUE(late.ArmEventFd());
  EXPECT_FALSE(polling.ArmEventFd());
  EXPECT_TRUE(polling.ArmEventFd());
  waiting.Wait(std::chrono::milliseconds(1));
  ExpectAllEnded(other);
}

Coroutine SendThree(AwaitingProducer& teller, std::vector<Completion>& got) {
  for (int i = 0; i < 3; ++i) {
    got.push_back(co_await teller.Call<Account>(Key(1), Deposit{1}));
  }
}

TEST_P(StopWaitingTest, CoroutinesThatAwaitAnswersAndRoom) {
  Producer filler = Make();
  AwaitingProducer teller(Make());
  std::vector<Completion> got;
  std::vector<Coroutine> all;
  for (int i = 0; i < 50; ++i) all.push_back(SendThree(teller, got));
  FillUp(filler);
  ASSERT_TRUE(Await([&] {
    all.push_back(SendThree(teller, got));
    return teller.waiting() > 10;
  }));
  Stop();
  EXPECT_TRUE(Await([&] {
    if (teller.Run() == 0) teller.Wait(std::chrono::milliseconds(10));
    return teller.suspended() == 0;
  })) << teller.suspended()
      << " are suspended for ever";
  for (const Coroutine& one : all) EXPECT_TRUE(one.is_done());
  EXPECT_EQ(got.size(), 3 * all.size());
  for (const Completion& c : got) {
    EXPECT_TRUE(IsAnEnd(c.verdict.kind()) || c.verdict.kind() == VerdictKind::kNotSent);
  }
  EXPECT_EQ(teller.in_flight(), 0U);
  ExpectAllEnded(filler);
}

TEST_P(StopWaitingTest, ProducersThatEndedWithCommandsUnderWayDoNotHoldItUp) {
  {
    Producer ends = Make();
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(ends.Submit<Account>(Key(1), Deposit{1}));
    AwaitingProducer awaiting(Make());
    std::vector<Completion> got;
    std::vector<Coroutine> all;
    for (int i = 0; i < 500; ++i) all.push_back(SendThree(awaiting, got));
  }
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  Stop();
}

// One handle moves to another thread with commands under way; one is left by a thread that ended.
TEST_P(StopWaitingTest, HandlesOfOtherThreadsAndOfThreadsThatEnded) {
  Producer moved = Make();
  ASSERT_TRUE(moved.Submit<Account>(Key(1), Deposit{1}));
  std::unique_ptr<Producer> left;
  std::thread([&] {
    left = std::make_unique<Producer>(Make());
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(left->Submit<Account>(Key(1), Deposit{1}));
    left->Wait(std::chrono::nanoseconds(1));
  }).join();
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  const Worker owner([&, producer = std::make_shared<Producer>(std::move(moved))] {
    EXPECT_TRUE(Await([&] {
      producer->Wait(kForever);
      producer->Poll(
          [this](const Completion& c) noexcept { EXPECT_TRUE(IsAnEnd(c.verdict.kind())); });
      return producer->in_flight() == 0;
    }));
  });
  EXPECT_TRUE(owner.Sleeps());
  Stop();
  ASSERT_TRUE(Await([&] { return owner.is_done(); }));
  // Nobody polls what the dead thread left; another one may, or end the handle.
  std::thread([&] {
    ExpectAllEnded(*left);
    EXPECT_TRUE(absl::IsUnavailable(left->Execute<Account>(Key(1), Deposit{1}).status()));
    left.reset();
  }).join();
}

TEST_P(StopWaitingTest, AHandleThatEndsWhileTheEngineStops) {
  auto ends = std::make_unique<Producer>(Make());
  ASSERT_TRUE(ends->Submit<Account>(Key(1), Deposit{1}));
  ASSERT_TRUE(Await([&] { return gate_.waiting() > 0; }));
  absl::Status stopped;
  const Worker stopper([&] { stopped = engine_->Stop(); });
  EXPECT_TRUE(stopper.Sleeps());
  const Worker ender([&] { ends.reset(); });
  EXPECT_TRUE(ender.Sleeps()) << "it waits for the stop";
  if (GetParam() == Disk::kFails) {
    gate_.Break();
  } else {
    gate_.Open();
  }
  EXPECT_TRUE(Await([&] { return stopper.is_done() && ender.is_done(); }));
}

INSTANTIATE_TEST_SUITE_P(While, StopWaitingTest, ::testing::Values(Disk::kComesBack, Disk::kFails),
                         [](const auto& param) {
                           return param.param == Disk::kComesBack ? "TheDiskComesBack"
                                                                  : "TheDiskFails";
                         });

}  // namespace
}  // namespace pawl
