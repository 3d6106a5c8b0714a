#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "history.h"
#include "pawl/log.h"
#include "sim_random.h"
#include "sim_storage.h"

namespace pawl::inline v0 {

// What a life does between Open() and its end; drawn from a seed.
struct Conduct {
  std::uint32_t steps = 0;
  std::uint32_t publish_weight = 4;  // of 8; the rest is the disk agents'
  std::uint32_t sync_weight = 3;     // of 8
  std::uint32_t commits_max = 8;     // per publish
  std::uint32_t records_max = 4;     // per commit
  std::uint32_t payload_max = 200;
  bool reads_along = false;
  bool closes = false;  // else it ends like a process that died

  static Conduct Drawn(SimRandom& random, std::uint32_t steps_max);
};

// One incarnation of a log on a simulated machine: opens it, judges what it recovered, works, ends.
// Keeps the history of what was written and what is owed, by watching from outside.
class Life {
 public:
  // `machine` is borrowed. `given`: what the machine's log was given in earlier lives.
  Life(SimStorage* machine, LogHistory given, std::uint64_t seed);

  // Opens the log and judges it. `owed` records must be there.
  Judgement Begin(std::uint64_t owed);
  // Goes on until the conduct is done, the log has failed, or the power is off.
  Judgement Work(const Conduct& conduct);

  // Called by the machine's observer for every operation.
  void Watch(const SimOp& op);

  // After Begin() did not refuse.
  bool has_begun() const noexcept { return has_begun_; }
  const RecoveryReport& recovery() const noexcept { return recovery_; }
  // Some images found no place in memory when the log opened.
  bool has_images_with_log() const noexcept { return has_images_with_log_; }
  // The history as of now, an operation under way included, and what is owed right now.
  LogHistory Now() const;
  // Records whose acknowledgement counts as soon as they are published: a planted fault.
  void set_acks_published(bool acks) noexcept { acks_published_ = acks; }

  static LogOptions Options(SimStorage* machine);
  static void Prepare(SimStorage& machine);  // the machine before the first life

 private:
  void PublishSome(const Conduct& conduct);
  void AppendCommit(const Conduct& conduct);
  void RunDiskAgents(std::uint64_t dice, const Conduct& conduct);
  Judgement Close();
  Judgement ReadAlong();
  Judgement CheckMarks() const;
  Owed OwedNow() const;

  SimStorage* const machine_;
  LogHistory history_;
  SimRandom random_;
  bool acks_published_ = false;
  bool has_begun_ = false;
  bool has_images_with_log_ = false;
  RecoveryReport recovery_;
  std::unique_ptr<Log> log_;
  std::optional<LogReader> follower_;
  std::uint64_t followed_ = 0;
  std::uint64_t time_ns_ = 0;
};

}  // namespace pawl::inline v0
