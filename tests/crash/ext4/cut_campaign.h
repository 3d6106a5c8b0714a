#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "child.h"
#include "life_report.h"
#include "loop_ext4.h"
#include "private_ground.h"
#include "record_oracle.h"
#include "sim_random.h"
#include "victim.h"

namespace pawl::inline v0 {

struct CutTally {
  std::uint64_t cuts = 0;
  std::uint64_t cuts_in_open = 0;  // before the log was open
  std::uint64_t lost = 0;
  std::uint64_t wrong_reads = 0;
  std::uint64_t refused_torn = 0;
  std::uint64_t accepted_damage = 0;
  std::uint64_t broken_rules = 0;
  std::uint64_t signals = 0;
  std::uint64_t hung = 0;
  std::uint64_t torn_tails = 0;
  std::uint64_t victims_saw_failure = 0;
  std::uint64_t flips = 0;  // bits flipped in what was durable
  std::uint64_t file_systems = 0;
  std::uint64_t checks = 0;  // of whole file systems, by e2fsck
  std::uint64_t check_failures = 0;
  std::uint64_t events_owed = 0;  // of all file systems at their end

  bool is_clean() const noexcept {
    return lost + wrong_reads + refused_torn + accepted_damage + broken_rules + signals + hung +
                   check_failures ==
               0 &&
           victims_saw_failure == cuts;
  }
};

struct CutOptions {
  std::uint64_t seed = 1;
  StorageLies lies{};           // planted faults
  bool acks_published = false;  // a planted fault
  bool images_on_disk = false;  // hot images live in the log's directory, on the disk that is cut
};

// Cuts the power of a real ext4 under the real log: one file system lives for kLivesPerDisk cuts,
// each followed by a mount, a recovery that is judged, and more work.
//   threads   one
class CutCampaign {
 public:
  static constexpr std::uint64_t kLivesPerDisk = 3;

  // Told of a failure: number of the file system, and what.
  using Failure = std::function<void(std::uint64_t, const std::string&)>;
  //   ground, tally   borrowed
  CutCampaign(const CutOptions& options, const PrivateGround* ground, CutTally* tally,
              Failure failure);

  // Makes file system `number` and cuts it `cuts` times.
  //   errors    what this machine does not allow
  absl::Status RunDisk(std::uint64_t number, std::uint64_t cuts);

 private:
  VictimOrders DrawOrders(std::uint32_t life);
  absl::Status RunLife(std::uint32_t life);
  absl::Status RunLastLife(std::uint32_t life);
  absl::Status CutWhenTriggered(int trigger_fd, LifeReport& report);
  void WriteSomeRanges();
  absl::Status Remount();
  bool Count(const ChildEnd& end, const LifeReport& report);
  void Fail(std::uint64_t& counter, const std::string& what);

  const CutOptions options_;
  const PrivateGround* const ground_;
  CutTally* const tally_;
  const Failure failure_;
  std::uint64_t number_ = 0;
  SimRandom random_{0};
  LogOptions log_;
  std::optional<LoopExt4> disk_;
  std::optional<RecordHistory> history_;
};

}  // namespace pawl::inline v0
