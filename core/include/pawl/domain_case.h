#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pawl/decision_stage.h"

namespace pawl::inline v0::testing {

// Where virtual time begins: 2020-01-01, 00:00.
inline constexpr std::chrono::sys_time<std::chrono::nanoseconds> kStartOfTime =
    std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);

// What happened so far, one command upon it, and what it is compared with: given, when, then
// without types and without a test framework. Every answer is what is wrong, for people; empty:
// nothing. Users write pawl/testing.h instead.
//   threads   one at a time
class DomainCase {
 public:
  // A command that waits to be decided, on as many stages as it takes.
  struct Command {
    const AggregateFormat* aggregate;
    Key key;
    std::string text;  // "Withdraw{cents: 500}"
    std::function<Decision(DecisionStage&, std::uint64_t now_ns)> decide;
  };

  // The case knows this type of aggregate, as an engine that was opened with it.
  void Open(const AggregateFormat& aggregate);
  void SetLimits(const Limits& limits) { limits_ = limits; }
  [[nodiscard]] std::string AddFact(Fact fact);
  // Time passes: timers that are due by then fire, each at its time, in the engine's order. If any
  // did, what they did is to be checked as if it were a command's.
  [[nodiscard]] std::string SetTime(std::uint64_t now_ns);
  std::uint64_t now_ns() const noexcept { return now_ns_; }

  // Decides a command upon the facts so far; those it emits become facts for the next one.
  [[nodiscard]] std::string Decide(const Command& command);
  // What is wrong with the command that ends here: events that nobody expected; nothing checked.
  [[nodiscard]] std::string EndCommand();
  // The same of the case.
  [[nodiscard]] std::string EndCase();

  // What became of the command. Each counts as a check.
  [[nodiscard]] std::string CheckEvents(const AggregateFormat& aggregate, const Key& key,
                                        std::span<const Fact> expected);
  [[nodiscard]] std::string CheckNothing();
  //   name      of the code; may be empty
  [[nodiscard]] std::string CheckRefused(std::uint16_t code, std::string_view name);
  [[nodiscard]] std::string CheckLimitExceeded();
  // A state is about to be looked at: of an accepted command, if nothing else was said.
  [[nodiscard]] std::string CheckState();
  // The aggregates as they are now.
  const DecisionStage& stage();
  const Decision& decision() noexcept {
    checked_ = Checked::kSomething;
    return decision_;
  }

 private:
  enum class Checked : std::uint8_t { kNothing, kSomething, kEvents };
  // Events of one stream that were compared.
  struct Claim {
    const AggregateFormat* aggregate;
    Key key;
  };

  // With room for so many streams more than there are, if the limits do not say how many.
  //   problem   what kept a fact from being evolved
  std::unique_ptr<DecisionStage> NewStage(std::uint32_t streams_more, std::string& problem) const;
  Decision DecideOnNewStage(const Command& command, std::uint32_t streams_more,
                            std::string& problem);
  void BeginCommand(std::string text, std::span<const std::string_view> refusals);
  Decision FireOnNewStage(std::uint64_t time_ns, std::uint32_t streams_more, std::string& problem);
  [[nodiscard]] std::string FireUntil(std::uint64_t time_ns);
  void TakeFired(const Fact& fired, const Decision& decision);
  std::size_t StreamsGiven() const;
  bool IsClaimed(const Fact& fact) const;

  std::string VerdictText() const;
  std::string EventsText(std::span<const Fact> events) const;

  std::vector<const AggregateFormat*> aggregates_;
  Limits limits_;
  std::vector<Fact> facts_;
  std::uint64_t now_ns_ = static_cast<std::uint64_t>(kStartOfTime.time_since_epoch().count());

  std::unique_ptr<DecisionStage> stage_;  // nullptr: not built since the last fact

  // Of the newest command.
  bool has_command_ = false;
  std::string command_text_;  // "Withdraw{cents: 500} on account 1"
  std::span<const std::string_view> refusals_;
  Decision decision_;
  Checked checked_ = Checked::kNothing;
  std::vector<Claim> claims_;
};

}  // namespace pawl::inline v0::testing
