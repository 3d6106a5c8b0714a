#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim_storage.h"

namespace pawl::inline v0 {

// Which call fails, and how.
struct FailurePlan {
  enum class Effect : std::uint8_t {
    kNothing,  // the call does nothing
    kPart,     // as far as the machine does part of it: some sectors, some of a sync
    kDone,     // the call does it all and still says it failed
  };
  std::uint64_t call = ~std::uint64_t{0};  // 0, 1, 2… of those that can fail
  bool is_sticky = false;                  // all later ones fail too
  absl::StatusCode code = absl::StatusCode::kUnknown;
  Effect effect = Effect::kNothing;
};

const char* NameOf(FailurePlan::Effect effect) noexcept;

// A machine's storage whose k-th call fails: of all calls of the interface that can fail, reads and
// look-ups too. One thread; must outlive its files.
class FailingStorage final : public Storage {
 public:
  using OnFrame = std::function<void(const std::byte* frame, std::uint32_t bytes)>;

  FailingStorage(SimStorage* machine, const FailurePlan& plan, OnFrame on_frame)
      : machine_(machine), plan_(plan), on_frame_(std::move(on_frame)) {}

  std::uint64_t calls() const noexcept { return calls_; }
  // The first call that failed, or "".
  const std::string& failed() const noexcept { return failed_; }

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
  std::uint64_t Random() override { return machine_->Random(); }
  std::uint64_t WallClockNs() override { return machine_->WallClockNs(); }

 private:
  class FailingFile;

  // Runs `call`, or fails in its place.
  //   changes   the machine can do a part of it
  template <class Call>
  auto Run(const char* name, const std::string& path, bool changes, Call call) -> decltype(call());
  bool IsDue();

  SimStorage* const machine_;
  const FailurePlan plan_;
  const OnFrame on_frame_;
  std::uint64_t calls_ = 0;
  std::string failed_;
};

}  // namespace pawl::inline v0
