#include <new>
#include <optional>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"
#include "pawl/log_reader.h"

namespace pawl::inline v0 {

namespace {

// Whether a command's commit ends at the receipt's position and left its own stream at the
// receipt's version. A receipt of another log hardly ever finds both.
bool HoldsCommit(const FrameHeader& frame, const Receipt& receipt) noexcept {
  const CommitHeader* open = nullptr;
  const CommitHeader* found = nullptr;
  Version version;
  bool holds = false;
  ForEachRecord(frame, [&](const RecordView& record) {
    if (&record.commit != open) version = Version();
    open = &record.commit;
    if ((record.header.flags & kRecordOwnStream) != 0) version = Version(record.header.version());
    if (record.position == receipt.position) {
      found = open;
      holds = open->cause == CommitCause::kCommand && version == receipt.version;
    } else if (open == found) {
      holds = false;  // the commit goes on behind the position
    }
  });
  return holds;
}

absl::StatusOr<Confirmation> LookUp(const Log& log, const Receipt& receipt) {
  const Address limit = log.published();
  LogReader reader = log.NewReader();
  const absl::Status sought = reader.Seek(receipt.position, limit);
  if (absl::IsOutOfRange(sought)) return Confirmation{};
  if (!sought.ok()) return sought;
  const FrameHeader* const frame = reader.NextFrame(limit);
  if (!reader.status().ok()) return reader.status();
  if (frame == nullptr || !HoldsCommit(*frame, receipt)) return Confirmation{};
  const Address end(frame->address + frame->length);
  return Confirmation{.presence = Presence::kPresent, .is_durable = end <= log.durable()};
}

}  // namespace

absl::StatusOr<Confirmation> Engine::Confirm(const Receipt& receipt) const {
  const std::optional<EpochStarts::Range> written = parts_->epochs.RangeOf(receipt.epoch);
  // The epoch's own first record answers no command.
  if (!written.has_value() || receipt.position <= written->first) return Confirmation{};
  if (receipt.position > written->last) return Confirmation{.presence = Presence::kLost};
  try {
    return LookUp(*parts_->log, receipt);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to read the log's index");
  }
}

}  // namespace pawl::inline v0
