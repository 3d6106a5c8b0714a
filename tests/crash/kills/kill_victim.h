#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "image_thief.h"
#include "kill_report.h"
#include "pawl/engine.h"
#include "sim_random.h"

namespace pawl::inline v0 {

// Faults planted in the victim.
enum class VictimFault : std::uint8_t { kNone, kAcksBeforePublish, kUsesImagesAgain };

// What one life of an engine is told.
struct VictimOrders {
  std::string root;
  std::uint64_t seed = 0;
  bool stops = false;  // a clean stop instead of going on until it is killed
  VictimFault fault = VictimFault::kNone;
};

// An engine under load that is going to be killed, in a process of its own: opens the log, judges
// what it recovered by what the lives before it were told, and keeps its window full.
class KillVictim {
 public:
  //   report   borrowed, shared with the parent
  KillVictim(VictimOrders orders, VictimReport* report);

  void Run();

 private:
  bool Recover();
  void Work();
  void SubmitSome(Producer& producer);
  void Hear(const Completion& completion);

  const VictimOrders orders_;
  VictimReport* const report_;
  SimRandom random_;
  ImageThief thief_;
  std::unique_ptr<Engine> engine_;
  std::optional<Producer> producer_;
  std::uint64_t next_ = 1;  // number to submit: its sequence in the session too
  bool was_refused_ = false;
};

// Options of the engine and of those who attach to its log.
EngineOptions EngineOptionsIn(const std::string& root);

}  // namespace pawl::inline v0
