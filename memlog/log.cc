#include "pawl/log.h"

#include <utility>

#include "log_parts.h"

namespace pawl::inline v0 {

absl::Status Log::Parts::SyncAll() {
  // Relaxed: no other thread writes while this one does both agents' work.
  while (marks->durable.load(std::memory_order_relaxed) <
         marks->published.load(std::memory_order_relaxed)) {
    if (sync_agent->DoWork() == 0) return health.error();
  }
  return absl::OkStatus();
}

Log::Log(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Log::~Log() = default;

LogWriter& Log::writer() noexcept { return *parts_->writer; }
int Log::SyncWork() noexcept { return parts_->sync_agent->DoWork(); }
int Log::PrepareWork() noexcept {
  // The next segment first: the loop may come to need it.
  int work = parts_->preparer->DoWork();
  if (work == 0) work = parts_->indexer->DoWork();
  return work > 0 ? work : parts_->scrubber->DoWork();
}
Doorbell& Log::sync_bell() noexcept { return parts_->sync_bell; }
Doorbell& Log::prepare_bell() noexcept { return parts_->prepare_bell; }
bool Log::HasSyncWork() const noexcept { return parts_->sync_agent->HasWork(); }
bool Log::HasPrepareWork() const noexcept {
  return parts_->preparer->HasWork() || parts_->indexer->HasWork() || parts_->scrubber->HasWork();
}
std::int64_t Log::sync_delay_ns() const noexcept { return parts_->sync_agent->delay_ns(); }
std::int64_t Log::prepare_delay_ns() const noexcept {
  std::int64_t soonest = -1;
  for (const std::int64_t delay :
       {parts_->preparer->delay_ns(), parts_->indexer->delay_ns(), parts_->scrubber->delay_ns()}) {
    if (soonest < 0 || (delay >= 0 && delay < soonest)) soonest = delay;
  }
  return soonest;
}
void Log::set_durable_bell(Doorbell* bell) noexcept { parts_->health.set_bell(bell); }

Address Log::published() const noexcept {
  // Acquire: the frames below are whole. Pairs with the release in LogWriter::WriteFrame().
  return Address(parts_->marks->published.load(std::memory_order_acquire));
}

Address Log::durable() const noexcept {
  // Acquire: the sync is over. Pairs with the release in SyncAgent::WriteUpTo().
  return Address(parts_->marks->durable.load(std::memory_order_acquire));
}

LogHealth Log::health() const noexcept { return parts_->health.health(); }
absl::Status Log::error() const { return parts_->health.error(); }

std::uint32_t Log::ready_segments() const noexcept { return parts_->ready.size(); }
bool Log::is_warm() const noexcept {
  return ready_segments() >= parts_->options.segments_ahead && parts_->sync_agent->is_warm();
}

LogReader Log::NewReader() const {
  return LogReader(parts_->segments, Address(parts_->segments->geometry().FirstFrame(0)),
                   Position());
}

StreamReader Log::NewStreamReader(std::uint32_t stream) const {
  return StreamReader(parts_->segments, stream);
}

FilteredReader Log::NewFilteredReader(RecordFilter filter) const {
  return FilteredReader(parts_->segments, std::move(filter));
}

std::vector<ReaderProcess> Log::readers() const { return parts_->readers->List(); }

const RecoveryReport& Log::recovery() const noexcept { return parts_->report; }
Epoch Log::epoch() const noexcept { return parts_->report.epoch; }
const LogId& Log::id() const noexcept { return parts_->manifest.log_id; }
std::uint64_t Log::segment_bytes() const noexcept { return parts_->manifest.segment_bytes; }
const std::string& Log::hot_directory() const noexcept { return parts_->images->directory(); }
bool Log::is_direct() const noexcept { return parts_->is_direct; }

absl::Status Log::Close() {
  Parts& parts = *parts_;
  if (parts.is_closed) return absl::OkStatus();
  parts.is_closed = true;
  absl::Status done = parts.SyncAll();
  if (done.ok() && parts.health.health() == LogHealth::kFailed) done = parts.health.error();
  if (done.ok()) done = parts.sync_agent->WriteEvidenceNow(true);
  // After a failure the images stay: they hold what the files do not.
  if (done.ok()) {
    // Release: closing evidence is durable before. Pairs with the acquire in recovery.
    parts.marks->state.store(static_cast<std::uint32_t>(MarksState::kClosed),
                             std::memory_order_release);
    done = parts.images->RemoveAll();
    if (done.ok()) done = parts.images->RemoveDirectory();
  }
  parts.lock = nullptr;
  return done;
}

}  // namespace pawl::inline v0
