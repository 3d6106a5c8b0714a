#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cut_choices.h"
#include "history.h"
#include "life.h"
#include "sim_random.h"
#include "sim_storage.h"
#include "tally.h"

namespace pawl::inline v0 {

// States that one workload gives; state number n is slot n % kStatesPerCase of case
// n / kStatesPerCase.
inline constexpr std::uint64_t kStatesPerCase = 10;

struct PowerCutOptions {
  std::uint64_t seed = 1;
  std::uint32_t steps_limit = ~0U;  // of each first life: shrinks a failing case
  SimLies lies;                     // a broken machine
  bool acks_published = false;      // a broken oracle: acknowledges before the sync
};

// A crash image, with all that is needed to judge it.
struct Caught {
  std::unique_ptr<SimStorage> machine;
  LogHistory history;
  std::uint64_t owed = 0;
  bool is_kill = false;
  bool is_within_open = false;  // before the log was open
  std::string where;            // for a report
};

// Runs a seeded workload on a simulated machine, catches it at random operations, and follows each
// image through three lives: recover, judge, write on, be cut or killed again.
class PowerCuts {
 public:
  using OnFailure = std::function<void(const std::string&)>;

  PowerCuts(const PowerCutOptions& options, Tally* tally, OnFailure on_failure)
      : options_(options), tally_(tally), on_failure_(std::move(on_failure)) {}

  // Slots first … last − 1 of a case; with slot 0 also its kills and flips.
  void RunCase(std::uint64_t number, std::uint64_t first, std::uint64_t last);
  // Every subset of what is not synced, at every operation of a small workload.
  void RunExhaustive(std::uint64_t number);
  // The smallest steps_limit with which the case still fails.
  static std::uint32_t Shrink(const PowerCutOptions& options, std::uint64_t number);

 private:
  enum class Catch : std::uint8_t { kCut, kKill, kEither };
  // Keeps a uniform sample of the operations offered.
  struct Sample {
    Catch how = Catch::kCut;
    std::size_t size = 1;
    SimRandom random{0};
    std::uint64_t offered = 0;
    std::vector<Caught> caught;
  };

  void FirstLife(std::uint64_t number, std::vector<Sample>& samples);
  void Offer(const SimStorage& machine, const Life& life, const SimOp* op, Sample& sample);
  Caught CatchNow(const SimStorage& machine, const Life& life, const SimOp* op, Sample& sample);
  void Follow(Caught caught, std::uint64_t seed, const std::string& name);
  Caught LiveAgain(Caught& caught, SimRandom& random, bool is_last, const std::string& name);
  void Rot(Caught caught, SimRandom random, const std::string& name);
  bool Note(const Judgement& verdict, const Caught& caught, const std::string& name);
  void NoteViolations(const SimStorage& machine, const std::string& name);
  void NotePaths(const Life& life);
  void NoteFallbacks(const SimStorage& machine, const Life& life);

  const PowerCutOptions options_;
  Tally* const tally_;
  const OnFailure on_failure_;
};

// Flips a bit of something durable: a frame, a header, the manifest, the evidence.
//   returns   what was flipped; empty if there was nothing to flip
std::string FlipDurableBit(SimStorage& machine, const LogHistory& history, SimRandom& random);

// The highest address that something on the disk still says was durable.
std::uint64_t SurvivingEvidence(SimStorage& machine, const LogHistory& history);

}  // namespace pawl::inline v0
