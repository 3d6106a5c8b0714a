#include "troubled_life.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "absl/strings/str_cat.h"
#include "life.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint32_t kPayloadBytes = 1200;
constexpr std::uint64_t kIdleNs = 20'000'000;

}  // namespace

void FrameBook::Note(const std::byte* frame, std::uint32_t bytes) {
  FrameHeader header;
  std::memcpy(&header, frame, sizeof header);
  std::vector<FrameSeen>& frames = history_.frames;
  while (!frames.empty() && frames.back().address >= header.address) frames.pop_back();
  const std::uint64_t before = header.first_position - 1;
  if (before < std::max(history_.owed.durable, history_.owed.published)) {
    loss_ =
        absl::StrCat("a life began behind position ", before, ", owed were ", history_.owed.durable,
                     " durable and ", history_.owed.published, " published records");
  }
  history_.records.resize(std::min<std::size_t>(history_.records.size(), before));
  ForEachRecord(*reinterpret_cast<const FrameHeader*>(frame), [&](const RecordView& record) {
    history_.records.push_back(DigestOf(record.position, record.header, record.payload()));
  });
  frames.push_back({.address = header.address,
                    .length = header.length,
                    .end_position = before + header.records,
                    .durable_address = header.durable_address,
                    .digest = DigestOf(std::span(frame, bytes))});
}

void FrameBook::Owe(std::uint64_t durable, std::uint64_t published) {
  for (const FrameSeen& frame : history_.frames) {
    const std::uint64_t end = frame.address + frame.length;
    if (end <= durable) history_.owed.durable = std::max(history_.owed.durable, frame.end_position);
    if (end <= published) {
      history_.owed.published = std::max(history_.owed.published, frame.end_position);
    }
  }
}

void TroubledLife::Append(Log& log, std::uint32_t step) {
  LogWriter& writer = log.writer();
  time_ns_ = std::max(time_ns_, machine_->WallClockNs());
  writer.SetTime(time_ns_);
  for (std::uint32_t commit = 0; commit <= step % 3 && writer.CanBeginCommit(); ++commit) {
    writer.BeginCommit();
    const std::uint32_t bytes = kPayloadBytes / (commit + 1);
    std::byte* const payload = writer.AppendRecord({.type = 1, .stream = 1}, bytes);
    PAWL_CHECK(payload != nullptr);
    ++number_;
    for (std::uint32_t i = 0; i < bytes; ++i) {
      payload[i] = static_cast<std::byte>((number_ * 31 + i) & 0xFF);
    }
    writer.EndCommit({.sequence = Sequence(number_)});
  }
  writer.Publish();
}

std::string TroubledLife::ReadAlong(Log& log, LogReader& reader) {
  if (!reader.status().ok()) return "";
  while (const FrameHeader* frame = reader.NextFrame(log.published())) {
    std::string wrong;
    ForEachRecord(*frame, [&](const RecordView& record) {
      const std::uint64_t index = record.position.value() - 1;
      const std::vector<std::uint64_t>& given = book_->history().records;
      if (index >= given.size() ||
          given[index] != DigestOf(record.position, record.header, record.payload())) {
        wrong = absl::StrCat("wrong_read: a live reader at position ", index + 1);
      }
    });
    if (!wrong.empty()) return wrong;
  }
  if (!reader.status().ok() && trouble_.ok()) trouble_ = reader.status();
  return "";
}

// After a failed sync nothing is acknowledged any more, whatever the disk does then.
std::string TroubledLife::CheckFailed(Log& log) {
  trouble_ = log.error();
  const Address durable = log.durable();
  Append(log, 0);
  machine_->AdvanceClock(kIdleNs);
  for (int i = 0; i < 4; ++i) {
    if (log.SyncWork() + log.PrepareWork() != 0) return "accepted: an agent works after a failure";
  }
  if (log.durable() != durable) return "accepted: the durable mark moved after a failure";
  if (log.health() != LogHealth::kFailed) return "accepted: a failed log is well again";
  book_->Owe(log.durable().value(), log.published().value());
  if (log.Close().ok()) return "accepted: Close() of a failed log is Ok";
  return "";
}

std::string TroubledLife::Step(Log& log, std::uint32_t step) {
  Append(log, step);
  if (step % 2 == 0) log.PrepareWork();
  if (step % 3 == 0) log.SyncWork();
  if (step % 16 == 0) {
    // Idle for a while: evidence is written, and a full disk is tried again.
    machine_->AdvanceClock(kIdleNs);
    for (int i = 0; i < 8; ++i) {
      log.SyncWork();
      log.PrepareWork();
    }
  }
  if (log.durable() > log.published()) return "wrong_read: durable > published";
  book_->Owe(log.durable().value(), log.published().value());
  return book_->loss().empty() ? "" : absl::StrCat("lost: ", book_->loss());
}

std::string TroubledLife::Close(Log& log) {
  const absl::Status closed = log.Close();
  if (!closed.ok()) {
    trouble_ = closed;
    return "";
  }
  book_->Owe(log.published().value(), log.published().value());
  return "";
}

std::string TroubledLife::RunOnce(std::uint32_t steps, bool closes) {
  LogOptions options = Life::Options(machine_);
  options.storage = storage_;
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options);
  if (!log.ok()) {
    trouble_ = log.status();
    return "";
  }
  book_->Owe((*log)->durable().value(), (*log)->published().value());
  LogReader reader = (*log)->NewReader();
  for (std::uint32_t step = 0; step < steps; ++step) {
    std::string broken = Step(**log, step);
    if (broken.empty()) broken = ReadAlong(**log, reader);
    if (!broken.empty()) return broken;
    if ((*log)->health() == LogHealth::kFailed) return CheckFailed(**log);
  }
  return closes ? Close(**log) : "";
}

std::string TroubledLife::Run(std::uint32_t steps, bool close_last) {
  for (const bool is_last : {false, true}) {
    const std::string broken = RunOnce(steps, !is_last || close_last);
    if (!broken.empty() || !trouble_.ok()) return broken;
  }
  return "";
}

}  // namespace pawl::inline v0
