#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "full_disk_point.h"
#include "full_disk_room.h"
#include "life_report.h"
#include "pawl/log.h"
#include "record_oracle.h"
#include "scripted_writer.h"
#include "sim_random.h"
#include "watched_storage.h"

namespace pawl::inline v0 {

// What a case met, told by its process. Writer: the child. Reader: the parent, after its end.
struct FullDiskReport : TellReport {
  std::atomic<std::uint64_t> opens_refused{0};
  std::atomic<std::uint64_t> disk_low{0};      // the log was low on disk
  std::atomic<std::uint64_t> resumed{0};       // and went on by itself
  std::atomic<std::uint64_t> failed_logs{0};   // a file size limit stopped a write
  std::atomic<std::uint64_t> images_moved{0};  // from memory into the log's directory
};

// One point: a log lives, something runs out at the point's moment, the log is pressed on or dies;
// then there is room again, and it must go on with all that it owes.
//   threads   one, in a process of its own: the file size limit is the process's
class FullDiskCase {
 public:
  //   report    borrowed
  FullDiskCase(const FullDiskPoint& point, const FullDiskPlaces& places, FullDiskReport* report);

  void set_lies(const StorageLies& lies) noexcept { lies_ = lies; }
  void set_acks_published(bool acks) noexcept { acks_published_ = acks; }

  void Run();

 private:
  enum class Death : std::uint8_t { kClosed, kKilled, kPowerLost };

  Judgement Live();
  Judgement LiveBefore();
  Judgement LiveUnderPressure();
  Judgement PressOn();
  Judgement CloseUnderPressure();
  Judgement LiveAfter();
  Judgement Resume();
  Judgement Conclude();

  // Opens and judges. `may_refuse`: for want of room.
  Judgement Open(bool may_refuse);
  Judgement Die(Death death);
  void LosePower();
  // Appends until so much is published, or nothing goes on any more.
  Judgement Append(std::uint64_t bytes, bool prepares);
  Judgement SyncAll();
  bool CanAppend() const;
  void Prepare();
  Judgement CheckHealth();
  Judgement CheckLeftovers() const;
  Judgement Broken(const std::string& what) const;
  bool MayFail() const noexcept {
    return point_.shortage == Shortage::kFileSize && room_.is_squeezed();
  }

  const FullDiskPoint point_;
  FullDiskReport* const report_;
  FullDiskRoom room_;
  StorageLies lies_{};
  bool acks_published_ = false;
  SimRandom random_;
  RecordHistory history_;
  LogOptions options_;
  std::uint32_t life_ = 0;
  std::uint8_t boot_ = 0;
  std::optional<WatchedStorage> storage_;
  std::unique_ptr<Log> log_;
  std::optional<ScriptedWriter> writer_;
};

}  // namespace pawl::inline v0
