#include "pawl/history.h"

#include <utility>

namespace pawl::inline v0 {

HistoryReader::HistoryReader(Start start)
    : start_(std::move(start)), stream_(start_.log->NewStreamReader(start_.stream)) {}

Address HistoryReader::limit() const noexcept {
  return start_.options.level == Ack::kDurable ? start_.log->durable() : start_.log->published();
}

bool HistoryReader::Take(const RecordView* record, TypedEvent& into) {
  if (record == nullptr) return false;
  status_ = start_.types.Take(*record, start_.key, into);
  return status_.ok();
}

bool HistoryReader::Next(TypedEvent& into) {
  return status_.ok() && Take(stream_.NextEvent(limit()), into);
}

bool HistoryReader::Previous(TypedEvent& into) {
  return status_.ok() && Take(stream_.PreviousEvent(), into);
}

absl::Status HistoryReader::StandBefore(Version version) {
  return status_.ok() ? stream_.Seek(version, limit()) : status_;
}

absl::Status HistoryReader::StandAtEnd() {
  return status_.ok() ? stream_.SeekEnd(limit()) : status_;
}

}  // namespace pawl::inline v0
