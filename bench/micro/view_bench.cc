// Question: what does a query of a small view cost, idle and while the view is updated as fast as
// it can be, and how far does it hold the updates up? Beside it the same model behind a
// std::shared_mutex.
//
// Host-driven: one other thread submits a command and runs loop and projector, so that reader and
// updates have a core each; the disk agents keep their threads.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <thread>
#include <utility>

#include <benchmark/benchmark.h>

#include "or_fail.h"
#include "pawl/engine.h"
#include "pawl/view.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

struct Add {
  std::int64_t amount;
};

struct Added {
  static constexpr EventType kType{"bench.added", 1};
  std::int64_t amount;
};

struct Sum {
  using Commands = pawl::Commands<Add>;
  using Events = pawl::Events<Added>;
  static constexpr std::string_view kCategory = "sum";
  struct State {
    std::int64_t total = 0;
  };
  static Verdict Decide(const State&, const Add& command, Emit<Sum>& emit) noexcept {
    emit(Added{command.amount});
    return Accept();
  }
  static void Evolve(State& state, const Added& event) noexcept { state.total += event.amount; }
};

constexpr std::int64_t kAmount = 7;

// Whole only if total is kAmount × count.
struct Totals {
  using Events = pawl::Events<Added>;
  static constexpr int kVersion = 1;
  std::int64_t count = 0;
  std::int64_t total = 0;

  void On(const Added& event, const Meta&) noexcept {
    ++count;
    total += event.amount;
  }
  [[nodiscard]] bool IsWhole() const noexcept { return total == kAmount * count; }
};

// Runs `update` over and over on a thread of its own; has done so at least once when it is made.
class Updates {
 public:
  template <class F>
  explicit Updates(F update)
      : thread_([this, update]() mutable {
          update();
          is_begun_.store(true, std::memory_order_relaxed);  // Relaxed: only says that it runs.
          // Relaxed: only says when to stop.
          while (!is_over_.load(std::memory_order_relaxed)) update();
        }) {
    // Relaxed: as above.
    while (!is_begun_.load(std::memory_order_relaxed)) std::this_thread::yield();
  }
  Updates(const Updates&) = delete;
  Updates& operator=(const Updates&) = delete;
  ~Updates() {
    is_over_.store(true, std::memory_order_relaxed);  // Relaxed: as above; join() orders the rest.
    thread_.join();
  }

 private:
  // Writer: the thread. Reader: its maker. Guards nothing.
  std::atomic<bool> is_begun_{false};
  // Writer: its maker. Reader: the thread. Guards nothing.
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

class SummingEngine {
 public:
  SummingEngine()
      : directory_(".", "view_bench"),
        engine_(OrFail(Engine::Open({.directory = directory_.path(), .threads = Threads::kHost},
                                    Aggregates<Sum>{}))),
        view_(OrFail(Project<Totals>(*engine_))),
        producer_(OrFail(engine_->NewProducer())) {
    while (accepted_ < 1'000) Update();
  }

  // One command through loop and projector: one more frame for the view to show.
  void Update() {
    if (producer_.Submit<Sum>(Key(1), Add{kAmount}, {.ack = Ack::kPublished})) ++sent_;
    engine_->Poll(std::chrono::nanoseconds(0));
    Collect();
  }

  // Runs the engine until it rests; the view then holds every command's event.
  bool IsRight() {
    while (engine_->Poll() > 0) Collect();
    Collect();
    const Totals totals = view_.Read([](const Totals& t) noexcept { return t; });
    return accepted_ == sent_ && totals.count == sent_ && totals.IsWhole() && view_.status().ok();
  }

  [[nodiscard]] const View<Totals>& view() const { return view_; }

 private:
  void Collect() {
    producer_.Poll([this](const Completion& completion) noexcept {
      accepted_ += completion.verdict.is_accepted() ? 1 : 0;
    });
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
  View<Totals> view_;
  Producer producer_;
  std::int64_t sent_ = 0;
  std::int64_t accepted_ = 0;
};

// Reads with `read` and checks that no state is torn and none older than one seen before.
template <class Read>
void ReadAll(benchmark::State& state, Read&& read) {
  std::int64_t newest = 0;
  bool is_right = true;
  const std::int64_t first = read().count;
  for (auto _ : state) {
    const Totals totals = read();
    is_right = is_right && totals.IsWhole() && totals.count >= newest;
    newest = totals.count;
  }
  if (!is_right) state.SkipWithError("a state torn or older than the one before");
  state.counters["updates"] =
      benchmark::Counter(static_cast<double>(newest - first), benchmark::Counter::kIsRate);
}

void ReadView(benchmark::State& state, bool is_updated) {
  SummingEngine engine;
  const auto read = [&engine] {
    return engine.view().Read([](const Totals& totals) noexcept { return totals; });
  };
  if (is_updated) {
    const Updates updates([&engine] { engine.Update(); });
    ReadAll(state, read);
  } else {
    ReadAll(state, read);
  }
  if (!engine.IsRight()) state.SkipWithError("the view differs from what was accepted");
}

void ViewReadIdle(benchmark::State& state) { ReadView(state, false); }
BENCHMARK(ViewReadIdle)->UseRealTime();

void ViewReadUpdated(benchmark::State& state) { ReadView(state, true); }
BENCHMARK(ViewReadUpdated)->UseRealTime();

// What others do for the same: one copy and a lock.
class LockedTotals {
 public:
  void Update() {
    const std::unique_lock lock(mutex_);
    ++totals_.count;
    totals_.total += kAmount;
  }
  Totals Read() const {
    const std::shared_lock lock(mutex_);
    return totals_;
  }

 private:
  mutable std::shared_mutex mutex_;
  Totals totals_;
};

void ReadLocked(benchmark::State& state, bool is_updated) {
  LockedTotals locked;
  const auto read = [&locked] { return locked.Read(); };
  if (is_updated) {
    const Updates updates([&locked] { locked.Update(); });
    ReadAll(state, read);
  } else {
    ReadAll(state, read);
  }
}

void ViewRivalSharedMutexIdle(benchmark::State& state) { ReadLocked(state, false); }
BENCHMARK(ViewRivalSharedMutexIdle)->UseRealTime();

void ViewRivalSharedMutexUpdated(benchmark::State& state) { ReadLocked(state, true); }
BENCHMARK(ViewRivalSharedMutexUpdated)->UseRealTime();

}  // namespace
}  // namespace pawl::inline v0::bench
