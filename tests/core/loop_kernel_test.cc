// What the loop asks of the kernel while it works: no page fault, and no system call but the wake
// of one who sleeps.

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "allocation_counter.h"
#include "bank_fixture.h"
#include "mixed_traffic.h"
#include "program_output.h"
#include "thread_facts.h"

namespace pawl {
namespace {

constexpr std::uint64_t kWarmUpSegments = 2;

std::uint64_t FaultsOfThisThread() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  return static_cast<std::uint64_t>(used.ru_minflt + used.ru_majflt);
}

class LoopFaultsTest : public BankTest {
 protected:
  void SetUp() override {
    if (!CanCountAllocations()) GTEST_SKIP() << "a sanitizer's shadow memory faults";
  }

  // Sends until `segments` more are full.
  template <class RunEngine>
  void FillSegments(MixedTraffic& traffic, std::uint64_t segments, RunEngine&& run_engine) {
    const Log& log = engine_->log();
    const std::uint64_t end = log.published().value() + segments * log.segment_bytes();
    while (log.published().value() < end) traffic.Run(10'000, run_engine);
    EXPECT_TRUE(traffic.is_sound());
  }
};

// Without this the others could not fail.
TEST_F(LoopFaultsTest, AFaultOfAThreadIsCounted) {
  std::thread([] {
    constexpr std::size_t kPages = 16;
    ::pthread_setname_np(::pthread_self(), "fault-test");
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const memory =
        ::mmap(nullptr, kPages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    ::madvise(memory, kPages * page, MADV_NOHUGEPAGE);
    const int thread = ThreadNamed("fault-test");
    const std::uint64_t before = FaultsOf(thread);
    const std::uint64_t usage_before = FaultsOfThisThread();
    for (std::size_t i = 0; i < kPages; ++i) {
      static_cast<volatile char*>(memory)[i * page] = 1;
    }
    EXPECT_GE(FaultsOfThisThread() - usage_before, kPages);
    EXPECT_GE(FaultsOf(thread) - before, kPages);
    ::munmap(memory, kPages * page);
  }).join();
}

TEST_F(LoopFaultsTest, TheLoopsThreadTakesNoneWhileSegmentsChange) {
  const auto yield = [] { std::this_thread::yield(); };
  for (const bool has_session : {false, true}) {
    Open();
    const int loop = ThreadNamed("pawl-loop");
    ASSERT_NE(loop, 0);
    Producer producer = NewProducer(has_session ? "teller" : "");
    MixedTraffic traffic(producer);
    // Also of the program's own pages, which are mapped when they are first run.
    FillSegments(traffic, kWarmUpSegments, yield);
    const std::uint64_t before = FaultsOf(loop);
    FillSegments(traffic, 8, yield);
    EXPECT_EQ(FaultsOf(loop) - before, 0U) << "has_session " << has_session;
    engine_.reset();
  }
}

// The same thread sends and polls: its own share is none either.
TEST_F(LoopFaultsTest, AHostThatIsTheLoopTakesNoneWhileSegmentsChange) {
  Open(Threads::kHost);
  Producer producer = NewProducer("teller");
  MixedTraffic traffic(producer);
  const auto run_engine = [this] { engine_->Poll(std::chrono::nanoseconds(0)); };
  FillSegments(traffic, kWarmUpSegments, run_engine);
  const std::uint64_t before = FaultsOfThisThread();
  FillSegments(traffic, 8, run_engine);
  EXPECT_EQ(FaultsOfThisThread() - before, 0U);
}

// System calls between the marks of busy_engine.cc.
struct Calls {
  std::map<std::string, std::uint64_t> of_loop;  // by name
  std::uint64_t wakes = 0;                       // of the loop
  std::uint64_t sleeps_at_most = 0;              // of others
  bool had_marks = false;
};

class TraceReader {
 public:
  TraceReader(const std::string& trace, std::string loop) : lines_(trace), loop_(std::move(loop)) {}

  Calls Read() {
    bool is_over = false;
    for (std::string line; !is_over && std::getline(lines_, line);) {
      const std::size_t space = line.find(' ');
      const std::string call = line.substr(line.find_first_not_of(' ', space));
      if (call.find("\"BEGIN\\n\"") != std::string::npos) is_between_ = true;
      is_over = call.find("\"END\\n\"") != std::string::npos;
      // The second half of a call that was counted; signals and exits have no bracket.
      if (call.starts_with("<...") || call.find('(') == std::string::npos) continue;
      Count(line.substr(0, space), call);
    }
    calls_.had_marks = is_over && is_between_;
    // Who goes to sleep announces it, orders that (membarrier), looks once more, and waits: if the
    // look finds work there is no wait, but there may be a wake. One sleep of each may have been
    // announced before the mark.
    calls_.sleeps_at_most = std::max(announced_, waited_) + others_.size();
    return std::move(calls_);
  }

 private:
  void Count(const std::string& thread, const std::string& call) {
    const bool is_wait = call.find("FUTEX_WAIT") != std::string::npos;
    const bool is_wake = call.find("FUTEX_WAKE") != std::string::npos;
    if (thread != loop_) {
      others_.insert(thread);
      if (is_between_ && is_wait) ++waited_;
      if (is_between_ && call.starts_with("membarrier")) ++announced_;
      return;
    }
    if (!is_between_) return;
    if (is_wake) ++calls_.wakes;
    const char* const kind = is_wake ? " wake" : is_wait ? " wait" : "";
    ++calls_.of_loop[call.substr(0, call.find('(')) + kind];
  }

  std::ifstream lines_;
  const std::string loop_;
  Calls calls_;
  std::set<std::string> others_;
  std::uint64_t announced_ = 0;
  std::uint64_t waited_ = 0;
  bool is_between_ = false;
};

class LoopCallsTest : public ::testing::TestWithParam<const char*> {};

TEST_P(LoopCallsTest, TheLoopMakesNoSystemCallButAWakeForEachSleepOfAnother) {
  if (!CanTrace()) GTEST_SKIP() << "strace is missing or may not trace here";
#ifdef PAWL_UNDER_THREAD_SANITIZER
  GTEST_SKIP() << "ThreadSanitizer makes system calls of its own on every thread";
#endif
  const TestDirectory directory;
  const std::string trace = directory.root() + "/trace";
  std::string loop = OutputOfTraced(std::string(PAWL_BUSY_ENGINE " ") + GetParam(), trace);
  ASSERT_FALSE(loop.empty());
  loop.pop_back();  // the line's end
  const Calls calls = TraceReader(trace, loop).Read();
  ASSERT_TRUE(calls.had_marks);
  const bool may_sleep = std::string(GetParam()) == "back-off";
  for (const auto& [name, count] : calls.of_loop) {
    const bool is_sleep = name == "futex wait" || name == "membarrier" || name == "sched_yield";
    EXPECT_TRUE(name == "futex wake" || (may_sleep && is_sleep))
        << name << ", " << count << " times";
  }
  EXPECT_GT(calls.wakes, 0U) << "nobody slept: nothing was shown";
  EXPECT_LE(calls.wakes, calls.sleeps_at_most);
  RecordProperty("wakes", std::to_string(calls.wakes));
  RecordProperty("sleeps_at_most", std::to_string(calls.sleeps_at_most));
}

INSTANTIATE_TEST_SUITE_P(Idle, LoopCallsTest, ::testing::Values("spin", "back-off"),
                         [](const auto& param) {
                           return std::string(param.param) == "spin" ? "Spin" : "BackOff";
                         });

}  // namespace
}  // namespace pawl
