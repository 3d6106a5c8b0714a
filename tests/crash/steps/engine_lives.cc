// The lives of the engine scenario.

#include <chrono>
#include <memory>
#include <optional>

#include "bank.h"
#include "pawl/check.h"
#include "plan.h"
#include "scenario.h"

namespace pawl::inline v0 {
namespace {

enum Phase : std::uint32_t {
  kCreate = 1,
  kSession,
  kPublish,
  kSync,
  kStop,
  kKilledPublish,
  kRecovery,
};
constexpr const char* kPhases[] = {"engine_create",  "engine_session", "engine_publish",
                                   "engine_sync",    "engine_stop",    "killed_engine_publish",
                                   "engine_recovery"};

class EngineVictim {
 public:
  explicit EngineVictim(const VictimOrders& orders) : orders_(orders) {}

  void At(Phase phase) { Mark(*orders_.progress, phase); }

  void Open(Phase phase) {
    At(phase);
    auto opened = Engine::Open(BankOptions(orders_.root, orders_.storage, &clock_),
                               Aggregates<SteppedAccount>{});
    PAWL_CHECK(opened.ok());
    engine_ = *std::move(opened);
    Tell(orders_.progress->life, Told(orders_.progress->life) + 1);
    At(kSession);
    auto made = engine_->NewProducer({.session = "teller"});
    PAWL_CHECK(made.ok());
    producer_.emplace(*std::move(made));
    number_ = producer_->last_sequence().value();
  }

  // Submit → Poll → published, `commands` in one turn of the loop.
  void Publish(int commands) {
    for (int i = 0; i < commands; ++i) Submit();
    int answers = 0;
    while (answers < commands) {
      engine_->Poll(std::chrono::nanoseconds(0));
      producer_->Poll([&answers](const Completion& completion) noexcept {
        PAWL_CHECK(completion.verdict.is_accepted());
        ++answers;
      });
    }
    Tell(orders_.progress->published, number_);
  }
  void Sync() {
    while (engine_->log().durable() < engine_->log().published()) {
      engine_->Poll(std::chrono::nanoseconds(0));
    }
    Tell(orders_.progress->durable, number_);
  }
  void Stop() { PAWL_CHECK(engine_->Stop().ok()); }

 private:
  void Submit() {
    constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
    const PlannedTransfer planned = PlannedCommand(orders_.seed, number_);
    Tell(orders_.progress->begun, ++number_);
    const Sent sent =
        planned.from == 0
            ? producer_->Submit<SteppedAccount>(Key(planned.to), PutIn{planned.cents}, kQuick)
            : producer_->Submit<SteppedAccount>(Key(planned.from),
                                                MoveTo{Key(planned.to), planned.cents}, kQuick);
    PAWL_CHECK(static_cast<bool>(sent));
  }

  const VictimOrders& orders_;
  std::uint64_t number_ = 0;  // of the next command
  SteppedClock clock_;
  std::unique_ptr<Engine> engine_;
  std::optional<Producer> producer_;
};

void FirstLife(EngineVictim& victim) {
  victim.Open(kCreate);
  victim.At(kPublish);
  for (const int commands : {1, 3, 1, 1, 4, 1}) victim.Publish(commands);
  victim.At(kSync);
  victim.Sync();
  victim.At(kStop);
  victim.Stop();
}

void SecondLife(EngineVictim& victim) {
  victim.Open(kRecovery);
  victim.Publish(4);
  victim.At(kKilledPublish);
  victim.Publish(8);
}

void LastLife(EngineVictim& victim) {
  victim.Open(kRecovery);
  victim.At(kPublish);
  victim.Publish(2);
  victim.At(kStop);
  victim.Stop();
}

void Live(std::uint32_t life, const VictimOrders& orders) {
  constexpr void (*kLives[])(EngineVictim&) = {FirstLife, SecondLife, LastLife};
  EngineVictim victim(orders);
  kLives[life](victim);
  Mark(*orders.progress, kPhaseOver);
}

}  // namespace

const Scenario kEngineScenario = {.name = "engine", .phases = kPhases, .lives = 3, .live = Live};

}  // namespace pawl::inline v0
