#include "kill_reader.h"

#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "counted_domain.h"
#include "kill_victim.h"

namespace pawl::inline v0 {

KillReader::KillReader(ReaderOrders orders, ReaderReport* report)
    : orders_(std::move(orders)), report_(report) {}

void KillReader::Run() {
  while (!Attach()) {
    if (report_->finding != Finding::kGood) return;
    std::this_thread::yield();
  }
  LogReader reader = log_->NewReader();
  while (ReadOn(reader)) {
    // Nobody rings for a reader of files: it looks again when this time is over.
    const absl::StatusOr<bool> more =
        log_->Wait(reader, orders_.mark, std::chrono::milliseconds(orders_.sees_images ? 10 : 1));
    if (!more.ok() && !IsToPass(more.status())) return;
    // Relaxed, here and below: counts.
    report_->reads.fetch_add(1, std::memory_order_relaxed);
    if (log_->source() == LogSource::kFiles) {
      report_->from_files.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

bool KillReader::Attach() {
  const EngineOptions options = EngineOptionsIn(orders_.root);
  absl::StatusOr<std::unique_ptr<AttachedLog>> log = AttachedLog::Attach(
      {.directory = options.directory,
       .hot_directory = orders_.sees_images ? options.hot_directory : orders_.root + "/none",
       .name = orders_.mark == LogMark::kPublished ? "published" : "durable"});
  if (!log.ok()) return IsToPass(log.status()) && false;
  log_ = *std::move(log);
  return true;
}

// The log is being made. Nothing else that a reader meets is an error: engines come and go.
bool KillReader::IsToPass(const absl::Status& status) {
  if (absl::IsNotFound(status) && log_ == nullptr) {
    report_->not_now.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  report_->Tell(
      {Finding::kRefused, absl::StrCat("a reader at ", position_, ": ", status.ToString())});
  return false;
}

bool KillReader::ReadOn(LogReader& reader) {
  while (const FrameHeader* const frame = reader.NextFrame(log_->mark(orders_.mark))) {
    if (!Check(*frame)) return false;
  }
  if (reader.status().ok()) return true;
  report_->Tell({absl::IsAborted(reader.status()) ? Finding::kLost : Finding::kWrong,
                 absl::StrCat("a reader at ", position_, ": ", reader.status().ToString())});
  return false;
}

bool KillReader::Check(const FrameHeader& frame) {
  bool is_right = true;
  ForEachRecord(frame, [&](const RecordView& record) {
    is_right = is_right && record.position.value() == ++position_;
    if (record.header.kind != RecordKind::kEvent) return;
    Told told{};
    is_right = is_right && record.header.payload_bytes() == sizeof told;
    if (!is_right) return;
    std::memcpy(&told, record.payload(), sizeof told);
    is_right = told.number == ++number_ && told.word == WordOf(told.number);
  });
  if (!is_right) {
    report_->Tell({Finding::kWrong, absl::StrCat("a reader met position ", position_,
                                                 " with other content than event ", number_,
                                                 ", in the frame at ", frame.address)});
    return false;
  }
  // Release: pairs with the acquire of the parent.
  report_->seen.store(number_, std::memory_order_release);
  return true;
}

}  // namespace pawl::inline v0
