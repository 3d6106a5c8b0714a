// Completions for who sleeps in a loop of its own: an eventfd under epoll.

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "gate_storage.h"

namespace pawl {
namespace {

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
constexpr int kForeverMs = 60'000;

// One descriptor under epoll, as in an application's own loop.
class EventLoop {
 public:
  explicit EventLoop(int watched) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = watched}};
    EXPECT_EQ(::epoll_ctl(epoll_, EPOLL_CTL_ADD, watched, &event), 0);
  }
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop() { ::close(epoll_); }

  // Sleeps until it is readable.
  bool Wait(int timeout_ms = kForeverMs) const {
    epoll_event event{};
    return ::epoll_wait(epoll_, &event, 1, timeout_ms) == 1;
  }
  bool IsReadable() const { return Wait(0); }

 private:
  const int epoll_;
};

constexpr auto kDrop = [](const Completion&) noexcept {};

using EventFdTest = BankTest;

TEST_F(EventFdTest, IsReadableForWhoArmedItWhenCompletionsCome) {
  Open(Threads::kHost);
  Producer producer = NewProducer();
  const int event_fd = producer.EventFd().value();
  EXPECT_EQ(producer.EventFd().value(), event_fd);
  const EventLoop loop(event_fd);
  const auto send = [&] {
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    while (engine_->Poll(kWholeTurns) != 0) {
    }
  };
  send();
  EXPECT_FALSE(loop.IsReadable()) << "nobody armed it";
  EXPECT_FALSE(producer.ArmEventFd()) << "there is something to poll";
  EXPECT_FALSE(loop.IsReadable());
  EXPECT_EQ(producer.Poll(kDrop), 1U);
  for (int sleep = 0; sleep < 3; ++sleep) {
    ASSERT_TRUE(producer.ArmEventFd());
    EXPECT_FALSE(loop.IsReadable()) << "arming makes it unreadable";
    send();
    EXPECT_TRUE(loop.IsReadable());
    send();
    std::uint64_t writes = 0;
    ASSERT_EQ(::read(event_fd, &writes, sizeof writes), static_cast<ssize_t>(sizeof writes));
    EXPECT_EQ(writes, 1U) << "one write for each sleep";
    EXPECT_EQ(producer.Poll(kDrop), 2U);
  }
}

// The engine's threads against a loop that sleeps after each completion: a lost one hangs it.
TEST_F(EventFdTest, NoCompletionIsLostOnALoopThatSleepsInEpoll) {
  constexpr std::uint64_t kCommands = 20'000;
  Open();
  Producer producer = NewProducer("teller");
  const EventLoop loop(producer.EventFd().value());
  std::uint64_t answered = 0;
  std::uint64_t sleeps = 0;
  const auto take = [&](const Completion& c) noexcept {
    EXPECT_EQ(c.sequence.value(), ++answered);
  };
  for (std::uint64_t sent = 1; sent <= kCommands; ++sent) {
    const Ack ack = sent % 100 == 0 ? Ack::kDurable : Ack::kPublished;
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, {.ack = ack}));
    while (answered < sent) {
      if (producer.Poll(take) != 0) continue;
      if (!producer.ArmEventFd()) continue;
      ++sleeps;
      ASSERT_TRUE(loop.Wait()) << "asleep although " << sent << " is answered";
    }
  }
  EXPECT_GT(sleeps, 0U) << "nothing was shown";
}

// A blocking call in between takes no completion away from who armed before it.
TEST_F(EventFdTest, AnExecuteBetweenArmingAndSleepingLosesNothing) {
  Open();
  Producer producer = NewProducer();
  const EventLoop loop(producer.EventFd().value());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(producer.ArmEventFd());
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ASSERT_TRUE(producer.Execute<Account>(Key(1), Deposit{1}).ok());
    ASSERT_TRUE(loop.Wait());
    ASSERT_EQ(producer.Poll(kDrop), 1U);
  }
}

// Refused by a disk that is behind, with nothing under way: the end of that is news too.
TEST_F(EventFdTest, IsReadableWhenBackPressureIsOver) {
  GateStorage gate;
  EngineOptions options = directory_.Options();
  options.undurable_bytes_max = std::uint64_t{2} << 20;
  options.session_window = std::uint32_t{1} << 16;
  options.storage = &gate;
  Open(options);
  {
    const GateOpener opener(gate);
    ASSERT_TRUE(Await([&] { return engine_->log().ready_segments() > 0; }));
    Producer filler = NewProducer();
    Producer producer = NewProducer();
    const EventLoop loop(producer.EventFd().value());
    gate.Shut();
    ASSERT_TRUE(Await([&] {
      const Sent sent = filler.Submit<Account>(Key(1), Deposit{1}, kQuick);
      filler.Poll(kDrop);
      return sent.fault() == SendFault::kUndurable;
    }));
    ASSERT_FALSE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    ASSERT_TRUE(producer.ArmEventFd());
    EXPECT_FALSE(loop.IsReadable());
    gate.Open();
    ASSERT_TRUE(loop.Wait()) << "there is room and nobody was told";
    // The commands of the other one that still wait may take the room once more.
    ASSERT_TRUE(Await([&]() -> bool {
      return static_cast<bool>(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
    }));
    // Not told twice: without a completion there is nothing to do.
    ASSERT_TRUE(Await([&] { return producer.Poll(kDrop) == 1; }));
    EXPECT_TRUE(producer.ArmEventFd());
  }
  engine_.reset();  // before its storage
}

TEST_F(EventFdTest, TheNextOwnerOfALaneStartsWithoutWhatTheLastOneLeft) {
  EngineOptions options = directory_.Options(Threads::kHost);
  options.producers_max = 1;
  Open(options);
  int first = -1;
  {
    Producer producer = NewProducer();
    first = producer.EventFd().value();
    ASSERT_TRUE(producer.ArmEventFd());
    ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  }
  ASSERT_TRUE(Await([&] {
    engine_->Poll(kWholeTurns);
    return Balances().size() == 1;
  }));
  while (engine_->Poll(kWholeTurns) != 0) {
  }
  Producer producer = NewProducer();
  EXPECT_EQ(producer.EventFd().value(), first);
  const EventLoop loop(first);
  ASSERT_TRUE(producer.ArmEventFd());
  EXPECT_FALSE(loop.IsReadable());
  ASSERT_TRUE(producer.Submit<Account>(Key(1), Deposit{1}, kQuick));
  while (engine_->Poll(kWholeTurns) != 0) {
  }
  EXPECT_TRUE(loop.IsReadable());
}

TEST_F(EventFdTest, IsClosedWithItsEngine) {
  Open();
  int event_fd = -1;
  {
    Producer producer = NewProducer();
    event_fd = producer.EventFd().value();
    EXPECT_NE(::fcntl(event_fd, F_GETFD) & FD_CLOEXEC, 0);
  }
  EXPECT_GE(::fcntl(event_fd, F_GETFD), 0) << "the loop may still write to it";
  engine_.reset();
  EXPECT_EQ(::fcntl(event_fd, F_GETFD), -1);
}

TEST_F(EventFdTest, WithoutADescriptorItIsAStatusThatSaysSo) {
  Open(Threads::kHostAll);  // no thread that opens files meanwhile
  Producer producer = NewProducer();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::Status refused = producer.EventFd().status();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_TRUE(producer.EventFd().ok());
}

}  // namespace
}  // namespace pawl
