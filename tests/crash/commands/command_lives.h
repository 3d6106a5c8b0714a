#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "command_model.h"
#include "pawl/check.h"
#include "pawl/clock.h"
#include "pawl/engine.h"
#include "sim_random.h"
#include "sim_storage.h"

namespace pawl::inline v0 {

// What the command campaign counted.
struct CommandTally {
  std::uint64_t commands = 0;  // sent and judged
  std::uint64_t cuts = 0;      // lives that a power cut ended
  std::uint64_t kills = 0;     // … the death of the process
  std::uint64_t stops = 0;     // … a clean stop
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::uint64_t conflicts = 0;
  std::uint64_t over_limit = 0;
  std::uint64_t fenced = 0;
  std::uint64_t resends = 0;  // answered as duplicates
  std::uint64_t expired = 0;
  std::uint64_t closed = 0;  // aggregates
  std::uint64_t timers_fired = 0;
  std::uint64_t timers_refused = 0;
  std::uint64_t timers_overdue = 0;  // lives that began with some
  std::uint64_t bulk = 0;            // of bulk lanes
  std::uint64_t strangers = 0;       // of sessions that were closed
  std::uint64_t key_duplicates = 0;  // answered by their key
  std::uint64_t key_reuses = 0;      // whose key was another command's
  std::uint64_t keys_passed = 0;     // sent again when the key's window had passed
  std::uint64_t closings = 0;
  std::uint64_t idle_closings = 0;
  std::uint64_t interrupted_closings = 0;  // by a crash
  std::uint64_t lost = 0;                  // under way when the power went: not there afterwards
  std::uint64_t differences = 0;

  void Add(const CommandTally& other);
  // One JSON object without its closing brace.
  std::string ToJson() const;
  // What a large campaign must have met and did not.
  std::string Unmet() const;
};

// Time that goes on by itself, the same in every run; and by hours, when it is told.
class CampaignClock final : public Clock {
 public:
  static constexpr std::uint64_t kHourNs = 3'600'000'000'000;

  std::uint64_t WallNs() noexcept override { return kStartNs + ns_; }
  std::uint64_t BootNs() noexcept override { return ns_ += 1000; }
  void Advance(std::uint64_t ns) noexcept { ns_ += ns; }

  // The full hour that was last. Nothing takes an hour by itself.
  std::uint64_t hour_ns() const noexcept { return kStartNs + hour_ * kHourNs; }
  // As late as it can be: all that is due around the last full hour is due.
  std::uint64_t now_ns() const noexcept { return hour_ns() + kHourNs / 2; }
  void PassHours(std::uint64_t hours) noexcept {
    PAWL_CHECK(ns_ < (hour_ + 1) * kHourNs);
    hour_ += hours;
    ns_ = hour_ * kHourNs;
  }

 private:
  static constexpr std::uint64_t kStartNs = 1'800'000'000'000'000'000;
  std::uint64_t ns_ = 0;
  std::uint64_t hour_ = 0;
};

// One log through several lives of an engine on a simulated machine: random commands of several
// producers, each life ended by a power cut, the death of the process or a stop, and everything the
// engine says compared with the model.
//   threads   one
class CommandLives {
 public:
  static constexpr int kLives = 6;
  static constexpr std::uint64_t kCommandsOfLife = 1'500;

  CommandLives(std::uint64_t seed, std::uint64_t number, CommandTally& tally);

  // Runs them all.
  //   returns   the first difference, in words; empty: there was none
  std::string Run();

 private:
  struct Sender {
    std::optional<Producer> producer;
    CommandModel::Sender who;
  };
  // Commands of one sender that are under way together, and what came back.
  struct Batch {
    CommandModel::Sender who{};
    Ack ack = Ack::kDurable;
    std::vector<DrawnCommand> commands{};
    std::vector<Completion> answers{};
  };
  enum class End : std::uint8_t { kStop, kCut, kKill };

  bool OpenEngine();
  bool OpenSenders();
  bool OpenProducer(std::size_t index);
  bool OpenAgain(std::size_t index);
  bool OpenAgainAll(std::uint32_t session);
  void Tick();
  bool Close();
  bool CloseIdle();
  void LiveOn();
  void ArmCrash(std::uint64_t ops);
  bool IsCrashed() const noexcept { return next_machine_ != nullptr; }
  void EndLife();

  bool SettleTimers();
  void PassHours();
  std::uint64_t DrawDue();
  void DrawTimers(DrawnCommand& drawn);
  DrawnCommand Draw(const Sender& sender);
  DrawnCondition DrawCondition(const StreamName& stream);
  void DrawKey(DrawnCommand& drawn);
  void Send(Sender& sender, Batch& batch);
  bool SendOne(Producer& producer, const DrawnCommand& command, Ack ack);
  void RunEngine(Producer& producer, Batch& batch);
  void Judge(const Batch& batch);
  void JudgeOne(const Batch& batch, std::size_t index, const ModelAnswer& wanted);
  void Count(const DrawnCommand& command, const ModelAnswer& answer);
  std::size_t CommandsOwed() const;
  void JudgeHash();
  void JudgeSurvivors();
  void FireOverdue(CommandModel& model) const;
  bool JudgeSurvivorsOf(CommandModel after);
  bool IsLikeEngine(const CommandModel& model);
  bool HasClosedAsMany(const CommandModel& model) const;
  CommandModel::Shown StreamsOfEngine();
  std::set<CommandModel::ShownTimer> TimersOfEngine();
  void Differ(const std::string& what);

  CommandTally& tally_;
  SimRandom random_;
  CampaignClock clock_;
  CommandModel model_;
  std::unique_ptr<SimStorage> machine_;
  std::unique_ptr<Engine> engine_;
  std::vector<Sender> senders_;
  std::deque<DrawnCommand> keyed_;   // sent with a key lately, to be sent again
  std::deque<DrawnCommand> passed_;  // executed with a key lately
  End end_ = End::kStop;
  std::unique_ptr<SimStorage> next_machine_;  // as the crash left it
  std::function<void()> take_answers_;        // of the batch under way
  Batch interrupted_;                         // by a crash, and not judged yet
  std::uint32_t interrupted_closing_ = 0;     // session; by a crash, and not judged yet
  bool was_cut_ = false;                      // since it was interrupted
  std::optional<HashSum> hash_at_stop_;       // of the life before, if it ended by a stop
  std::string difference_;
  int life_ = 0;
};

}  // namespace pawl::inline v0
