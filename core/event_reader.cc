#include "pawl/event_reader.h"

#include <utility>

namespace pawl::inline v0 {

namespace {

RecordFilter FilterOf(const CategoryReader::Start& start) {
  RecordFilter filter{.categories = {start.category}};
  for (const EventTypes::Type& type : start.types.types()) {
    if (type.number != 0) filter.types.push_back(type.number);
  }
  return filter;
}

}  // namespace

CategoryReader::CategoryReader(Start start)
    : start_(std::move(start)), events_(start_.log->NewFilteredReader(FilterOf(start_))) {}

bool CategoryReader::Next(TypedEvent& into) {
  if (!status_.ok()) return false;
  const bool is_durable = start_.options.level == Ack::kDurable;
  const RecordView* const record =
      events_.NextEvent(is_durable ? start_.log->durable() : start_.log->published());
  if (record == nullptr) return false;
  const FilteredReader::Stream& stream = events_.StreamOf(*record);
  status_ = start_.types.Take(*record, Key(stream.key_high, stream.key_low), into);
  return status_.ok();
}

}  // namespace pawl::inline v0
