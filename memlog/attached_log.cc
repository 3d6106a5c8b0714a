#include "pawl/attached_log.h"

#include <algorithm>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include "attached_segments.h"
#include "hot_images.h"
#include "manifest.h"
#include "pawl/deadline.h"
#include "pawl/parking.h"
#include "shared_futex.h"

namespace pawl::inline v0 {
namespace {

// How long a missed wake-up, or another writer, goes unseen.
constexpr std::int64_t kLookEveryNs = 10'000'000;

absl::StatusOr<AttachedSegments::Start> Facts(const AttachOptions& options) {
  Storage& storage = options.storage != nullptr ? *options.storage : PosixStorage();
  const absl::StatusOr<Manifest> manifest = ReadManifest(storage, options.directory);
  if (!manifest.ok()) return manifest.status();
  const absl::StatusOr<FileIdentity> identity =
      storage.Identify(options.directory + "/" + kManifestName);
  if (!identity.ok()) return identity.status();
  const absl::StatusOr<BootId> boot = storage.ReadBootId();
  const std::string hot =
      options.hot_directory.empty() ? DefaultHotDirectory(manifest->log_id) : options.hot_directory;
  std::vector<std::string> hot_directories = {hot};
  if (hot != options.directory) hot_directories.push_back(options.directory);
  return AttachedSegments::Start{
      .storage = &storage,
      .directory = options.directory,
      .hot_directories = std::move(hot_directories),
      .name = options.name,
      .manifest = *manifest,
      .manifest_identity = *identity,
      .boot_id = boot.ok() ? std::optional<BootId>(*boot) : std::nullopt};
}

}  // namespace

absl::StatusOr<std::unique_ptr<AttachedLog>> AttachedLog::Attach(const AttachOptions& options) {
  try {
    absl::StatusOr<AttachedSegments::Start> facts = Facts(options);
    if (!facts.ok()) return facts.status();
    auto segments = std::make_shared<AttachedSegments>(*std::move(facts));
    std::unique_ptr<AttachedLog> log(new AttachedLog(std::move(segments)));
    const absl::Status seen = log->Refresh();
    const bool is_allowed = absl::IsDataLoss(seen) && options.allow_damaged;
    if (!seen.ok() && !is_allowed) return seen;
    if (log->source() == LogSource::kHotImages && !log->is_listed() && options.on_notice) {
      options.on_notice(options.directory +
                        ": this reader is not listed with the engine, and polls: the file "
                        "`readers` beside its hot images is full or may not be written");
    }
    return log;
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory to attach to " + options.directory);
  } catch (const std::system_error& error) {
    return absl::UnknownError("attach to " + options.directory + ": " + error.what());
  }
}

AttachedLog::AttachedLog(std::shared_ptr<AttachedSegments> segments)
    : segments_(std::move(segments)) {}
AttachedLog::~AttachedLog() = default;

Address AttachedLog::published() const noexcept {
  const HotMarks* const marks = segments_->marks();
  if (marks == nullptr) return segments_->files().end().next;
  // Acquire: the frames below are whole. Pairs with the release in LogWriter::WriteFrame().
  return Address(marks->published.load(std::memory_order_acquire));
}

Address AttachedLog::durable() const noexcept {
  const HotMarks* const marks = segments_->marks();
  if (marks == nullptr) return segments_->files().durable();
  // Acquire: the sync is over. Pairs with the release in SyncAgent::WriteUpTo().
  return Address(marks->durable.load(std::memory_order_acquire));
}

LogReader AttachedLog::NewReader() const {
  return LogReader(segments_, Address(segments_->geometry().FirstFrame(0)), Position());
}

StreamReader AttachedLog::NewStreamReader(std::uint32_t stream) const {
  return StreamReader(segments_, stream);
}

FilteredReader AttachedLog::NewFilteredReader(RecordFilter filter) const {
  return FilteredReader(segments_, std::move(filter));
}

absl::Status AttachedLog::Refresh() { return segments_->Refresh(); }

absl::StatusOr<bool> AttachedLog::Wait(const LogReader& reader, LogMark mark,
                                       std::chrono::nanoseconds timeout) {
  const std::int64_t deadline = DeadlineAfter(timeout.count());
  for (;;) {
    // What the marks of a writer that is gone promise may not be there to be entered.
    if (this->mark(mark) > reader.address() && !segments_->is_outdated()) return true;
    if (ReaderSeat* const seat = segments_->seat()) seat->Tell(reader.address(), reader.position());
    if (const absl::Status seen = Refresh(); !seen.ok()) return seen;
    const std::int64_t left = deadline - KernelParking::NowNs();
    if (this->mark(mark) > reader.address()) return true;
    if (left <= 0) return false;
    Sleep(mark, reader.address(), std::min(left, kLookEveryNs));
  }
}

// Until the mark moves or the time is over.
void AttachedLog::Sleep(LogMark mark, Address beyond, std::int64_t timeout_ns) {
  const HotMarks* const marks = segments_->marks();
  if (marks == nullptr) {
    std::atomic<std::uint32_t> nobody_rings{0};
    KernelParking::Wait(nobody_rings, 0, KernelParking::NowNs() + timeout_ns);
    return;
  }
  const bool for_durable = mark == LogMark::kDurable;
  const std::atomic<std::uint64_t>& word = for_durable ? marks->durable : marks->published;
  ReaderSeat* const seat = segments_->seat();
  if (seat != nullptr) seat->BeginWait(for_durable);
  // Relaxed: only for the kernel to compare with; what is read below it is acquired by mark().
  const std::uint64_t seen = word.load(std::memory_order_relaxed);
  if (seen <= beyond.value()) WaitForMark(word, seen, timeout_ns);
  if (seat != nullptr) seat->EndWait();
}

LogSource AttachedLog::source() const noexcept { return segments_->source(); }
bool AttachedLog::is_listed() const noexcept { return segments_->seat() != nullptr; }
Epoch AttachedLog::epoch() const noexcept {
  const HotMarks* const marks = segments_->marks();
  return marks != nullptr ? Epoch(marks->epoch) : segments_->files().end().epoch;
}
const LogId& AttachedLog::id() const noexcept { return segments_->manifest().log_id; }
std::uint64_t AttachedLog::segment_bytes() const noexcept {
  return segments_->manifest().segment_bytes;
}

}  // namespace pawl::inline v0
