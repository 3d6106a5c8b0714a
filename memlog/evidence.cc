#include "evidence.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <utility>

#include "block_file.h"
#include "frame_checksum.h"

namespace pawl::inline v0 {
namespace {

using Slots = std::array<EvidenceSlot, 2>;

// In the other slot's place, or with a round that none can follow, a write would not leave the
// newest slot alone.
bool IsValid(const Slots& slots, std::size_t index, const LogId& log_id) noexcept {
  const EvidenceSlot& slot = slots[index];
  const bool is_in_turn =
      slot.round % slots.size() == index && slot.round != std::numeric_limits<std::uint64_t>::max();
  return is_in_turn && slot.magic == kEvidenceMagic && slot.log_id == log_id &&
         BlockChecksum(slot) == slot.checksum;
}

// A file cut short has slots that are not valid.
absl::Status ReadSlots(File& file, Slots& slots) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    absl::Status read = file.ReadAt(
        i * kBlockBytes, std::as_writable_bytes(std::span<EvidenceSlot, 1>(&slots[i], 1)));
    if (!read.ok() && !absl::IsOutOfRange(read)) return read;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Evidence::Create(Storage& storage, const std::string& directory, const LogId& log_id) {
  Slots slots{};
  slots[0].magic = kEvidenceMagic;
  slots[0].log_id = log_id;
  slots[0].durable_address = kSegmentHeaderBytes;
  slots[0].checksum = BlockChecksum(slots[0]);
  return ReplaceFile(storage, directory, kEvidenceName,
                     std::as_bytes(std::span<const EvidenceSlot>(slots)));
}

absl::Status Evidence::CheckLeftover(Storage& storage, const std::string& directory) {
  const std::string path = directory + "/" + kEvidenceName;
  const absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kRead);
  if (!file.ok()) return file.status();
  const auto slots = std::make_unique<Slots>();
  if (absl::Status read = ReadSlots(**file, *slots); !read.ok()) return read;
  const EvidenceSlot& first = slots->front();
  const bool is_new =
      IsValid(*slots, 0, first.log_id) && first.round == 0 && slots->back().magic == 0;
  if (is_new) return absl::OkStatus();
  for (std::size_t i = 0; i < slots->size(); ++i) {
    if (!IsValid(*slots, i, (*slots)[i].log_id)) continue;
    return absl::DataLossError(path + " tells of a log that was durable up to address " +
                               std::to_string((*slots)[i].durable_address) +
                               ", but its manifest and segments are gone: restore them from a "
                               "backup, or move the file away to begin a new log");
  }
  return absl::FailedPreconditionError(path + " is not the evidence of a log: move it away");
}

absl::StatusOr<EvidenceFound> Evidence::Read(Storage& storage, const std::string& directory,
                                             const LogId& log_id) {
  const std::string path = directory + "/" + kEvidenceName;
  absl::StatusOr<std::unique_ptr<File>> file = storage.Open(path, FileMode::kRead);
  if (file.status().code() == absl::StatusCode::kNotFound) {
    return absl::DataLossError(path +
                               " is missing: restore it from a backup of this log, or run "
                               "`pawl repair` into a new directory");
  }
  if (!file.ok()) return file.status();
  auto slots = std::make_unique<Slots>();
  if (absl::Status read = ReadSlots(**file, *slots); !read.ok()) return read;
  const EvidenceSlot* newest = nullptr;
  Address durable;
  for (std::size_t i = 0; i < slots->size(); ++i) {
    const EvidenceSlot& slot = (*slots)[i];
    if (!IsValid(*slots, i, log_id)) continue;
    durable = std::max(durable, Address(slot.durable_address));
    if (newest == nullptr || slot.round > newest->round) newest = &slot;
  }
  if (newest == nullptr) {
    return absl::DataLossError(path +
                               " has no valid slot (offsets 0 and 4096): restore it from a "
                               "backup of this log, or run `pawl repair` into a new "
                               "directory");
  }
  return EvidenceFound{.durable = durable,
                       .epoch = Epoch(newest->epoch),
                       .round = newest->round,
                       .is_closed = newest->is_closed != 0};
}

absl::StatusOr<std::unique_ptr<Evidence>> Evidence::Open(Storage& storage,
                                                         const std::string& directory,
                                                         const LogId& log_id,
                                                         const EvidenceFound& found) {
  absl::StatusOr<std::unique_ptr<File>> file =
      storage.Open(directory + "/" + kEvidenceName, FileMode::kDurable);
  if (!file.ok()) return file.status();
  std::unique_ptr<Evidence> evidence(new Evidence(*std::move(file), log_id, found));
  // The slot may come from a process that died within its write, before any flush: it is written
  // again, or a power cut in the first write of the other slot could tear both.
  const absl::Status written = evidence->Write(found.durable, found.epoch, found.is_closed);
  if (!written.ok()) return written;
  return evidence;
}

Evidence::Evidence(std::unique_ptr<File> file, const LogId& log_id, const EvidenceFound& found)
    : file_(std::move(file)), round_(found.round - 1), durable_(found.durable) {
  slot_.magic = kEvidenceMagic;
  slot_.log_id = log_id;
}

absl::Status Evidence::Write(Address durable, Epoch epoch, bool is_closed) {
  ++round_;
  slot_.round = round_;
  slot_.durable_address = durable.value();
  slot_.epoch = epoch.value();
  slot_.is_closed = is_closed ? 1 : 0;
  slot_.checksum = BlockChecksum(slot_);
  // The slot with the newest round stays whole whatever happens to this write.
  const absl::Status written = file_->WriteAt((round_ % 2) * kBlockBytes, BytesOf(slot_), {});
  if (written.ok()) durable_ = durable;
  return written;
}

}  // namespace pawl::inline v0
