#include "pawl/typed_event.h"

#include <algorithm>
#include <string>
#include <utility>

namespace pawl::inline v0 {

namespace {

constexpr std::uint32_t kNone = 0xFFFF'FFFF;

std::string PositionText(Position position) {
  return "position " + std::to_string(position.value());
}

}  // namespace

EventTypes::EventTypes(std::vector<Type> types) : types_(std::move(types)) {
  for (std::uint32_t i = 0; i < types_.size(); ++i) {
    const std::uint16_t number = types_[i].number;
    if (number == 0) continue;
    if (index_by_number_.size() <= number) index_by_number_.resize(number + std::size_t{1}, kNone);
    index_by_number_[number] = i;
  }
}

absl::Status EventTypes::Take(const RecordView& record, const Key& key, TypedEvent& into) const {
  const std::uint16_t number = record.header.type;
  const std::uint32_t index = number < index_by_number_.size() ? index_by_number_[number] : kNone;
  if (index == kNone || !types_[index].descriptor->MayHave(record.header.payload_bytes())) {
    return absl::DataLossError(PositionText(record.position) + ": event of type number " +
                               std::to_string(number) +
                               ", which its aggregate does not have, or of a wrong size");
  }
  into = {.index = index,
          .bytes = record.payload(),
          .meta = {.key = key,
                   .position = record.position,
                   .version = Version(record.header.version()),
                   .time_ns = record.frame.time_ns}};
  return absl::OkStatus();
}

absl::Status EventTypes::NotDecoded(const TypedEvent& event) const {
  const EventDescriptor& type = *types_[event.index].descriptor;
  return absl::DataLossError(PositionText(event.meta.position) + ": event " +
                             std::string(type.name) + " version " + std::to_string(type.version) +
                             ", which its codec does not decode");
}

}  // namespace pawl::inline v0
