#include "wake_pawl.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <string_view>
#include <thread>

#include "agent_threads.h"
#include "or_fail.h"
#include "pawl/engine.h"
#include "pawl/view.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::chrono::seconds kPatience{10};

struct Ring {
  std::uint64_t number;
};

struct Rung {
  static constexpr EventType kType{"bench.rung", 1};
  std::uint64_t number;
};

struct Bell {
  using Commands = pawl::Commands<Ring>;
  using Events = pawl::Events<Rung>;
  static constexpr std::string_view kCategory = "bell";
  enum Refusal : std::uint16_t { kOutOfOrder = 1 };
  struct State {
    std::uint64_t rung = 0;
  };
  static Verdict Decide(const State& state, const Ring& command, Emit<Bell>& emit) noexcept {
    if (command.number != state.rung + 1) return Refuse(kOutOfOrder);
    emit(Rung{command.number});
    return Accept();
  }
  static void Evolve(State& state, const Rung& event) noexcept { state.rung = event.number; }
};

struct Newest {
  using Events = pawl::Events<Rung>;
  static constexpr int kVersion = 1;
  std::uint64_t number = 0;
  std::uint64_t count = 0;

  void On(const Rung& event, const Meta&) noexcept {
    number = event.number;
    ++count;
  }
};

EngineOptions OptionsOf(const WakeOptions& wake, const std::string& directory) {
  EngineOptions options;
  options.directory = directory;
  options.threads = Threads::kOwn;
  options.idle = pawl::Idle::kBackOff;
  options.loop_core = wake.placement.loop_core;
  options.on_notice = [](std::string_view notice) {
    std::fprintf(stderr, "pawl: %.*s\n", static_cast<int>(notice.size()), notice.data());
  };
  return options;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

class WakePawl::Parts {
 public:
  explicit Parts(const WakeOptions& options)
      : options_(options),
        directory_(options.directory, "wake_pawl"),
        engine_(OrFail(Engine::Open(OptionsOf(options, directory_.path()), Aggregates<Bell>{}))),
        view_(OrFail(Project<Newest>(*engine_, {.core = options.placement.projector_core}))),
        producer_(OrFail(engine_->NewProducer({.session = "wake"}))),
        agents_("pawl-"),
        asleep_(agents_.size()),
        switches_(agents_.size()),
        idle_switches_(agents_.size()) {
    // The first commands make the stream and warm every path; from then on a command is one record.
    for (sent_ = 0; sent_ < kWarmUp;) {
      last_ = OrFail(producer_.Execute<Bell>(kBell, Ring{++sent_}, {.ack = Ack::kDurable}));
    }
  }

  WakeTimes Run(WakeSchedule& schedule) {
    std::vector<std::int64_t> intended_ns(options_.samples);
    std::vector<std::int64_t> seen_ns(options_.samples);
    const std::uint64_t first = sent_ + 1;
    const Receipt before = last_;
    const std::vector<std::uint64_t> switches_before = Switches();
    std::thread reader([&] {
      PinThisThread(options_.reader_core);
      for (std::uint64_t i = 0; i < options_.samples; ++i) {
        WaitToSee(Position(before.position.value() + i + 1), first + i);
        seen_ns[i] = SteadyNowNs();
      }
    });
    WakeTimes times;
    schedule.Begin();
    for (std::uint64_t i = 0; i < options_.samples; ++i) {
      intended_ns[i] = schedule.Next();
      WakeSchedule::WaitFor(intended_ns[i], [this] { LookWhoSleeps(); });
      Histogram& answered = i % 2 == 0 ? times.published : times.durable;
      SendAndWait(i % 2 == 0 ? Ack::kPublished : Ack::kDurable);
      answered.Record(SteadyNowNs() - intended_ns[i]);
    }
    reader.join();
    for (std::uint64_t i = 0; i < options_.samples; ++i) {
      times.visible.Record(seen_ns[i] - intended_ns[i]);
    }
    AddSwitches(switches_, switches_before);
    return times;
  }

  double MeasureIdle(std::uint64_t milliseconds) {
    // The sync agent writes down its last sync 10 ms after it, and the preparer ends its segment.
    SleepUntil(SteadyNowNs() + 500'000'000);
    const std::vector<std::uint64_t> before = Switches();
    const double cpu_before = CpuSeconds();
    const std::int64_t begin_ns = SteadyNowNs();
    SleepUntil(begin_ns + static_cast<std::int64_t>(milliseconds) * 1'000'000);
    const double cpu_seconds = CpuSeconds() - cpu_before;
    idle_seconds_ = static_cast<double>(SteadyNowNs() - begin_ns) / 1e9;
    AddSwitches(idle_switches_, before);
    return cpu_seconds / idle_seconds_;
  }

  [[nodiscard]] std::vector<AgentRest> Rest() const {
    std::vector<AgentRest> rest;
    const auto commands = static_cast<double>(sent_ - kWarmUp);
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      rest.push_back(
          {.name = agents_.name(i),
           .asleep_share = static_cast<double>(asleep_[i]) / commands,
           .switches_per_command = static_cast<double>(switches_[i]) / commands,
           .idle_switches_per_second = static_cast<double>(idle_switches_[i]) / idle_seconds_});
    }
    return rest;
  }

  [[nodiscard]] bool is_verified() const {
    const bool is_view_right = view_.Read([this](const Newest& newest) noexcept {
      return newest.number == sent_ && newest.count == sent_;
    });
    return is_right_ && is_seen_ && is_view_right;
  }

 private:
  static constexpr std::uint64_t kWarmUp = 100;
  static constexpr Key kBell{1};

  // The sender.
  void SendAndWait(Ack ack) {
    const Sent sent = producer_.Submit<Bell>(kBell, Ring{++sent_}, {.ack = ack});
    if (!sent) Fail(std::string(sent.reason()));
    std::size_t answers = 0;
    for (int waits = 0; answers == 0; ++waits) {
      if (waits > kPatience / std::chrono::seconds(1)) Fail("no answer in time");
      producer_.Wait(std::chrono::seconds(1));
      answers = producer_.Poll([&](const Completion& completion) noexcept {
        is_right_ = is_right_ && completion.verdict.is_accepted() &&
                    completion.sequence == sent.sequence() && completion.receipt.level >= ack &&
                    completion.receipt.position.value() == last_.position.value() + 1;
        last_ = completion.receipt;
      });
    }
    is_right_ = is_right_ && answers == 1;
  }

  // The reader: asleep in AtLeast until the view has the command's event.
  void WaitToSee(Position position, std::uint64_t number) {
    const std::uint64_t newest =
        OrFail(view_.Read(AtLeast(position, kPatience),
                          [](const Newest& projection) noexcept { return projection.number; }));
    is_seen_ = is_seen_ && newest >= number;
  }

  void LookWhoSleeps() {
    for (std::size_t i = 0; i < agents_.size(); ++i) asleep_[i] += agents_.IsAsleep(i) ? 1U : 0U;
  }

  [[nodiscard]] std::vector<std::uint64_t> Switches() const {
    std::vector<std::uint64_t> switches;
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      switches.push_back(agents_.VoluntarySwitches(i));
    }
    return switches;
  }

  void AddSwitches(std::vector<std::uint64_t>& to, const std::vector<std::uint64_t>& before) const {
    const std::vector<std::uint64_t> now = Switches();
    for (std::size_t i = 0; i < now.size(); ++i) to[i] += now[i] - before[i];
  }

  const WakeOptions& options_;
  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
  View<Newest> view_;
  Producer producer_;
  AgentThreads agents_;
  // The sender's thread only.
  std::uint64_t sent_ = 0;
  Receipt last_;
  bool is_right_ = true;
  std::vector<std::uint64_t> asleep_;
  std::vector<std::uint64_t> switches_;
  std::vector<std::uint64_t> idle_switches_;
  double idle_seconds_ = 1;
  // The reader's thread only, until it is joined.
  bool is_seen_ = true;
};

WakePawl::WakePawl(const WakeOptions& options) : parts_(std::make_unique<Parts>(options)) {}
WakePawl::~WakePawl() = default;
WakeTimes WakePawl::Run(WakeSchedule& schedule) { return parts_->Run(schedule); }
double WakePawl::MeasureIdle(std::uint64_t milliseconds) {
  return parts_->MeasureIdle(milliseconds);
}
std::vector<AgentRest> WakePawl::Rest() const { return parts_->Rest(); }
bool WakePawl::is_verified() const { return parts_->is_verified(); }

}  // namespace pawl::inline v0::bench
