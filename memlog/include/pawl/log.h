#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/doorbell.h"
#include "pawl/filtered_reader.h"
#include "pawl/format.h"
#include "pawl/log_reader.h"
#include "pawl/log_writer.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "pawl/stream_reader.h"

namespace pawl::inline v0 {

struct LogOptions {
  std::string directory{};      // created if its parent exists
  std::string hot_directory{};  // empty: /dev/shm/pawl-<log id>; see README "Containers"
  // Open in a directory (either of them) where every user may write, or in a hot directory of
  // another user: they could put files of theirs in place of the log's. Refused otherwise.
  bool allow_shared_directory = false;
  std::uint64_t segment_bytes = std::uint64_t{64} << 20;  // of a new log; a multiple of 64 KiB
  // Published − durable never exceeds this (P3); also bounds the memory of the hot images.
  std::uint64_t undurable_bytes_max = std::uint64_t{256} << 20;
  // Bytes of one commit; 0: the smaller of 1 MiB and a quarter of a segment.
  std::uint32_t commit_bytes_max = 0;
  // Segments kept ready ahead of the one being written.
  std::uint32_t segments_ahead = 1;
  // Reader processes that are listed and woken at once; more than that poll (pawl/attached_log.h).
  std::uint32_t readers_max = 64;
  // How fast what Open() did not read is checked afterwards, in the background; 0: not at all.
  std::uint64_t scrub_bytes_per_second = std::uint64_t{32} << 20;
  Storage* storage = nullptr;  // borrowed; nullptr: PosixStorage()
  // Told once about a fallback taken (no O_DIRECT, no room in memory), a torn tail that was cut, or
  // damage found in the background; then by the preparer's thread.
  std::function<void(std::string_view)> on_notice{};
};

enum class LogHealth : std::uint32_t {
  kOpen = 0,
  kDiskLow = 1,  // no next segment could be made; commands are refused until there is room
  kFailed = 2,   // a sync failed: nothing is accepted until the log is opened again
};

struct RecoveryReport {
  EpochReason reason = EpochReason::kCreated;
  Epoch epoch;                  // of this incarnation
  Position last_position;       // of what was recovered
  Address end;                  // of what was recovered
  std::uint64_t cut_bytes = 0;  // torn tail kept aside
  std::string cut_file;         // where, if any
  bool used_hot_images = false;
  std::uint64_t frames_scanned = 0;
  std::uint64_t segments_indexed = 0;  // sealed, checked before and not read again
  std::uint64_t time_ns = 0;  // engine time of the epoch's first frame; time goes on from here
};

// A process that reads along, as it tells itself: nothing here is decided upon.
struct ReaderProcess {
  std::uint32_t pid = 0;
  std::string name;   // as given to AttachedLog::Attach(); never with control characters
  Position position;  // up to which it has read
  Address address;
  std::uint64_t silent_ns = 0;  // since it last looked for more
  bool is_waiting = false;      // sleeps until there is more
  bool is_alive = false;        // there is such a process, in this namespace
};

class SyncAgent;
class SegmentPreparer;

// A log open for writing: one directory, one engine. Owns the lock, the segments, the hot images,
// the writer and the two disk agents; runs no thread of its own. Whoever embeds it calls writer()
// on the loop's thread and SyncWork() and PrepareWork() on any one thread each.
//
// Open() recovers by evidence (memlog/FORMAT.md, "Recovery"), begins an epoch and makes that
// durable; it returns with the first segment ready.
class Log {
 public:
  //   errors    FAILED_PRECONDITION directory missing, not writable or writable by all, opened by
  //             another engine, something that is no file of ours under one of our names, newer
  //             format version; DATA_LOSS what was known to be durable is not there, or a
  //             manifest or segment header is damaged; RESOURCE_EXHAUSTED disk full;
  //             INVALID_ARGUMENT options out of range
  static absl::StatusOr<std::unique_ptr<Log>> Open(const LogOptions& options);

  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();  // as if the process died here: Close() first for a clean stop

  LogWriter& writer() noexcept;  // loop only

  // One round of the sync agent: writes behind what is published, moves the durable mark, rings
  // `durable_bell`; with nothing to write, a step of zeros into blocks ahead until the log is warm.
  // Returns the work done, 0 if there is none.
  //   threads   one at a time
  int SyncWork() noexcept;
  // One bounded round of the preparer: a step towards the next ready segment, the retirement of an
  // image, or, if there is none of these, a step towards the index of a sealed segment or the check
  // of one that was indexed in an earlier life.
  //   threads   one at a time
  int PrepareWork() noexcept;
  // Where the two agents sleep. The loop rings them.
  Doorbell& sync_bell() noexcept;
  Doorbell& prepare_bell() noexcept;
  // True if SyncWork() or PrepareWork() would do something now.
  //   threads   that agent's, like the delays below
  bool HasSyncWork() const noexcept;
  bool HasPrepareWork() const noexcept;
  // Time until SyncWork() wants to be called although nothing was published, or −1: never.
  // (The newest sync is written down as evidence when the log has been idle for a while.)
  std::int64_t sync_delay_ns() const noexcept;
  // Time until PrepareWork() wants to be called although nothing rang (a full disk is tried again
  // with back-off), or −1: never.
  std::int64_t prepare_delay_ns() const noexcept;

  // Rung after the durable mark moved, a segment became ready, or health changed; the loop sleeps
  // there. Set before any agent runs; borrowed.
  void set_durable_bell(Doorbell* bell) noexcept;

  Address published() const noexcept;  // acquire
  Address durable() const noexcept;    // acquire
  LogHealth health() const noexcept;   // acquire
  absl::Status error() const;          // of kFailed or kDiskLow: file, errno, what to do

  // Segments that wait to be written; segments_ahead when the preparer has caught up.
  //   threads   any
  std::uint32_t ready_segments() const noexcept;
  // True once these are ready and every block ahead was written once: nothing gets faster by
  // waiting. An idle log comes to it by itself; under full load it may stay away.
  //   threads   any
  bool is_warm() const noexcept;

  LogReader NewReader() const;  // from the first record on
  // Of the stream with that number (FORMAT.md, "stream bound").
  StreamReader NewStreamReader(std::uint32_t stream) const;
  // The streams with events that a key of a category was ever bound to, oldest first: each but the
  // last one was closed. Below the published mark.
  //   errors    DATA_LOSS or UNKNOWN, as LogReader's
  //   cost      the index of each sealed segment, a walk over those without one
  //   threads   any; reads files and allocates
  absl::StatusOr<std::vector<std::uint32_t>> FindStreams(std::uint16_t category,
                                                         std::uint64_t key_high,
                                                         std::uint64_t key_low) const;
  // Who reads along from other processes.
  //   threads   any; reads /proc
  std::vector<ReaderProcess> readers() const;
  // Of the events of some types or categories.
  FilteredReader NewFilteredReader(RecordFilter filter) const;
  const RecoveryReport& recovery() const noexcept;
  Epoch epoch() const noexcept;
  const LogId& id() const noexcept;
  std::uint64_t segment_bytes() const noexcept;
  const std::string& hot_directory() const noexcept;
  bool is_direct() const noexcept;  // false: buffered writes and fdatasync

  // Clean stop, with no agent running: makes all that is published durable, writes evidence,
  // removes the hot images. Returns the first error; the log is closed either way.
  absl::Status Close();

 private:
  struct Parts;
  explicit Log(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace pawl::inline v0
