#include "agent_runner.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "pause.h"
#include "pawl/check.h"

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

absl::Status Pin(std::thread& thread, const std::string& name, int core) {
  if (core < 0) return absl::OkStatus();
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (core < CPU_SETSIZE) CPU_SET(static_cast<unsigned>(core), &cores);
  if (pthread_setaffinity_np(thread.native_handle(), sizeof cores, &cores) != 0) {
    return absl::InvalidArgumentError("cannot pin the thread " + name + " to core " +
                                      std::to_string(core) +
                                      ": name one that this process may use, or -1");
  }
  return absl::OkStatus();
}

}  // namespace

AgentRunner::AgentRunner(const Setup& setup, const Member& first) : setup_(setup) {
  members_.reserve(setup.agents_max);
  agents_.reserve(setup.agents_max);
  lent_.reserve(setup.agents_max);
  members_.push_back(first.agent);
  agents_.push_back(first);
}

absl::StatusOr<std::unique_ptr<AgentRunner>> AgentRunner::Start(const Setup& setup, Agent& agent,
                                                                AgentWords* words) {
  std::unique_ptr<AgentRunner> runner(new AgentRunner(setup, {&agent, words}));
  const SignalsBlocked blocked;
  try {
    runner->thread_ = std::thread([raw = runner.get()] { raw->Run(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(std::string("cannot start a thread: ") + error.what());
  }
  if (absl::Status pinned = Pin(runner->thread_, setup.name, setup.core); !pinned.ok()) {
    return pinned;
  }
  // Acquire: for the reader's ease, nothing is guarded. Pairs with the release in Run().
  runner->has_name_.wait(false, std::memory_order_acquire);
  return runner;
}

AgentRunner::~AgentRunner() { Stop(); }

void AgentRunner::Stop() noexcept {
  // Release: pairs with the acquire in IsStopping().
  is_stopping_.store(true, std::memory_order_release);
  Wake();
  if (thread_.joinable()) thread_.join();
}

// --- callers ---

void AgentRunner::Add(Agent& agent, AgentWords* words) {
  PAWL_CHECK(members_.size() < setup_.agents_max);
  Change change{.member = {&agent, words}, .is_addition = true};
  Ask(change);
  members_.push_back(&agent);
}

void AgentRunner::Remove(Agent& agent) noexcept {
  PAWL_CHECK(members_.size() > 1);
  Change change{.member = {&agent, nullptr}, .is_addition = false};
  Ask(change);
  std::erase(members_, &agent);
}

void AgentRunner::Ask(Change& change) noexcept {
  // Release: the change before its address. Pairs with the acquire in TakeChange().
  change_.store(&change, std::memory_order_release);
  Wake();
  // Acquire: what the thread did so far. Pairs with the release in TakeChange().
  change_.wait(&change, std::memory_order_acquire);
}

// Wherever the thread sleeps: at its only agent's bell or at its own.
void AgentRunner::Wake() noexcept {
  for (Agent* agent : members_) agent->bell().Ring();
  if (setup_.bell != nullptr) setup_.bell->Ring();
}

// --- the thread ---

void AgentRunner::Run() noexcept {
  // By the thread itself: a name for another one goes through /proc/self/task, and makes the end of
  // the process milliseconds dearer.
  pthread_setname_np(pthread_self(), setup_.name.c_str());
  // Release: pairs with the acquire in Start().
  has_name_.store(true, std::memory_order_release);
  has_name_.notify_one();
  int idle_rounds = 0;
  while (!IsStopping()) {
    TakeChange();
    if (Round() > 0) {
      idle_rounds = 0;
    } else {
      IdleRound(idle_rounds);
      idle_rounds = idle_rounds < kYieldRounds ? idle_rounds + 1 : 0;
    }
  }
}

int AgentRunner::Round() noexcept {
  int work = 0;
  for (const Member& member : agents_) work += RoundOf(member);
  return work;
}

int AgentRunner::RoundOf(const Member& member) noexcept {
  if (member.words == nullptr) return member.agent->DoWork();
  member.words->BeginRound();
  if (setup_.watch != nullptr) setup_.watch->NoteRound();
  const int work = member.agent->DoWork();
  member.words->EndRound();
  return work;
}

void AgentRunner::TakeChange() noexcept {
  // Acquire: pairs with the release in Ask().
  Change* const change = change_.load(std::memory_order_acquire);
  if (change == nullptr) return;
  if (change->is_addition) {
    agents_.push_back(change->member);
  } else {
    std::erase_if(agents_,
                  [change](const Member& member) { return member.agent == change->member.agent; });
  }
  lent_.clear();
  if (agents_.size() > 1) {
    for (const Member& member : agents_) lent_.push_back(&member.agent->bell());
  }
  // Release: all rounds so far. Pairs with the acquire in Ask().
  change_.store(nullptr, std::memory_order_release);
  change_.notify_one();
}

void AgentRunner::IdleRound(int idle_rounds) noexcept {
  if (setup_.sleeps_at_once) return Sleep();
  if (setup_.idle == Idle::kSpin) return Pause();
  if (setup_.idle == Idle::kBackOff && idle_rounds < kSpinRounds) return Pause();
  if (setup_.idle == Idle::kYield || idle_rounds < kYieldRounds) {
    sched_yield();
    return;
  }
  Sleep();
}

void AgentRunner::Sleep() noexcept {
  for (const Member& member : agents_) {
    if (member.words != nullptr) AddTo(member.words->sleeps, 1);
  }
  const auto should_wake = [this]() noexcept { return ShouldWake(); };
  if (agents_.size() == 1) {
    agents_.front().agent->bell().Wait(should_wake, SleepNs());
  } else {
    PAWL_CHECK(setup_.bell != nullptr);
    setup_.bell->WaitWith(lent_, should_wake, SleepNs());
  }
}

bool AgentRunner::ShouldWake() const noexcept {
  // Acquire: as in TakeChange().
  if (IsStopping() || change_.load(std::memory_order_acquire) != nullptr) return true;
  return std::any_of(agents_.begin(), agents_.end(),
                     [](const Member& member) { return member.agent->HasWork(); });
}

// The shortest of those that do not want to sleep for ever.
std::int64_t AgentRunner::SleepNs() const noexcept {
  std::int64_t shortest = -1;
  for (const Member& member : agents_) {
    const std::int64_t wanted = member.agent->sleep_ns();
    if (wanted >= 0 && (shortest < 0 || wanted < shortest)) shortest = wanted;
  }
  return shortest;
}

}  // namespace pawl::inline v0
