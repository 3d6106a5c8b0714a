#include "pawl/domain_case.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "event_diff.h"
#include "pawl/check.h"
#include "pawl/format.h"

namespace pawl::inline v0::testing {
namespace {

// New streams that a stage has room for at first: few, since room for all that one command may make
// costs more than most cases.
constexpr std::uint32_t kStreamsMore = 8;
constexpr std::size_t kEventsShown = 20;    // of a list; what is more is counted
constexpr std::uint64_t kFiresMax = 1'000;  // of timers while time passes once

constexpr const char* kNotDeterministic =
    "Decide is not deterministic: decided twice on the same state, it said two things; it may use "
    "state, command, others and emit only, no clock, random number or static";

std::string StreamText(const AggregateFormat& aggregate, const Key& key) {
  return std::string(aggregate.traits->category) + " " + KeyText(key);
}

std::string CountText(std::size_t count) {
  return count == 1 ? "1 event" : std::to_string(count) + " events";
}

std::string RefusalText(std::uint16_t code, std::string_view name) {
  if (name.empty()) return "refused with code " + std::to_string(code);
  return "refused with " + std::string(name) + " (" + std::to_string(code) + ")";
}

}  // namespace

void DomainCase::Open(const AggregateFormat& aggregate) {
  if (std::find(aggregates_.begin(), aggregates_.end(), &aggregate) != aggregates_.end()) return;
  aggregates_.push_back(&aggregate);
  stage_.reset();
}

std::string DomainCase::AddFact(Fact fact) {
  if (fact.key.is_zero()) return "key 0 is reserved: no event can be on it";
  const EventFormat& format = fact.format();
  if (fact.bytes.size() > kRecordPayloadBytesMax) {
    return std::string(format.descriptor->name) + ": no event has more than 256 KiB";
  }
  if (format.decodes != nullptr && !format.decodes(fact.bytes)) {
    return EventText(fact) + ": its codec does not decode what it encoded";
  }
  Open(*fact.aggregate);
  if (fact.kind == FactKind::kTimerSet && fact.is_after) fact.due_ns = now_ns_ + fact.delay_ns;
  facts_.push_back(std::move(fact));
  stage_.reset();
  return {};
}

std::string DomainCase::SetTime(std::uint64_t now_ns) {
  if (now_ns < now_ns_) {
    return "virtual time would go back by " + std::to_string(now_ns_ - now_ns) +
           " ns; engine time never does";
  }
  std::string problem;
  const bool has_timers = std::any_of(aggregates_.begin(), aggregates_.end(),
                                      [](const auto* each) { return !each->timers.empty(); });
  if (has_timers) problem = FireUntil(now_ns);
  now_ns_ = now_ns;
  return problem.empty() ? problem : command_text_ + ": " + problem;
}

std::string DomainCase::FireUntil(std::uint64_t time_ns) {
  BeginCommand("while time passed", {});
  // If nothing fires there is nothing that has to be checked.
  checked_ = Checked::kSomething;
  std::string problem;
  for (std::uint64_t fires = 0; problem.empty(); ++fires) {
    if (stage_ == nullptr) stage_ = NewStage(0, problem);
    const std::optional<Fact> due = stage_->FirstDue(time_ns);
    if (!due.has_value()) break;
    if (fires == kFiresMax) {
      return std::to_string(fires) + " timers fired and there are more: do they set themselves " +
             "again without time passing? If not, let it pass in several steps";
    }
    if (fires == 0) checked_ = Checked::kNothing;
    now_ns_ = std::max(now_ns_, due->due_ns);
    std::uint32_t streams_more = kStreamsMore;
    Decision decision = FireOnNewStage(time_ns, streams_more, problem);
    if (decision.verdict.kind() == VerdictKind::kLimitExceeded && limits_.streams_max == 0) {
      streams_more = kCommitEventsMax;
      decision = FireOnNewStage(time_ns, streams_more, problem);
    }
    if (FireOnNewStage(time_ns, streams_more, problem) != decision) problem = kNotDeterministic;
    TakeFired(*due, decision);
  }
  return problem;
}

Decision DomainCase::FireOnNewStage(std::uint64_t time_ns, std::uint32_t streams_more,
                                    std::string& problem) {
  stage_ = NewStage(streams_more, problem);
  PAWL_CHECK(stage_->FirstDue(time_ns).has_value());
  return stage_->Fire(time_ns, now_ns_);
}

void DomainCase::TakeFired(const Fact& fired, const Decision& decision) {
  command_text_ += (command_text_.ends_with("passed") ? ": " : ", ") +
                   std::string(fired.format().descriptor->name) + " on " +
                   StreamText(*fired.aggregate, fired.key);
  facts_.push_back(fired);
  facts_.insert(facts_.end(), decision.events.begin(), decision.events.end());
  if (decision_.verdict.is_accepted() && !decision.verdict.is_accepted()) {
    decision_.verdict = decision.verdict;
    refusals_ = fired.aggregate->refusals;
  }
  decision_.events.insert(decision_.events.end(), decision.events.begin(), decision.events.end());
  stage_.reset();  // it decides once
}

void DomainCase::BeginCommand(std::string text, std::span<const std::string_view> refusals) {
  has_command_ = true;
  command_text_ = std::move(text);
  refusals_ = refusals;
  checked_ = Checked::kNothing;
  claims_.clear();
  decision_ = {};
}

std::size_t DomainCase::StreamsGiven() const {
  std::set<std::pair<const AggregateFormat*, Key>> streams;
  for (const Fact& fact : facts_) streams.emplace(fact.aggregate, fact.key);
  return streams.size();
}

std::unique_ptr<DecisionStage> DomainCase::NewStage(std::uint32_t streams_more,
                                                    std::string& problem) const {
  Limits limits = limits_;
  if (limits.streams_max == 0) {
    limits.streams_max = static_cast<std::uint32_t>(StreamsGiven()) + streams_more;
  }
  if (limits.timers_max == 0) {
    limits.timers_max = static_cast<std::uint32_t>(facts_.size()) + kCommitTimersMax;
  }
  auto stage = std::make_unique<DecisionStage>(aggregates_, limits, now_ns_);
  for (const Fact& fact : facts_) {
    if (stage->Evolve(fact)) continue;
    problem = "more streams of " + std::string(fact.aggregate->traits->category) +
              " are given than streams_max, " + std::to_string(limits.streams_max) + ", allows";
    if (fact.is_timer()) {
      problem += ", or more timers than timers_max, " + std::to_string(limits.timers_max);
    }
    break;
  }
  return stage;
}

Decision DomainCase::DecideOnNewStage(const Command& command, std::uint32_t streams_more,
                                      std::string& problem) {
  stage_ = NewStage(streams_more, problem);
  return command.decide(*stage_, now_ns_);
}

std::string DomainCase::Decide(const Command& command) {
  Open(*command.aggregate);
  BeginCommand(command.text + " on " + StreamText(*command.aggregate, command.key),
               command.aggregate->refusals);
  if (command.key.is_zero()) {
    return command_text_ + ": key 0 is reserved; a producer would not send it";
  }
  std::string problem;
  std::uint32_t streams_more = kStreamsMore;
  decision_ = DecideOnNewStage(command, streams_more, problem);
  if (decision_.verdict.kind() == VerdictKind::kLimitExceeded && limits_.streams_max == 0) {
    streams_more = kCommitEventsMax;  // whether it was for want of room here
    decision_ = DecideOnNewStage(command, streams_more, problem);
  }
  // The same facts, command and time: whatever differs came from elsewhere.
  if (DecideOnNewStage(command, streams_more, problem) != decision_) {
    problem = kNotDeterministic;
  }
  facts_.insert(facts_.end(), decision_.events.begin(), decision_.events.end());
  return problem.empty() ? problem : command_text_ + ": " + problem;
}

bool DomainCase::IsClaimed(const Fact& fact) const {
  return std::any_of(claims_.begin(), claims_.end(), [&fact](const Claim& claim) {
    return claim.aggregate == fact.aggregate && claim.key == fact.key;
  });
}

std::string DomainCase::EndCommand() {
  if (!std::exchange(has_command_, false)) return {};
  if (checked_ == Checked::kNothing) {
    return command_text_ +
           ": nothing was checked; say Then(…), ThenNothing(), ThenRefused(…) or ThenState(…)";
  }
  if (checked_ != Checked::kEvents || !decision_.verdict.is_accepted()) return {};
  std::vector<Fact> unexpected;
  for (const Fact& fact : decision_.events) {
    if (!IsClaimed(fact)) unexpected.push_back(fact);
  }
  if (unexpected.empty()) return {};
  return command_text_ +
         ": events on streams that no Then or ThenOn names:" + EventsText(unexpected);
}

std::string DomainCase::EndCase() {
  const bool is_empty = !has_command_ && checked_ == Checked::kNothing;
  return is_empty ? "nothing was checked: the case has neither When(…) nor ThenState(…)"
                  : EndCommand();
}

std::string DomainCase::CheckEvents(const AggregateFormat& aggregate, const Key& key,
                                    std::span<const Fact> expected) {
  checked_ = Checked::kEvents;
  claims_.push_back({&aggregate, key});
  if (!has_command_) return "nothing was decided: Then comes after When";
  const std::string stream = StreamText(aggregate, key);
  if (!decision_.verdict.is_accepted()) {
    return command_text_ + ": expected " + CountText(expected.size()) + " on " + stream + ", was " +
           VerdictText() + "; expected were:" + EventsText(expected);
  }
  std::vector<Fact> actual;
  for (const Fact& fact : decision_.events) {
    if (fact.aggregate == &aggregate && fact.key == key) actual.push_back(fact);
  }
  const std::string difference = DiffEvents(expected, actual);
  return difference.empty()
             ? difference
             : command_text_ + ": expected " + CountText(expected.size()) + " on " + stream +
                   ", and " + CountText(actual.size()) + " came:" + difference;
}

std::string DomainCase::CheckNothing() {
  checked_ = Checked::kSomething;
  if (!has_command_) return "nothing was decided: ThenNothing comes after When";
  if (decision_.verdict.is_accepted() && decision_.events.empty()) return {};
  return command_text_ + ": expected to be accepted without an event, was " + VerdictText() +
         EventsText(decision_.events);
}

std::string DomainCase::CheckRefused(std::uint16_t code, std::string_view name) {
  checked_ = Checked::kSomething;
  if (!has_command_) return "nothing was decided: ThenRefused comes after When";
  if (decision_.verdict == Refuse(code)) return {};
  return command_text_ + ": expected to be " + RefusalText(code, name) + ", was " + VerdictText() +
         EventsText(decision_.events);
}

std::string DomainCase::CheckLimitExceeded() {
  checked_ = Checked::kSomething;
  if (!has_command_) return "nothing was decided: ThenLimitExceeded comes after When";
  if (decision_.verdict.kind() == VerdictKind::kLimitExceeded) return {};
  return command_text_ + ": expected to exceed a limit, was " + VerdictText() +
         EventsText(decision_.events);
}

std::string DomainCase::CheckState() {
  const bool is_first =
      std::exchange(checked_, std::max(checked_, Checked::kSomething)) == Checked::kNothing;
  if (!is_first || !has_command_ || decision_.verdict.is_accepted()) return {};
  return command_text_ + ": expected to be accepted, was " + VerdictText();
}

const DecisionStage& DomainCase::stage() {
  std::string problem;
  if (stage_ == nullptr) stage_ = NewStage(0, problem);
  PAWL_CHECK(problem.empty());
  return *stage_;
}

std::string DomainCase::VerdictText() const {
  const pawl::Verdict verdict = decision_.verdict;
  switch (verdict.kind()) {
    case VerdictKind::kAccepted:
      return decision_.events.empty() ? "accepted without an event"
                                      : "accepted with " + CountText(decision_.events.size());
    case VerdictKind::kRefused: {
      const std::uint16_t code = verdict.code();
      return RefusalText(code, code < refusals_.size() ? refusals_[code] : std::string_view());
    }
    default:
      return "refused for a limit: more than 1024 events, more bytes than commit_bytes_max, one "
             "event over 256 KiB, more aggregates than streams_max, more timers than timers_max or "
             "than 256 in one command, an event on key 0, on a type that the case does not know "
             "(With(pawl::Aggregates<…>{})), on an aggregate that the command closed, or one that "
             "its own codec does not decode";
  }
}

std::string DomainCase::EventsText(std::span<const Fact> events) const {
  std::string text;
  for (const Fact& fact : events.first(std::min(events.size(), kEventsShown))) {
    text += "\n  " + StreamText(*fact.aggregate, fact.key) + ": " + EventText(fact);
  }
  if (events.size() > kEventsShown) {
    text += "\n  and " + CountText(events.size() - kEventsShown) + " more";
  }
  return text;
}

}  // namespace pawl::inline v0::testing
