#include "event_resolver.h"

#include <span>
#include <string>

namespace pawl::inline v0 {

const EventTraits* EventResolver::TraitsOf(const TypeCatalog::Type& type) const noexcept {
  for (const std::span<const EventTraits> events : {aggregate_.events, aggregate_.older}) {
    for (const EventTraits& event : events) {
      if (event.descriptor->name == type.name && event.descriptor->version == type.version) {
        return &event;
      }
    }
  }
  return nullptr;
}

absl::StatusOr<const EventTraits*> EventResolver::Resolve(std::uint16_t number,
                                                          const TypeCatalog& catalog) {
  const TypeCatalog::Type* const type = catalog.TypeOf(number);
  if (type == nullptr) return absl::DataLossError("event of an unbound type");
  const EventTraits* const event = TraitsOf(*type);
  if (event == nullptr) {
    return absl::FailedPreconditionError(
        "the log holds " + type->name + " version " + std::to_string(type->version) +
        " on category " + std::string(aggregate_.category) +
        ", which does not list it in its Events, nor as an Older of one of them; add it");
  }
  if (absl::StatusOr<std::uint16_t> same = catalog.Find(*event->descriptor); !same.ok()) {
    return same.status();
  }
  if (by_number_.size() <= number) by_number_.resize(number + std::size_t{1});
  by_number_[number] = event;
  return event;
}

}  // namespace pawl::inline v0
