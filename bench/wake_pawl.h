#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pawl/position.h"
#include "wake_schedule.h"
#include "wake_subject.h"

namespace pawl::inline v0::bench {

// What one thread of the engine did.
struct AgentRest {
  std::string name;
  double asleep_share = 0;          // Of the samples: it slept when the command was sent.
  double switches_per_command = 0;  // How often it went to sleep, or waited for the disk.
  double idle_switches_per_second = 0;
};

// The engine with its default options (threads of its own, back-off), one view, a command now and
// then.
//   threads   one
class WakePawl {
 public:
  explicit WakePawl(const WakeOptions& options);
  WakePawl(const WakePawl&) = delete;
  WakePawl& operator=(const WakePawl&) = delete;
  ~WakePawl();

  // Sends `samples` commands, every other one to be answered when it is durable. Commands are
  // sent by the calling thread; the reader has one of its own.
  WakeTimes Run(WakeSchedule& schedule);

  // Lets the engine alone for `milliseconds`. Returns the share of one core that the process took.
  double MeasureIdle(std::uint64_t milliseconds);

  // The threads, by name, over all that ran.
  [[nodiscard]] std::vector<AgentRest> Rest() const;
  // Every command was accepted once, where it was expected, and the reader saw it.
  [[nodiscard]] bool is_verified() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace pawl::inline v0::bench
