#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "life_report.h"
#include "pawl/log.h"
#include "record_oracle.h"
#include "scripted_writer.h"
#include "sim_random.h"
#include "watched_storage.h"

namespace pawl::inline v0 {

// What one life of a victim is told.
struct VictimOrders {
  LogOptions log;
  std::uint32_t life = 0;
  std::uint64_t seed = 0;
  bool has_threads = false;   // agents on threads of their own; else all on one, by dice
  std::uint64_t trigger = 0;  // storage operation at which trigger_fd is written to
  int trigger_fd = -1;
  StorageLies lies{};
  bool acks_published = false;  // a planted fault
};

// One life of a log whose disk is about to lose its power, in a process of its own: opens, judges
// what it recovered, works, and must stop cleanly when the disk fails.
class Victim {
 public:
  //   history, report   borrowed
  Victim(const VictimOrders& orders, const RecordHistory* history, LifeReport* report);

  void Run();

 private:
  void Hear();
  void FireTrigger();
  bool IsCut() const noexcept;
  void OpenFailed(const absl::Status& why);
  bool Recover();
  void WorkAlone();
  void WorkWithThreads();
  bool CanAppend() const;
  void AppendSome();
  void Acknowledge();
  void CheckTheEnd();

  const VictimOrders orders_;
  const RecordHistory* const history_;
  LifeReport* const report_;
  SimRandom random_;
  WatchedStorage storage_;
  // Writers: the threads that use the storage. Guards nothing.
  std::atomic<std::uint64_t> operations_{0};
  std::unique_ptr<Log> log_;
  std::optional<ScriptedWriter> writer_;
  Address start_;  // of this life's first frame
};

}  // namespace pawl::inline v0
