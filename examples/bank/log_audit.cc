#include "log_audit.h"

#include <cstring>
#include <utility>

#include "bank.h"
#include <pawl/format.h>

namespace bank {
namespace {

template <class T>
T PayloadAs(const pawl::RecordView& record) {
  T value;
  std::memcpy(&value, record.payload(), sizeof value);
  return value;
}

std::string_view TextAt(const pawl::RecordView& record, std::size_t offset, std::size_t bytes) {
  return {reinterpret_cast<const char*>(record.payload()) + offset, bytes};
}

}  // namespace

LogAudit::LogAudit(const pawl::Log& log, std::string session)
    : log_(log), session_(std::move(session)), reader_(log.NewReader()) {}

absl::Status LogAudit::ReadOn() {
  const pawl::Address end = log_.published();
  while (const pawl::FrameHeader* frame = reader_.NextFrame(end)) {
    pawl::ForEachRecord(*frame, [this](const pawl::RecordView& record) noexcept { Take(record); });
    open_commit_ = nullptr;
  }
  return reader_.status();
}

void LogAudit::Take(const pawl::RecordView& record) {
  switch (record.header.kind) {
    case pawl::RecordKind::kSessionOpened: {
      const auto opened = PayloadAs<pawl::SessionOpened>(record);
      if (TextAt(record, sizeof opened, opened.name_bytes) == session_) {
        session_number_ = opened.session;
      }
      break;
    }
    case pawl::RecordKind::kTypeBound: {
      const auto bound = PayloadAs<pawl::TypeBound>(record);
      events_[record.header.type] = TextAt(record, sizeof bound, bound.name_bytes);
      break;
    }
    case pawl::RecordKind::kStreamBound: {
      const auto bound = PayloadAs<pawl::StreamBound>(record);
      keys_[record.header.stream] = pawl::Key(bound.key_high, bound.key_low);
      break;
    }
    case pawl::RecordKind::kEvent: TakeEvent(record); break;
    default: break;
  }
  // The receipt names the commit's last record, whatever kind it is of.
  if (open_commit_ == &record.commit) commits_.back().position = record.position;
}

void LogAudit::TakeEvent(const pawl::RecordView& record) {
  if (open_commit_ != &record.commit) {
    open_commit_ = &record.commit;
    // A commit of another session shows up as a command that nobody sent: sequence 0.
    const bool is_ours = session_number_ != 0 && record.commit.session == session_number_;
    commits_.push_back({.sequence = is_ours ? record.commit.sequence : 0U,
                        .position = record.position,
                        .epoch = pawl::Epoch(record.frame.epoch),
                        .events = {}});
  }
  const std::int64_t cents = PayloadAs<Deposited>(record).cents;
  const bool is_deposit = events_[record.header.type] == Deposited::kType.name();
  commits_.back().events.push_back({keys_[record.header.stream], is_deposit ? cents : -cents});
}

}  // namespace bank
