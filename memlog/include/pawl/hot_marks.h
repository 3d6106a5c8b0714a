#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "pawl/cache_line.h"
#include "pawl/format.h"

namespace pawl::inline v0 {

enum class MarksState : std::uint32_t { kOpen = 1, kClosed = 2 };

// The file `marks` beside the hot images, mapped by the engine and by readers in other processes.
// Believed only within the boot, the log and the epoch that it names. Plain members are constant
// once the engine is open.
//
// Memory ordering: what the loop stored into an image before it moved `published` is visible to
// who loads `published` (acquire) and reads below it. `durable` likewise for the disk.
struct HotMarks {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t epoch;
  LogId log_id;
  BootId boot_id;
  std::uint64_t manifest_device;  // a copied log directory is another log
  std::uint64_t manifest_inode;
  std::atomic<std::uint32_t> state;  // MarksState; writer: the engine at Open and Close

  // Address up to which readers may read. Writer: loop. Only grows; always a frame's end.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> published;
  // Address up to which the log survives a power cut. Writer: sync agent. Only grows; ≤ published.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> durable;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(offsetof(HotMarks, published) == 128 && offsetof(HotMarks, durable) == 192);
static_assert(sizeof(HotMarks) <= kBlockBytes);

}  // namespace pawl::inline v0
