#include "full_disk_case.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

// Turns without progress after which nothing will go on by itself.
constexpr int kIdleTurns = 60;
// Turns within which a log goes on after there is room again. Its clock is moved by what it waits.
constexpr int kResumeTurns = 400;

BootId BootOf(std::uint8_t boot) {
  BootId id{};
  id[0] = 2;
  id[1] = boot;
  return id;
}

}  // namespace

FullDiskCase::FullDiskCase(const FullDiskPoint& point, const FullDiskPlaces& places,
                           FullDiskReport* report)
    : point_(point),
      report_(report),
      room_(point, places),
      random_(point.seed),
      history_(point.seed) {
  options_ = {.directory = places.log(),
              .hot_directory = places.hot(),
              .segment_bytes = point.segment_bytes,
              .undurable_bytes_max = 4 * point.segment_bytes,
              .segments_ahead = 1 + static_cast<std::uint32_t>(random_.Below(2)),
              .on_notice = [this](std::string_view text) {
                if (!text.starts_with("hot images live in")) return;
                // Relaxed, here and below: read after our end.
                report_->images_moved.fetch_add(1, std::memory_order_relaxed);
              }};
}

void FullDiskCase::Run() { report_->Tell(Live()); }

Judgement FullDiskCase::Live() {
  Judgement verdict = LiveBefore();
  if (!verdict.is_good()) return verdict;
  room_.Squeeze();
  verdict = LiveUnderPressure();
  if (!verdict.is_good()) return verdict;
  room_.Relieve();
  verdict = LiveAfter();
  return verdict.is_good() ? Conclude() : verdict;
}

Judgement FullDiskCase::Broken(const std::string& what) const {
  return {Finding::kBrokenRule, absl::StrCat("life ", life_, ": ", what)};
}

// Up to the moment.
Judgement FullDiskCase::LiveBefore() {
  if (point_.moment == FullMoment::kNewLog) return {};
  Judgement verdict = Open(false);
  if (verdict.is_good()) verdict = Append(random_.Below(2 * point_.segment_bytes), true);
  if (!verdict.is_good()) return verdict;
  if (point_.moment == FullMoment::kReopen) return Die(static_cast<Death>(random_.Below(3)));
  if (point_.moment == FullMoment::kRoll) {
    // The segments that are ready are used up; the next one is not begun.
    return Append(4 * point_.segment_bytes, false);
  }
  return {};
}

Judgement FullDiskCase::LiveUnderPressure() {
  if (log_ == nullptr) {
    const Judgement verdict = Open(true);
    if (!verdict.is_good() || log_ == nullptr) return verdict;
  }
  if (point_.moment == FullMoment::kClose) return CloseUnderPressure();
  Judgement verdict = PressOn();
  if (!verdict.is_good()) return verdict;
  const bool has_failed = log_->health() == LogHealth::kFailed;
  if (!has_failed && random_.Below(3) > 0) return {};  // lives on
  verdict = Die(random_.OneIn(2) ? Death::kKilled : Death::kPowerLost);
  return verdict.is_good() ? Open(true) : verdict;
}

Judgement FullDiskCase::PressOn() {
  Judgement verdict = Append(4 * point_.segment_bytes, true);
  if (verdict.is_good()) verdict = SyncAll();
  if (!verdict.is_good()) return verdict;
  // A try that is under way comes to its end.
  while (log_->PrepareWork() > 0) {
  }
  return CheckLeftovers();
}

// Everything that a clean stop writes has its room already.
Judgement FullDiskCase::CloseUnderPressure() {
  const absl::Status closed = log_->Close();
  if (!closed.ok() && !(MayFail() && absl::IsResourceExhausted(closed))) {
    return Broken(absl::StrCat("close: ", closed.ToString()));
  }
  if (!closed.ok()) return Die(random_.OneIn(2) ? Death::kKilled : Death::kPowerLost);
  history_.Worked(life_, writer_->given(), writer_->given());
  log_ = nullptr;
  return {};
}

Judgement FullDiskCase::LiveAfter() {
  if (log_ == nullptr) {
    const Judgement verdict = Open(false);
    return verdict.is_good() ? Append(2 * point_.segment_bytes, true) : verdict;
  }
  if (log_->health() != LogHealth::kFailed) return Resume();
  Judgement verdict = Die(Death::kKilled);
  return verdict.is_good() ? Open(false) : verdict;
}

// The log finds out by itself that there is room.
Judgement FullDiskCase::Resume() {
  const bool was_low = log_->health() == LogHealth::kDiskLow;
  const auto is_well = [&] {
    return log_->health() == LogHealth::kOpen && log_->writer().CanBeginCommit();
  };
  for (int turn = 0; turn < kResumeTurns && !is_well(); ++turn) {
    log_->SyncWork();
    Prepare();
  }
  if (!is_well()) return Broken(absl::StrCat("does not go on: ", log_->error().ToString()));
  report_->resumed.fetch_add(was_low ? 1 : 0, std::memory_order_relaxed);
  const Address before = log_->published();
  const Judgement verdict = Append(2 * point_.segment_bytes, true);
  if (!verdict.is_good()) return verdict;
  if (log_->published() - before < 2 * point_.segment_bytes) {
    return Broken(absl::StrCat("goes on, and stops again: ", log_->error().ToString()));
  }
  return {};
}

Judgement FullDiskCase::Conclude() {
  const Death death = static_cast<Death>(random_.Below(3));
  Judgement verdict = Die(death);
  if (verdict.is_good()) verdict = Open(false);
  return verdict.is_good() ? Die(Death::kClosed) : verdict;
}

Judgement FullDiskCase::Open(bool may_refuse) {
  ++life_;
  storage_.emplace(lies_, BootOf(boot_));
  options_.storage = &*storage_;
  absl::StatusOr<std::unique_ptr<Log>> opened = Log::Open(options_);
  if (!opened.ok() && may_refuse && absl::IsResourceExhausted(opened.status())) {
    report_->opens_refused.fetch_add(1, std::memory_order_relaxed);
    return CheckLeftovers();
  }
  if (!opened.ok()) {
    return {Finding::kRefused, absl::StrCat("life ", life_, ": ", opened.status().ToString())};
  }
  log_ = *std::move(opened);
  LogReader reader = log_->NewReader();
  Judgement verdict = history_.Judge(reader, log_->published());
  if (!verdict.is_good()) return verdict;
  history_.Recovered(verdict.kept);
  writer_.emplace(log_.get(), RecordScript(history_.seed(), life_), verdict.kept);
  writer_->set_acks_published(acks_published_);
  return {};
}

Judgement FullDiskCase::Die(Death death) {
  if (death == Death::kClosed) {
    const absl::Status closed = log_->Close();
    if (!closed.ok()) return Broken(absl::StrCat("close: ", closed.ToString()));
  }
  // Who only dies owes what was published; the memory is still there.
  const std::uint64_t owed = death == Death::kPowerLost ? writer_->Acked() : writer_->given();
  history_.Worked(life_, writer_->given(), owed);
  log_ = nullptr;
  if (death == Death::kPowerLost) LosePower();
  return {};
}

// What is in memory is gone, and what looks like it on the disk is of another boot.
void FullDiskCase::LosePower() {
  std::filesystem::remove_all(options_.hot_directory);
  ++boot_;
}

bool FullDiskCase::CanAppend() const {
  return log_->health() != LogHealth::kFailed && log_->writer().CanBeginCommit() &&
         log_->published() - log_->durable() < options_.undurable_bytes_max / 2;
}

Judgement FullDiskCase::Append(std::uint64_t bytes, bool prepares) {
  const Address first = log_->published();
  for (int idle = 0; idle < kIdleTurns && log_->published() - first < bytes; ++idle) {
    if (CanAppend()) {
      for (std::uint64_t i = 1 + random_.Below(20); i > 0 && CanAppend(); --i) writer_->Append();
      writer_->Publish();
      idle = 0;
    }
    if (random_.OneIn(2)) log_->SyncWork();
    if (prepares) Prepare();
    const Judgement verdict = CheckHealth();
    if (!verdict.is_good()) return verdict;
  }
  return {};
}

void FullDiskCase::Prepare() {
  if (log_->PrepareWork() > 0) return;
  storage_->AdvanceClock(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, log_->prepare_delay_ns())));
}

Judgement FullDiskCase::SyncAll() {
  while (log_->durable() < log_->published()) {
    if (log_->SyncWork() > 0) continue;
    return CheckHealth();
  }
  return {};
}

// A disk that is full is low, and nothing else.
Judgement FullDiskCase::CheckHealth() {
  if (log_->health() == LogHealth::kOpen) return {};
  const absl::Status error = log_->error();
  if (!room_.is_squeezed() || !absl::IsResourceExhausted(error)) {
    return Broken(absl::StrCat("says ", error.ToString()));
  }
  if (log_->health() == LogHealth::kDiskLow) {
    // A point counts once.
    report_->disk_low.store(1, std::memory_order_relaxed);
    return {};
  }
  if (!MayFail()) return Broken(absl::StrCat("failed: ", error.ToString()));
  report_->failed_logs.store(1, std::memory_order_relaxed);
  return {};
}

// Nothing half-made stays on a disk that has no room. (A log that is well may be making something,
// and one that failed does nothing any more.)
Judgement FullDiskCase::CheckLeftovers() const {
  if (log_ != nullptr && log_->health() != LogHealth::kDiskLow) return {};
  const std::string found = room_.FindLeftovers();
  return found.empty() ? Judgement{} : Broken(found);
}

}  // namespace pawl::inline v0
