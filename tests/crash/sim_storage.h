#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cut_choices.h"
#include "pawl/storage.h"
#include "sim_disk.h"
#include "sim_op.h"
#include "sim_random.h"

namespace pawl::inline v0 {

// A write error: the operation with this number, counted among those that reach a disk, fails.
struct SimFault {
  std::uint64_t at_disk_op = 0;
  bool is_sticky = false;
  absl::StatusCode code = absl::StatusCode::kUnknown;
};

struct SimOptions {
  std::uint64_t seed = 1;
  std::string memory_root = "/dev/shm";
  std::uint64_t disk_bytes_max = std::uint64_t{64} << 20;
  std::uint64_t memory_bytes_max = std::uint64_t{64} << 20;
  // Direct I/O is refused: durable writes go through the page cache and are synced one by one, and
  // reads come from it whatever the platter holds.
  bool is_buffered = false;
  // No directory may be made in memory: hot images live with the log.
  bool is_memory_forbidden = false;
  // Nothing tells one boot from another (no /proc), so that no image of an earlier life counts.
  bool has_boot_id = true;
  SimLies lies;
};

// A machine in memory behind the storage interface. It numbers every call that changes something,
// tells an observer while the call is under way, and can be cut there: Cut() gives the machine
// after a power cut, Kill() the machine after the process died, each with a new life to recover.
// Both leave this machine as it is, so that many states come from one run.
//
// After TurnOff() every call answers UNKNOWN and changes nothing: the caller unwinds by itself.
// One thread. Must outlive its files; mappings may outlive it.
class SimStorage final : public Storage {
 public:
  explicit SimStorage(const SimOptions& options);
  SimStorage(const SimStorage&) = delete;
  SimStorage& operator=(const SimStorage&) = delete;

  // Called once per operation, before it takes effect, while Cut() and Kill() catch it in mid-air.
  using Observer = std::function<void(const SimOp&)>;
  void set_observer(Observer observer) { observer_ = std::move(observer); }
  void set_lies(const SimLies& lies) { options_.lies = lies; }
  void set_fault(const SimFault& fault) { fault_ = fault; }
  void set_disk_bytes_max(std::uint64_t bytes) noexcept { disk_.set_disk_bytes_max(bytes); }
  // From now on the disk works and has room.
  void clear_trouble() noexcept {
    fault_.reset();
    disk_.set_disk_bytes_max(options_.disk_bytes_max);
  }
  // True if a call was refused by an injected error or for lack of room.
  bool had_trouble() const noexcept { return had_trouble_; }
  void set_memory_bytes_max(std::uint64_t bytes) noexcept { disk_.set_memory_bytes_max(bytes); }

  const SimOptions& options() const noexcept { return options_; }

  std::unique_ptr<SimStorage> Cut(CutChoices& choices, std::uint64_t seed) const;
  std::unique_ptr<SimStorage> Kill(CutChoices& choices, std::uint64_t seed) const;
  void TurnOff() noexcept { is_off_ = true; }
  void AdvanceClock(std::uint64_t ns) noexcept { clock_ns_ += ns; }

  std::uint64_t ops() const noexcept { return ops_; }
  std::uint64_t disk_ops() const noexcept { return disk_ops_; }
  // Calls that break the interface's rules: unaligned durable writes, a second sync after a failed
  // one, stores into a file that somebody maps. Empty in a correct engine.
  const std::vector<std::string>& violations() const noexcept { return violations_; }

  // For tests: files from before the machine was switched on, durable, while nobody uses it; bytes
  // of a file as programs see them; and a change behind the engine's back.
  void PutFile(const std::string& path, std::span<const std::byte> bytes, SimDisk::Stored as);
  std::vector<std::byte> Bytes(const std::string& path) const;
  bool Holds(const std::string& path, std::span<const std::byte> bytes) const;
  void FlipBit(const std::string& path, std::uint64_t bit);

  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override;
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Unlink(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<FileIdentity> Identify(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& directory) override;
  absl::StatusOr<std::shared_ptr<Mapping>> MapImage(const std::string& path,
                                                    std::uint64_t bytes) override;
  absl::StatusOr<std::shared_ptr<Mapping>> MapFile(const std::string& path) override;
  void StoreFrame(Mapping& image, std::uint64_t offset, const std::byte* frame,
                  std::uint32_t bytes) noexcept override;
  void StoreBytes(Mapping& image, std::uint64_t offset,
                  std::span<const std::byte> bytes) noexcept override;
  absl::StatusOr<BootId> ReadBootId() override;
  std::uint64_t Random() override { return random_.Next(); }
  std::uint64_t WallClockNs() override;

 private:
  class Handle;
  class DirectoryLock;
  class PagesMapping;

  SimStorage(const SimStorage& from, SimDisk disk, std::uint64_t boot, std::uint64_t seed);
  // Runs one operation: number, observer, fault, effect.
  absl::Status Run(SimOp& op);
  absl::Status Fail(const SimOp& op);
  absl::Status Off() const;
  bool IsMapped(std::uint64_t inode) const;
  std::shared_ptr<const Pages> PagesOf(const std::string& path) const;  // null: empty or no file
  void Violate(const std::string& what) { violations_.push_back(what); }

  SimOptions options_;
  SimDisk disk_;
  SimRandom random_;
  std::uint64_t boot_ = 1;
  std::uint64_t clock_ns_ = 0;
  std::uint64_t ops_ = 0;
  std::uint64_t disk_ops_ = 0;
  bool is_off_ = false;
  bool had_trouble_ = false;
  Observer observer_;
  std::optional<SimFault> fault_;
  const SimOp* in_flight_ = nullptr;
  std::set<std::string> locked_;
  std::set<std::uint64_t> failed_syncs_;  // inodes
  std::map<std::uint64_t, std::vector<std::weak_ptr<Mapping>>> mapped_;
  std::map<const std::byte*, std::uint64_t> images_;  // inode by the image's memory
  std::vector<std::string> violations_;
};

}  // namespace pawl::inline v0
