#include "kill_victim.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "counted_domain.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint32_t kWindow = 256;
// Commands of a life that stops by itself.
constexpr std::uint64_t kStopAfter = 3000;

void Raise(std::atomic<std::uint64_t>& word, std::uint64_t value) noexcept {
  // Relaxed: this thread is the only writer. Release: pairs with the acquire of the parent.
  if (value > word.load(std::memory_order_relaxed)) word.store(value, std::memory_order_release);
}

}  // namespace

EngineOptions EngineOptionsIn(const std::string& root) {
  return {.directory = root + "/log",
          .hot_directory = root + "/hot",
          .segment_bytes = kSegmentBytesMin,
          .undurable_bytes_max = 8 * kSegmentBytesMin,
          .streams_max = 16,
          .sessions_max = 4,
          .session_window = kWindow,
          .producers_max = 2,
          .agents_max = 1};
}

KillVictim::KillVictim(VictimOrders orders, VictimReport* report)
    : orders_(std::move(orders)), report_(report), random_(orders_.seed) {}

void KillVictim::Run() {
  EngineOptions options = EngineOptionsIn(orders_.root);
  if (orders_.fault == VictimFault::kUsesImagesAgain) options.storage = &thief_;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options, Aggregates<Teller>{});
  if (!engine.ok()) return report_->Tell({Finding::kRefused, engine.status().ToString()});
  engine_ = *std::move(engine);
  if (!Recover()) return;
  Work();
  producer_.reset();
  if (const absl::Status stopped = engine_->Stop(); !stopped.ok()) {
    report_->Tell({Finding::kBrokenRule, "stop: " + stopped.ToString()});
  }
}

// The session's newest command is the last one that the log holds: each was accepted, in order.
bool KillVictim::Recover() {
  absl::StatusOr<Producer> producer = engine_->NewProducer({.session = "teller"});
  if (!producer.ok()) {
    report_->Tell({Finding::kBrokenRule, "producer: " + producer.status().ToString()});
    return false;
  }
  producer_ = *std::move(producer);
  const std::uint64_t kept = producer_->last_sequence().value();
  // Acquire: pairs with the release of the life before, which is over.
  const std::uint64_t published = report_->published.load(std::memory_order_acquire);
  const std::uint64_t durable = report_->durable.load(std::memory_order_acquire);
  const std::uint64_t given = report_->given.load(std::memory_order_acquire);
  if (kept < std::max(published, durable) || kept > given) {
    report_->Tell(
        {kept > given ? Finding::kWrong : Finding::kLost,
         absl::StrCat("recovered ", kept, " commands; ", given, " were given, ", published,
                      " acknowledged as published and ", durable, " as durable")});
    return false;
  }
  next_ = kept + 1;
  // Release: pairs with the acquire of the parent.
  report_->kept.store(kept, std::memory_order_release);
  report_->lives.fetch_add(1, std::memory_order_release);
  return true;
}

void KillVictim::Work() {
  const std::uint64_t end = orders_.stops ? next_ + kStopAfter : UINT64_MAX;
  while (next_ < end || producer_->in_flight() > 0) {
    if (next_ < end) SubmitSome(*producer_);
    const std::size_t heard =
        producer_->Poll([this](const Completion& completion) noexcept { Hear(completion); });
    if (was_refused_) return;
    if (heard == 0) producer_->Wait(std::chrono::milliseconds(1));
  }
}

void KillVictim::SubmitSome(Producer& producer) {
  for (std::uint64_t count = 1 + random_.Below(kWindow); count > 0; --count) {
    // Before it can be in the log.
    Raise(report_->given, next_);
    const Ack ack = random_.OneIn(4) ? Ack::kDurable : Ack::kPublished;
    if (!producer.Submit<Teller>(kTheTeller, Tell{next_}, {.ack = ack})) return;
    if (orders_.fault == VictimFault::kAcksBeforePublish) Raise(report_->published, next_);
    ++next_;
  }
}

void KillVictim::Hear(const Completion& completion) {
  const std::uint64_t number = completion.sequence.value();
  if (!completion.verdict.is_accepted()) {
    report_->Tell({Finding::kBrokenRule, absl::StrCat("command ", number, " was refused")});
    was_refused_ = true;
    return;
  }
  Raise(completion.receipt.level == Ack::kDurable ? report_->durable : report_->published, number);
}

}  // namespace pawl::inline v0
