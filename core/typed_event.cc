#include "pawl/typed_event.h"

#include <algorithm>
#include <string>

namespace pawl::inline v0 {

absl::Status EventTypes::Take(const RecordView& record, const Key& key, TypedEvent& into) const {
  const auto type = std::find_if(types_.begin(), types_.end(), [&](const Type& each) {
    return each.number == record.header.type;
  });
  if (type == types_.end() || type->bytes != record.header.payload_bytes()) {
    return absl::DataLossError("position " + std::to_string(record.position.value()) +
                               ": event of type number " + std::to_string(record.header.type) +
                               ", which its aggregate does not have, or of a wrong size");
  }
  into = {.index = static_cast<std::uint32_t>(type - types_.begin()),
          .bytes = record.payload(),
          .meta = {.key = key,
                   .position = record.position,
                   .version = Version(record.header.version()),
                   .time_ns = record.frame.time_ns}};
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
