#include "pawl/log_writer.h"

#include <algorithm>
#include <new>
#include <string>

#include "frame_checksum.h"
#include "health_board.h"
#include "pawl/crc32c.h"
#include "reader_slots.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint32_t kHeaderBytes = sizeof(FrameHeader);

constexpr std::uint32_t AlignFrame(std::uint32_t bytes) noexcept {
  return (bytes + kFrameAlignBytes - 1) & ~(kFrameAlignBytes - 1);
}

// Largest frame that EndCommit leaves staged: the last commit of a full frame, or one alone.
std::uint32_t StagedBytesMax(const LogWriter::Start& start) noexcept {
  return AlignFrame(std::max(start.frame_bytes_max, kHeaderBytes + start.commit_bytes_max));
}

std::uint64_t SegmentStart(std::uint64_t index, std::uint64_t segment_bytes) noexcept {
  return index * segment_bytes;
}

// Address behind the segment, less the room of its seal.
std::uint64_t SegmentEnd(std::uint64_t index, std::uint64_t segment_bytes) noexcept {
  return (index + 1) * segment_bytes - kHeaderBytes;
}

}  // namespace

LogWriter::LogWriter(const Start& start)
    : storage_(start.storage),
      marks_(start.marks),
      ready_(start.ready),
      health_(start.health),
      readers_(start.readers),
      sync_bell_(start.sync_bell),
      prepare_bell_(start.prepare_bell),
      epoch_(start.epoch),
      segment_bytes_(start.segment_bytes),
      frame_bytes_max_(start.frame_bytes_max),
      commit_bytes_max_(start.commit_bytes_max),
      worst_case_bytes_(std::uint64_t{StagedBytesMax(start)} +
                        AlignFrame(kHeaderBytes + start.commit_bytes_max)),
      frame_(static_cast<std::byte*>(
          ::operator new (StagedBytesMax(start) + start.commit_bytes_max + kFrameAlignBytes,
                          std::align_val_t{kFrameAlignBytes}))),
      at_{.next = start.next_position, .commit_first = start.next_position},
      frame_first_(start.next_position),
      previous_checksum_(start.previous_checksum),
      previous_length_(start.previous_length) {
  EnterSegment(start.segment);
  SetAddress(start.address.value());
  PAWL_CHECK(worst_case_bytes_ + kSegmentHeaderBytes + kHeaderBytes <= segment_bytes_);
  PAWL_CHECK(address_.value() % kFrameAlignBytes == 0 && address_.value() <= segment_end_);
  PAWL_CHECK(address_.value() >=
             SegmentStart(segment_.index, segment_bytes_) + kSegmentHeaderBytes);
  // The whole buffer is touched now, so that no page of it faults on the loop.
  std::memset(frame_, 0, StagedBytesMax(start) + start.commit_bytes_max + kFrameAlignBytes);
}

LogWriter::~LogWriter() { ::operator delete (frame_, std::align_val_t{kFrameAlignBytes}); }

Address LogWriter::Publish() noexcept {
  if (at_.commits == 0) return address_;
  const std::uint32_t bytes = AlignFrame(at_.staged);
  if (bytes > segment_room()) Roll();
  std::memset(frame_ + at_.staged, 0, bytes - at_.staged);
  WriteFrame(FrameKind::kData, at_.staged - kHeaderBytes);
  frame_first_ = at_.commit_first;
  at_.staged = kHeaderBytes;
  at_.commits = 0;
  return address_;
}

// The open commit stands right behind the staged ones, where the frame's padding goes: it is
// lifted while the frame is written, then moved to the front of the next frame.
void LogWriter::PublishBeforeOpenCommit() noexcept {
  const std::uint32_t commit_start = at_.staged;
  const std::uint32_t commit_bytes = at_.open - at_.staged;
  const std::uint32_t padding = AlignFrame(at_.staged) - at_.staged;
  std::byte lifted[kFrameAlignBytes];
  std::memcpy(lifted, frame_ + commit_start, padding);
  Publish();
  std::memcpy(frame_ + commit_start, lifted, padding);
  std::memmove(frame_ + kHeaderBytes, frame_ + commit_start, commit_bytes);
  at_.open = kHeaderBytes + commit_bytes;
}

void LogWriter::WriteFrame(FrameKind kind, std::uint32_t payload_bytes) noexcept {
  const std::uint32_t length = AlignFrame(kHeaderBytes + payload_bytes);
  PAWL_DCHECK(address_.value() + length <=
              segment_end_ + (kind == FrameKind::kSeal ? kHeaderBytes : 0));
  const bool is_seal = kind == FrameKind::kSeal;
  FrameHeader header{
      .length = length,
      .checksum = 0,
      .address = address_.value(),
      .epoch = epoch_.value(),
      .previous_checksum = previous_checksum_,
      // Acquire: the sync that the evidence speaks of is over. Pairs with the
      // release of the sync agent.
      .durable_address = marks_->durable.load(std::memory_order_acquire),
      .first_position = frame_first_.value(),
      .time_ns = time_ns_,
      .records = is_seal ? 0 : static_cast<std::uint32_t>(at_.commit_first - frame_first_),
      .commits = is_seal ? std::uint16_t{0} : static_cast<std::uint16_t>(at_.commits),
      .kind = kind,
      .flags = 0,
      .previous_length = previous_length_,
      .payload_bytes = payload_bytes};
  std::memcpy(frame_, &header, sizeof header);
  header.checksum = FrameChecksum(segment_.salt, frame_, length);
  std::memcpy(frame_ + offsetof(FrameHeader, checksum), &header.checksum, sizeof header.checksum);

  storage_->StoreFrame(*segment_.image,
                       address_.value() - SegmentStart(segment_.index, segment_bytes_), frame_,
                       length);
  SetAddress(address_.value() + length);
  previous_checksum_ = header.checksum;
  previous_length_ = length;
  if (segment_.image->is_damaged()) [[unlikely]]
    Poison("the hot image of the newest segment");
  CheckInput();
  if (is_poisoned_) [[unlikely]]
    return;
  // Release: the whole frame before the mark. Pairs with the acquire in Log::published(), in
  // AttachedLog::published() and in the sync agent.
  marks_->published.store(address_.value(), std::memory_order_release);
  sync_bell_->Ring();
  readers_->WakeForPublished(time_ns_);
}

// What was stored may be nowhere. The marks stay where they are; the addresses given out from now
// on are never reached, so nothing waits for them in vain but is failed with the log.
void LogWriter::Poison(const char* what) noexcept {
  is_poisoned_ = true;
  health_->SetFailed(absl::DataLossError(
      std::string(what) + " (segment " + std::to_string(segment_.index) +
      ") was cut short while it was used; nothing more is accepted: find out who changes the files "
      "of the hot directory, then open the log again"));
}

void LogWriter::Roll() noexcept {
  WriteFrame(FrameKind::kSeal, 0);
  EnterSegment(ready_->Take());
  SetAddress(SegmentStart(segment_.index, segment_bytes_) + kSegmentHeaderBytes);
  previous_length_ = 0;
  prepare_bell_->Ring();
}

void LogWriter::EnterSegment(ReadySegment segment) noexcept {
  segment_ = std::move(segment);
  segment_end_ = SegmentEnd(segment_.index, segment_bytes_);
  segment_begin_last_ = segment_end_ - worst_case_bytes_;
}

void LogWriter::SetAddress(std::uint64_t address) noexcept {
  address_ = Address(address);
  target_ = segment_.image->data() + (address - SegmentStart(segment_.index, segment_bytes_));
}

}  // namespace pawl::inline v0
