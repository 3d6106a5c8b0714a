#include "bank_pawl.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bank_workload.h"
#include "core_distance.h"
#include "or_fail.h"
#include "pawl/engine.h"
#include "pawl/log_reader.h"
#include "pawl/view.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSubmitBatch = 256;  // As the rivals' queue batches.
constexpr std::uint64_t kBatchesPerLook = 64;
constexpr std::uint64_t kLogBytesPerCommandMax = 112;  // The byte budget of the format.
constexpr std::uint64_t kSegmentGrainBytes = std::uint64_t{16} << 20U;

struct Posted {
  static constexpr EventType kType{"bench.posted", 1};
  std::uint64_t account;
  std::int64_t delta_cents;
  std::uint64_t sequence;
  std::uint64_t kind;
  std::array<std::uint64_t, 4> memo;
};
static_assert(sizeof(Posted) == sizeof(BankEvent));

struct BankAccount {
  using Commands = pawl::Commands<BankCommand>;
  using Events = pawl::Events<Posted>;
  static constexpr std::string_view kCategory = "account";
  enum Refusal : std::uint16_t { kInsufficientFunds = 1 };
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State& state, const BankCommand& command,
                        Emit<BankAccount>& emit) noexcept {
    // Which of the two it is cannot be predicted: no branch, as in the reference, where the
    // compiler makes it so by itself.
    const auto sign = -static_cast<std::int64_t>(command.kind == BankKind::kWithdraw);
    const std::int64_t delta = (command.cents ^ sign) - sign;
    if (state.cents + delta < 0) return Refuse(kInsufficientFunds);
    emit(Posted{.account = command.account,
                .delta_cents = delta,
                .sequence = command.sequence,
                .kind = static_cast<std::uint64_t>(command.kind),
                .memo = command.memo});
    return Accept();
  }
  static void Evolve(State& state, const Posted& event) noexcept {
    state.cents += event.delta_cents;
  }
};

struct Balances {
  using Events = pawl::Events<Posted>;
  static constexpr int kVersion = 1;
  static inline std::size_t accounts = 0;  // Set before the first of them is made.
  std::vector<std::int64_t> cents = std::vector<std::int64_t>(accounts);

  void On(const Posted& event, const Meta&) noexcept { cents[event.account] += event.delta_cents; }
};

EngineOptions OptionsOf(const BankOptions& bank, const std::string& directory) {
  const std::uint64_t run_bytes = bank.commands * kLogBytesPerCommandMax;
  const std::uint64_t grains = run_bytes / kSegmentGrainBytes + 1;
  EngineOptions options;
  options.directory = directory;
  // One segment holds the run: making the next one ready is work of another time.
  options.segment_bytes = grains * kSegmentGrainBytes;
  options.segments_ahead = 1;
  options.undurable_bytes_max = options.segment_bytes;
  options.streams_max = static_cast<std::uint32_t>(bank.accounts);
  options.session_window = static_cast<std::uint32_t>(bank.window);
  options.idle = bank.idle == Idle::kSpin ? pawl::Idle::kSpin : pawl::Idle::kYield;
  options.loop_core = bank.placement.loop_core;
  options.disk_core = bank.placement.producer_core;
  options.on_notice = [](std::string_view notice) {
    std::fprintf(stderr, "pawl: %.*s\n", static_cast<int>(notice.size()), notice.data());
  };
  return options;
}

class PawlRun {
 public:
  explicit PawlRun(const BankOptions& options)
      : options_(options),
        directory_(options.directory, "bank_pawl"),
        engine_(
            OrFail(Engine::Open(OptionsOf(options, directory_.path()), Aggregates<BankAccount>{}))),
        view_(MakeView(options, *engine_)),
        producer_(OrFail(engine_->NewProducer({.session = "bench"}))) {
    while (engine_->log().ready_segments() < OptionsOf(options, directory_.path()).segments_ahead)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    log_begin_ = engine_->log().published().value();
  }

  BankResult Run() {
    const double before_ns = CoreDistanceNs(options_.placement);
    std::thread producer([this] { Produce(); });
    producer.join();
    const double after_ns = CoreDistanceNs(options_.placement);
    const std::chrono::duration<double> seconds = ended_ - begun_;
    BankResult result{.seconds = seconds.count(),
                      .commands = options_.commands,
                      .accepted = accepted_,
                      .log_bytes = engine_->log().published().value() - log_begin_,
                      .undurable_bytes_max = undurable_bytes_max_,
                      .core_to_core_ns_before = before_ns,
                      .core_to_core_ns_after = after_ns};
    result.is_verified = IsRight();
    OrFail(engine_->Stop());
    return result;
  }

 private:
  static View<Balances> MakeView(const BankOptions& options, Engine& engine) {
    Balances::accounts = options.accounts;
    return OrFail(Project<Balances>(engine, {.core = options.placement.projector_core}));
  }

  void Produce() {
    PinThisThread(options_.placement.producer_core);
    BankCommands commands(options_.seed, options_.accounts);
    begun_ = Clock::now();
    for (std::uint64_t sent = 0; sent < options_.commands;) {
      const std::uint64_t count = std::min<std::uint64_t>(kSubmitBatch, options_.commands - sent);
      Submit(commands, static_cast<std::uint32_t>(count));
      sent += count;
    }
    while (answered_ < options_.commands) {
      if (PollCompletions() == 0) IdleOnce(options_.idle);
    }
    while (view_.position() < last_position_ && view_.status().ok()) IdleOnce(options_.idle);
    ended_ = Clock::now();
  }

  // The next `count` commands.
  void Submit(BankCommands& commands, std::uint32_t count) {
    const auto fill = [&commands](std::uint32_t, Key& key, BankCommand& command) noexcept {
      commands.Next(command);
      key = Key(command.account + 1);  // Key 0 is reserved.
    };
    while (count != 0) {
      const SentBatch sent =
          producer_.SubmitBatch<BankAccount, BankCommand>(count, fill, {.ack = Ack::kPublished});
      count -= sent.count;
      const bool is_back_pressure =
          sent.fault == SendFault::kNone || sent.fault == SendFault::kWindowFull;
      if (!is_back_pressure) Fail(std::string(Sent(sent.fault).reason()));
      PollCompletions();
      if (sent.fault == SendFault::kNone) continue;
      // Not until the next batch fits: the projector, with whom this thread shares a core, has its
      // turn meanwhile, and a switch is dearer than a batch.
      while (producer_.in_flight() > producer_.window() / 2) {
        if (PollCompletions() == 0) IdleOnce(options_.idle);
      }
    }
    // Looked at now and then: each look fetches two lines from the other core.
    if (++batches_ % kBatchesPerLook != 0) return;
    const std::uint64_t durable = engine_->log().durable().value();
    const std::uint64_t published = engine_->log().published().value();
    undurable_bytes_max_ = std::max(undurable_bytes_max_, published - durable);
  }

  std::size_t PollCompletions() {
    const std::size_t count = producer_.PollRanges([this](const CompletionRange& range) noexcept {
      if (!range.verdict().is_accepted()) return;
      accepted_ += range.count();
      last_position_ = range.receipt(range.count() - 1).position;
    });
    answered_ += count;
    return count;
  }

  // Every record of the log is the one expected; aggregates and view hold the same balances.
  bool IsRight() {
    BankOracle oracle(options_.seed, options_.accounts, options_.commands);
    LogReader reader = engine_->log().NewReader();
    const Address end = engine_->log().published();
    for (const FrameHeader* frame = nullptr; (frame = reader.NextFrame(end)) != nullptr;) {
      ForEachRecord(*frame, [&oracle](const RecordView& record) {
        if (record.header.kind != RecordKind::kEvent) return;
        BankEvent event;
        std::memcpy(&event, record.payload(), sizeof event);
        oracle.ExpectNext(event);
      });
    }
    const BankTotals projected =
        view_.Read([](const Balances& balances) noexcept { return TotalsOf(balances.cents); });
    return reader.status().ok() && oracle.Holds(projected) && oracle.accepted() == accepted_ &&
           AggregateTotals() == projected;
  }

  // An account that no command reached has balance 0, in the oracle too.
  BankTotals AggregateTotals() {
    std::vector<std::int64_t> balances(options_.accounts);
    const absl::Status visited = engine_->VisitAggregates<BankAccount>(
        [&balances](const Key& key, Version, const BankAccount::State& state) {
          balances[key.low - 1] = state.cents;
        });
    OrFail(visited);
    return TotalsOf(balances);
  }

  const BankOptions& options_;
  TemporaryDirectory directory_;
  std::unique_ptr<Engine> engine_;
  View<Balances> view_;
  Producer producer_;
  std::uint64_t log_begin_ = 0;
  // The producer's thread only, until it is joined.
  std::uint64_t answered_ = 0;
  std::uint64_t accepted_ = 0;
  Position last_position_;
  std::uint64_t batches_ = 0;
  std::uint64_t undurable_bytes_max_ = 0;
  Clock::time_point begun_;
  Clock::time_point ended_;
};

BankResult RunPawl(const BankOptions& options) { return PawlRun(options).Run(); }

}  // namespace

const BankSubject kPawl{
    .name = "pawl",
    .description = "the engine: ack published, all checks, sync agent on, hot images for the run",
    .commands_default = 20'000'000,
    .run = RunPawl};

}  // namespace pawl::inline v0::bench
