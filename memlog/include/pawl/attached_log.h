#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/filtered_reader.h"
#include "pawl/format.h"
#include "pawl/log_reader.h"
#include "pawl/position.h"
#include "pawl/storage.h"
#include "pawl/stream_reader.h"

namespace pawl::inline v0 {

class AttachedSegments;

struct AttachOptions {
  std::string directory{};
  std::string hot_directory{};  // that of the engine; empty: its default
  std::string name{};           // shown by Log::readers(); the first 64 bytes
  // Attach although durable frames are missing: what is before them is read, Refresh() and Wait()
  // go on telling.
  bool allow_damaged = false;
  Storage* storage = nullptr;  // borrowed; nullptr: PosixStorage()
  // Told once if this process cannot be listed, and so polls.
  std::function<void(std::string_view)> on_notice{};
};

// Where an attached log finds its bytes.
enum class LogSource {
  kHotImages,  // the memory of the engine that writes, or of one that died in this boot
  kFiles,      // the disk: nobody has the log open, or its images cannot be read from here
};

enum class LogMark {
  kPublished,  // everything that readers may see
  kDurable,    // what survives a power cut
};

// A log that another process writes, read along while it is written: read-only, without a lock
// shared with the writer, and without writing a byte of the log. The writer may stop, die and come
// back with a new epoch; readers go on by themselves where they stand. Frames that were published
// but taken by a power cut end a reader that saw them with ABORTED.
//
// The engine is not slowed: it lists this process (Log::readers()) and wakes it, if it may write
// the file `readers` beside the images; else it polls.
//   threads   one at a time, with all its readers; attach once per thread
//   lifetime  must outlive its readers
class AttachedLog {
 public:
  //   errors    NOT_FOUND no log there; DATA_LOSS the manifest is damaged, or durable frames are
  //             missing; FAILED_PRECONDITION a newer format, or no permission
  static absl::StatusOr<std::unique_ptr<AttachedLog>> Attach(const AttachOptions& options);

  AttachedLog(const AttachedLog&) = delete;
  AttachedLog& operator=(const AttachedLog&) = delete;
  ~AttachedLog();

  // Limits for readers. Both are a frame's end; published() may be smaller than before only after
  // frames were cut.
  Address published() const noexcept;
  Address durable() const noexcept;
  Address mark(LogMark mark) const noexcept {
    return mark == LogMark::kPublished ? published() : durable();
  }

  LogReader NewReader() const;  // from the first record on
  // Of the stream with that number (FORMAT.md, "stream bound").
  StreamReader NewStreamReader(std::uint32_t stream) const;
  // Of the events of some types or categories.
  FilteredReader NewFilteredReader(RecordFilter filter) const;

  // Sleeps until the mark is beyond the reader's place, or `timeout` is over; looks for another
  // writer meanwhile. Tells the engine how far the reader is.
  //   returns   true if there is more to read; the errors of Refresh()
  //   latency   a wake-up of the engine, at most 10 ms if that is missed
  absl::StatusOr<bool> Wait(const LogReader& reader, LogMark mark,
                            std::chrono::nanoseconds timeout);
  // Looks once who writes the log now, and reads on in the files if nobody does. For those who poll
  // and never wait.
  //   errors    DATA_LOSS frames are missing that were durable: what is before them can be read;
  //             FAILED_PRECONDITION a newer format; UNKNOWN a file cannot be read
  absl::Status Refresh();

  LogSource source() const noexcept;
  bool is_listed() const noexcept;  // with the engine; false: it polls
  // Of the engine that wrote last.
  Epoch epoch() const noexcept;
  const LogId& id() const noexcept;
  std::uint64_t segment_bytes() const noexcept;

 private:
  explicit AttachedLog(std::shared_ptr<AttachedSegments> segments);
  void Sleep(LogMark mark, Address beyond, std::int64_t timeout_ns);

  const std::shared_ptr<AttachedSegments> segments_;
};

}  // namespace pawl::inline v0
