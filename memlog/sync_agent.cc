#include "sync_agent.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "block_memory.h"
#include "pawl/check.h"
#include "zero_blocks.h"

namespace pawl::inline v0 {
namespace {

// Reads a byte of every page: where memory was taken away, that is known afterwards.
void Touch(std::span<const std::byte> bytes) noexcept {
  for (std::size_t at = 0; at < bytes.size(); at += kBlockBytes) {
    static_cast<void>(*static_cast<const volatile std::byte*>(bytes.data() + at));
  }
}

}  // namespace

SyncAgent::SyncAgent(const Start& start)
    : storage_(start.storage),
      marks_(start.marks),
      marks_memory_(start.marks_memory),
      segments_(start.segments),
      evidence_(start.evidence),
      health_(start.health),
      readers_(start.readers),
      prepare_bell_(start.prepare_bell),
      epoch_(start.epoch),
      geometry_(start.segments->geometry()),
      from_(geometry_.Normalised(start.durable.value())),
      idle_since_ns_(start.storage->WallClockNs()) {
  EnterSegment(geometry_.IndexOf(from_));
}

std::uint64_t SyncAgent::Published() const noexcept {
  // Acquire: the frames below are whole. Pairs with the release in LogWriter::WriteFrame().
  return marks_->published.load(std::memory_order_acquire);
}

int SyncAgent::DoWork() noexcept {
  if (HasFailed()) return 0;
  const std::uint64_t published = Published();
  if (published <= from_) {
    if (delay_ns() == 0) return WriteEvidenceNow(false).ok() ? 1 : 0;
    return WantsZeros() && WriteZeros() ? 1 : 0;
  }
  const std::uint64_t end = RoundEnd(published);
  // Behind the walk: where memory was taken away it met zeros.
  if (!Accept(MemoryIsThere())) return 0;
  const bool is_done = end == from_ ? LeaveSegment() : WriteUpTo(end);
  idle_since_ns_ = storage_->WallClockNs();
  return is_done ? 1 : 0;
}

bool SyncAgent::HasWork() const noexcept {
  return !HasFailed() && (Published() > from_ || WantsZeros() || delay_ns() == 0);
}

std::int64_t SyncAgent::delay_ns() const noexcept {
  if (HasFailed() || evidence_->durable().value() >= from_) return -1;
  const std::uint64_t now = storage_->WallClockNs();
  // A wall clock that was set back counts as idle: evidence early is evidence all the same.
  const std::uint64_t waited = now < idle_since_ns_ ? kIdleNs : now - idle_since_ns_;
  return waited >= kIdleNs ? 0 : static_cast<std::int64_t>(kIdleNs - waited);
}

const FrameHeader* SyncAgent::FrameAt(std::uint64_t address) const noexcept {
  return reinterpret_cast<const FrameHeader*>(target_.image->data() +
                                              (address - geometry_.Start(index_)));
}

// End of the last frame that this round takes: `published` itself if it is near, else found by
// walking. Returns from_ if the segment holds no more: it is sealed.
std::uint64_t SyncAgent::RoundEnd(std::uint64_t published) const noexcept {
  const std::uint64_t segment_end = geometry_.End(index_);
  if (published <= segment_end && published - from_ <= kRoundBytes) return published;
  std::uint64_t end = from_;
  while (end < published && end < segment_end) {
    const std::uint64_t length = FrameAt(end)->length;
    if (length == 0 || (end > from_ && end + length - from_ > kRoundBytes)) break;
    end += length;
  }
  PAWL_CHECK(end <= segment_end);
  return end;
}

bool SyncAgent::WriteUpTo(std::uint64_t end) noexcept {
  const std::uint64_t start = geometry_.Start(index_);
  const std::uint64_t first = BlockStart(from_ - start);
  const std::uint64_t whole = BlockStart(end - start);
  const std::uint64_t rest = end - start - whole;
  std::span<const std::byte> tail;
  if (rest > 0) {
    std::memcpy(bounce_, target_.image->data() + whole, rest);
    std::memset(bounce_ + rest, 0, kBlockBytes - rest);
    tail = bounce_;
  }
  const std::span<const std::byte> head(target_.image->data() + first, whole - first);
  // The first block holds durable bytes: zeros in their place must not reach the disk.
  Touch(head);
  if (!Accept(MemoryIsThere())) return false;
  if (!Accept(target_.file->WriteAt(first, head, tail))) return false;
  // Taken away meanwhile, what was written may have been zeros.
  if (!Accept(MemoryIsThere())) return false;
  from_ = end;
  SetWritten(std::max(written_, BlockEnd(end - start)));
  // Release: the write returned before. Pairs with the acquire in Log::durable(), and with that in
  // LogWriter, which passes it on as evidence.
  marks_->durable.store(end, std::memory_order_release);
  health_->RingBell();
  readers_->WakeForDurable();
  return true;
}

// Nothing is published that is not durable, so nothing is behind the block that holds the end.
bool SyncAgent::WriteZeros() noexcept {
  const std::uint64_t bytes = std::min(kZeroBytes, geometry_.segment_bytes - written_);
  if (!Accept(target_.file->WriteAt(written_, ZeroBlocks(bytes), {}))) return false;
  SetWritten(written_ + bytes);
  return true;
}

void SyncAgent::SetWritten(std::uint64_t bytes) noexcept {
  written_ = bytes;
  // Relaxed: a hint.
  is_warm_.store(!WantsZeros(), std::memory_order_relaxed);
}

absl::Status SyncAgent::MemoryIsThere() const {
  const bool is_image = target_.image->is_damaged();
  if (!is_image && !marks_memory_->is_damaged()) [[likely]]
    return absl::OkStatus();
  return absl::DataLossError(
      (is_image ? "the hot image of segment " + std::to_string(index_) : std::string("the marks")) +
      " in memory were cut short while the log was open");
}

// The next segment's file was made durable before the loop was given it.
bool SyncAgent::LeaveSegment() noexcept {
  if (!WriteEvidenceNow(false).ok()) return false;
  target_ = {};
  segments_->Retire(index_);
  prepare_bell_->Ring();
  from_ = geometry_.FirstFrame(index_ + 1);
  EnterSegment(index_ + 1);
  return true;
}

void SyncAgent::EnterSegment(std::uint64_t index) noexcept {
  index_ = index;
  target_ = segments_->TakeForSync(index);
  PAWL_CHECK(target_.image != nullptr && target_.file != nullptr);
  SetWritten(target_.written_bytes);
}

absl::Status SyncAgent::WriteEvidenceNow(bool is_closed) {
  if (HasFailed()) return health_->error();
  const absl::Status written = evidence_->Write(Address(from_), epoch_, is_closed);
  Accept(written);
  return written;
}

bool SyncAgent::Accept(const absl::Status& status) noexcept {
  if (status.ok()) return true;
  health_->SetFailed(absl::Status(
      status.code(), std::string(status.message()) +
                         "; nothing more is accepted: stop, repair the disk, open the log again"));
  return false;
}

}  // namespace pawl::inline v0
