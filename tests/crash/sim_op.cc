#include "sim_op.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pawl::inline v0 {
namespace {

// The first word of a frame, length and checksum, is stored last.
constexpr std::uint64_t kFrameWordBytes = 8;

void StorePart(const SimOp& op, CutChoices& choices, std::byte* to) {
  const std::size_t first = op.kind == SimOpKind::kStoreFrame ? kFrameWordBytes : 0;
  const bool is_whole = choices.Happened();
  // A copy may go in any order; its pieces are words.
  for (std::size_t at = first; at < op.head.size(); at += kFrameWordBytes) {
    const std::size_t length = std::min<std::size_t>(kFrameWordBytes, op.head.size() - at);
    if (is_whole || choices.Stores(0, 1) == 1) {
      std::memcpy(to + op.offset + at, op.head.data() + at, length);
    }
  }
  if (is_whole && first > 0 && choices.Happened()) {
    std::memcpy(to + op.offset, op.head.data(), first);
  }
}

}  // namespace

const char* NameOf(SimOpKind kind) noexcept {
  switch (kind) {
    case SimOpKind::kCreateDirectory: return "create_directory";
    case SimOpKind::kRemoveDirectory: return "remove_directory";
    case SimOpKind::kCreateFile: return "create_file";
    case SimOpKind::kWrite: return "write";
    case SimOpKind::kWriteDurable: return "write_durable";
    case SimOpKind::kAllocate: return "allocate";
    case SimOpKind::kSync: return "sync";
    case SimOpKind::kRename: return "rename";
    case SimOpKind::kUnlink: return "unlink";
    case SimOpKind::kSyncDirectory: return "sync_directory";
    case SimOpKind::kCreateImage: return "create_image";
    case SimOpKind::kStoreFrame: return "store_frame";
    case SimOpKind::kStoreBytes: return "store_bytes";
  }
  return "unknown";
}

absl::Status ApplyOp(SimDisk& disk, const SimOp& op, const SimLies& lies) {
  switch (op.kind) {
    case SimOpKind::kCreateDirectory: return disk.CreateDirectory(op.path);
    case SimOpKind::kRemoveDirectory: return disk.RemoveDirectory(op.path);
    case SimOpKind::kCreateFile: return disk.CreateFile(op.path);
    case SimOpKind::kRename:
      if (lies.segment_rewrite_does_nothing && op.to.ends_with(".seg") && disk.Find(op.to).ok()) {
        return disk.Unlink(op.path);
      }
      return disk.Rename(op.path, op.to);
    case SimOpKind::kUnlink: return disk.Unlink(op.path);
    case SimOpKind::kSyncDirectory:
      return lies.directory_sync_does_nothing ? absl::OkStatus() : disk.SyncDirectory(op.path);
    case SimOpKind::kCreateImage: return disk.CreateImage(op.path, op.bytes);
    case SimOpKind::kAllocate: return disk.Allocate(op.inode, op.bytes);
    case SimOpKind::kSync:
      if (!lies.sync_does_nothing) disk.file(op.inode).Sync();
      return absl::OkStatus();
    case SimOpKind::kWrite: {
      SimFile& file = disk.file(op.inode);
      file.Write(op.offset, op.head);
      if (!op.tail.empty()) file.Write(op.offset + op.head.size(), op.tail);
      return absl::OkStatus();
    }
    case SimOpKind::kWriteDurable: {
      SimFile& file = disk.file(op.inode);
      const auto write = [&](std::uint64_t offset, std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        lies.durable_write_is_cached ? file.Write(offset, bytes) : file.WriteDurable(offset, bytes);
      };
      write(op.offset, op.head);
      write(op.offset + op.head.size(), op.tail);
      return absl::OkStatus();
    }
    case SimOpKind::kStoreFrame:
      std::memcpy(op.image + op.offset + kFrameWordBytes, op.head.data() + kFrameWordBytes,
                  op.head.size() - kFrameWordBytes);
      std::memcpy(op.image + op.offset, op.head.data(), kFrameWordBytes);
      return absl::OkStatus();
    case SimOpKind::kStoreBytes:
      if (!op.head.empty()) std::memcpy(op.image + op.offset, op.head.data(), op.head.size());
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

void ApplyUnsynced(SimDisk& disk, const SimOp& op) {
  switch (op.kind) {
    case SimOpKind::kWriteDurable: {
      SimFile& file = disk.file(op.inode);
      file.Write(op.offset, op.head, /*is_in_flight=*/true);
      file.Write(op.offset + op.head.size(), op.tail, /*is_in_flight=*/true);
      return;
    }
    case SimOpKind::kSync:  // whatever it had reached is a choice of the cut already
    case SimOpKind::kSyncDirectory:
    case SimOpKind::kStoreFrame:  // memory is lost anyway
    case SimOpKind::kStoreBytes: return;
    default: {
      // A call that would fail leaves what it leaves.
      const absl::Status ignored = ApplyOp(disk, op, SimLies{});
      static_cast<void>(ignored.ok());
    }
  }
}

// A direct or buffered write of a process that died: any sector may have been taken over.
void WriteSectors(SimFile& file, const SimOp& op, CutChoices& choices) {
  for (const auto& [start, bytes] :
       {std::pair{op.offset, op.head}, std::pair{op.offset + op.head.size(), op.tail}}) {
    for (std::size_t at = 0; at < bytes.size(); at += kSectorBytes) {
      const std::size_t length = std::min<std::size_t>(kSectorBytes, bytes.size() - at);
      if (choices.Stores(0, 1) == 1) file.Write(start + at, bytes.subspan(at, length));
    }
  }
}

void ApplyPart(SimDisk& disk, const SimOp& op, CutChoices& choices, std::span<std::byte> image) {
  switch (op.kind) {
    case SimOpKind::kWrite:
    case SimOpKind::kWriteDurable: WriteSectors(disk.file(op.inode), op, choices); return;
    case SimOpKind::kStoreFrame:
    case SimOpKind::kStoreBytes: StorePart(op, choices, image.data()); return;
    case SimOpKind::kCreateImage: {
      // Not begun, or the old file is gone, or a file of size 0, or the whole image.
      SimOp part = op;
      if (!choices.Happened()) return;
      if (choices.Happened()) part.bytes = 0;
      const absl::Status ignored = ApplyOp(disk, part, SimLies{});
      static_cast<void>(ignored.ok());
      return;
    }
    default:
      if (!choices.Happened()) return;
      const absl::Status ignored = ApplyOp(disk, op, SimLies{});
      static_cast<void>(ignored.ok());
  }
}

}  // namespace pawl::inline v0
