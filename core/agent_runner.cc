#include "agent_runner.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <string>
#include <system_error>

#include "pause.h"

namespace pawl::inline v0 {

namespace {

// Rounds without work before the thread yields, and before it sleeps: about 5 µs of pauses (a pause
// is 40–140 cycles), then a few turns of the scheduler. Long enough to meet a busy producer's next
// batch awake, short enough to cost an idle engine nothing.
constexpr int kSpinRounds = 64;
constexpr int kYieldRounds = kSpinRounds + 16;

// Blocks every signal but those of faults while a thread is made, which inherits the mask.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
      sigdelset(&all, fault);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

absl::Status Pin(std::thread& thread, int core) {
  if (core < 0) return absl::OkStatus();
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core < CPU_SETSIZE) CPU_SET(static_cast<unsigned>(core), &cores);
  if (pthread_setaffinity_np(thread.native_handle(), sizeof cores, &cores) != 0) {
    return absl::InvalidArgumentError("cannot pin a thread to core " + std::to_string(core) +
                                      ": name one that this process may use, or -1");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentRunner>> AgentRunner::Start(const Setup& setup) {
  std::unique_ptr<AgentRunner> runner(new AgentRunner(setup));
  const SignalsBlocked blocked;
  try {
    runner->thread_ = std::thread([raw = runner.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(std::string("cannot start a thread: ") + error.what());
  }
  if (absl::Status pinned = Pin(runner->thread_, setup.core); !pinned.ok()) return pinned;
  // Acquire: for the reader's ease, nothing is guarded. Pairs with the release in Run().
  runner->has_name_.wait(false, std::memory_order_acquire);
  return runner;
}

AgentRunner::~AgentRunner() { Stop(); }

void AgentRunner::Stop() noexcept {
  // Release: pairs with the acquire in IsStopping().
  is_stopping_.store(true, std::memory_order_release);
  setup_.agent->bell().Ring();
  if (thread_.joinable()) thread_.join();
}

void AgentRunner::Run() noexcept {
  // By the thread itself: a name for another one goes through /proc/self/task, and makes the end of
  // the process milliseconds dearer.
  const std::string name(setup_.agent->name().substr(0, 15));
  pthread_setname_np(pthread_self(), name.c_str());
  // Release: pairs with the acquire in Start().
  has_name_.store(true, std::memory_order_release);
  has_name_.notify_one();
  int idle_rounds = 0;
  while (!IsStopping()) {
    if (setup_.agent->DoWork() > 0) {
      idle_rounds = 0;
    } else {
      IdleRound(idle_rounds);
      idle_rounds = idle_rounds < kYieldRounds ? idle_rounds + 1 : 0;
    }
  }
}

void AgentRunner::IdleRound(int idle_rounds) noexcept {
  if (setup_.idle == Idle::kSpin) return Pause();
  if (setup_.idle == Idle::kBackOff && idle_rounds < kSpinRounds) return Pause();
  if (setup_.idle == Idle::kYield || idle_rounds < kYieldRounds) {
    sched_yield();
    return;
  }
  setup_.agent->bell().Wait([this]() noexcept { return IsStopping() || setup_.agent->HasWork(); },
                            setup_.agent->sleep_ns());
}

}  // namespace pawl::inline v0
