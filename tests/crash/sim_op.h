#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "cut_choices.h"
#include "sim_disk.h"

namespace pawl::inline v0 {

enum class SimOpKind : std::uint8_t {
  kCreateDirectory,
  kRemoveDirectory,
  kCreateFile,
  kWrite,
  kWriteDurable,
  kAllocate,
  kSync,
  kRename,
  kUnlink,
  kSyncDirectory,
  kCreateImage,
  kStoreFrame,
  kStoreBytes,
};
const char* NameOf(SimOpKind kind) noexcept;

// A call that changes something, while it is under way. Spans are borrowed from the caller.
struct SimOp {
  SimOpKind kind = SimOpKind::kSync;
  std::uint64_t number = 0;  // 0, 1, 2… since the machine started
  std::string path;
  std::string to;  // of a rename
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;  // to allocate, or of an image
  std::span<const std::byte> head;
  std::span<const std::byte> tail;
  std::byte* image = nullptr;  // where an image is stored into
};

// Broken machines, for testing the test.
struct SimLies {
  bool durable_write_is_cached = false;  // a durable write returns before the platter has it
  bool sync_does_nothing = false;        // of files
  bool directory_sync_does_nothing = false;
  bool segment_rewrite_does_nothing =
      false;  // a segment keeps its file when one is renamed over it
};

// What an operation does to a disk: whole, as far as a power cut in its middle leaves un-synced
// work, or the part that a process had done when it died.
//   image   of a store: the memory to store into, which may be a copy of the one that `op` names
absl::Status ApplyOp(SimDisk& disk, const SimOp& op, const SimLies& lies);
void ApplyUnsynced(SimDisk& disk, const SimOp& op);
void ApplyPart(SimDisk& disk, const SimOp& op, CutChoices& choices, std::span<std::byte> image);
// Any of the sectors of a write, un-synced.
void WriteSectors(SimFile& file, const SimOp& op, CutChoices& choices);

}  // namespace pawl::inline v0
