#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/format.h"
#include "pawl/position.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

inline constexpr const char* kEvidenceName = "evidence";

// What the evidence file says.
struct EvidenceFound {
  Address durable;  // the highest that a valid slot tells of
  Epoch epoch;      // of the newer valid slot, like all that follows
  std::uint64_t round = 0;
  bool is_closed = false;  // written by a clean stop
};

// File `evidence`: two slots, written in turn, each after a sync returned and durable itself. A
// torn slot leaves the other one.
//   threads   one at a time
class Evidence {
 public:
  // For a new log, before its manifest: nothing is durable yet.
  static absl::Status Create(Storage& storage, const std::string& directory, const LogId& log_id);

  // In a directory without manifest, before Create() replaces the file: it is what an interrupted
  // creation left.
  //   errors    DATA_LOSS the evidence of a log that is gone; FAILED_PRECONDITION of no log
  static absl::Status CheckLeftover(Storage& storage, const std::string& directory);

  //   errors    DATA_LOSS file missing, or no valid slot: both cannot come from a power cut
  static absl::StatusOr<EvidenceFound> Read(Storage& storage, const std::string& directory,
                                            const LogId& log_id);

  // Writes the slot that was found once more, the same bytes: then it is durable.
  static absl::StatusOr<std::unique_ptr<Evidence>> Open(Storage& storage,
                                                        const std::string& directory,
                                                        const LogId& log_id,
                                                        const EvidenceFound& found);

  // Writes down that everything below `durable` survives. Never called again after a failure.
  // Allocates nothing.
  absl::Status Write(Address durable, Epoch epoch, bool is_closed);

  // What the newest slot says.
  Address durable() const noexcept { return durable_; }

 private:
  Evidence(std::unique_ptr<File> file, const LogId& log_id, const EvidenceFound& found);

  const std::unique_ptr<File> file_;
  std::uint64_t round_;  // of the slot written last
  Address durable_;
  alignas(kBlockBytes) EvidenceSlot slot_{};  // aligned for direct I/O
};

}  // namespace pawl::inline v0
