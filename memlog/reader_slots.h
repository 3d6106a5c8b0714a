#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/cache_line.h"
#include "pawl/format.h"
#include "pawl/hot_marks.h"
#include "pawl/log.h"
#include "pawl/position.h"
#include "pawl/storage.h"

namespace pawl::inline v0 {

inline constexpr std::size_t kReaderNameBytes = 64;

// One reader process. Written by that process alone, so every byte may be a lie: the engine shows
// it and decides nothing by it.
//   Memory ordering: all accesses are relaxed; what is shown may be of two moments.
struct ReaderSlot {
  // Low half: process id, 0 = free. High half: its start in ticks since boot, because an id is used
  // again. Claimed by compare-exchange.
  std::atomic<std::uint64_t> owner;
  std::atomic<std::uint64_t> heartbeat_ns;  // steady clock, at its last look
  std::atomic<std::uint64_t> address;       // up to which it has read
  std::atomic<std::uint64_t> position;
  std::atomic<std::uint64_t> is_waiting;
  std::array<std::atomic<std::uint64_t>, kReaderNameBytes / 8> name;
  std::array<std::uint64_t, 3> reserved;
};
static_assert(sizeof(ReaderSlot) == 128);

// First block of the file `readers` beside the marks: one slot for each reader process behind it.
struct ReadersHeader {
  std::uint64_t magic;
  std::uint32_t format_version;
  std::uint32_t slots;
  LogId log_id;
  std::uint32_t epoch;
  std::uint32_t reserved;

  // Not 0: a reader sleeps, or is about to, until that mark moves. Set by readers, cleared by who
  // moves the mark. A hint: readers sleep for 10 ms at most.
  alignas(kCacheLineBytes * 2) std::atomic<std::uint32_t> is_published_awaited;
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> is_durable_awaited;
};
static_assert(offsetof(ReadersHeader, is_published_awaited) == 128 &&
              offsetof(ReadersHeader, is_durable_awaited) == 192);
static_assert(sizeof(ReadersHeader) <= kBlockBytes);

// The engine's side of `readers`: who reads along, and who wants to be woken. Whatever the bytes
// say, it costs the loop one load a frame and one system call per kWakeEveryNs.
class ReaderBoard {
 public:
  // Creates the file anew beside the marks.
  ReaderBoard(std::shared_ptr<Mapping> file, HotMarks* marks, const LogId& log_id, Epoch epoch);
  // Without a file nobody is listed, and readers poll.
  explicit ReaderBoard(HotMarks* marks);
  ReaderBoard(const ReaderBoard&) = delete;
  ReaderBoard& operator=(const ReaderBoard&) = delete;

  static std::uint64_t BytesFor(std::uint32_t readers_max) noexcept;

  // Loop, after it moved the published mark. `now_ns` never decreases.
  void WakeForPublished(std::uint64_t now_ns) noexcept {
    // Relaxed: a hint.
    if (header_->is_published_awaited.load(std::memory_order_relaxed) == 0) [[likely]]
      return;
    WakePublished(now_ns);
  }
  // Sync agent, after it moved the durable mark: wakes both kinds, so that who set its flag between
  // two wakes of the loop is not left to its time-out.
  void WakeForDurable() noexcept;

  //   threads   any
  std::vector<ReaderProcess> List() const;

 private:
  // A reader that sets its flag all the time costs the loop a system call this often, not more.
  static constexpr std::uint64_t kWakeEveryNs = 50'000;

  void WakePublished(std::uint64_t now_ns) noexcept;

  const std::shared_ptr<Mapping> file_;  // may be null
  HotMarks* const marks_;
  ReadersHeader none_{};
  ReadersHeader* header_ = &none_;  // constant after construction
  const ReaderSlot* slots_ = nullptr;
  std::uint32_t slots_count_ = 0;  // of our own making, not what the header says now
  std::uint64_t woken_at_ns_ = 0;  // loop only
};

// A reader process's side: its slot.
class ReaderSeat {
 public:
  // Takes a free slot, or that of a process that is gone.
  //   errors    RESOURCE_EXHAUSTED all are taken; FAILED_PRECONDITION not a file of this log
  static absl::StatusOr<std::unique_ptr<ReaderSeat>> Take(std::shared_ptr<Mapping> file,
                                                          const LogId& log_id,
                                                          std::string_view name);
  ReaderSeat(const ReaderSeat&) = delete;
  ReaderSeat& operator=(const ReaderSeat&) = delete;
  ~ReaderSeat();  // leaves

  void Tell(Address address, Position position) noexcept;
  // Call before the last look at the mark that is waited for.
  void BeginWait(bool for_durable) noexcept;
  void EndWait() noexcept;

 private:
  ReaderSeat(std::shared_ptr<Mapping> file, ReaderSlot* slot);

  const std::shared_ptr<Mapping> file_;
  ReadersHeader* const header_;
  ReaderSlot* const slot_;
};

}  // namespace pawl::inline v0
