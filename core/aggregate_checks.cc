#include "aggregate_checks.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "pawl/event.h"

namespace pawl::inline v0 {

namespace {

absl::Status CheckCategories(std::span<const AggregateTraits* const> aggregates) {
  for (std::size_t i = 0; i < aggregates.size(); ++i) {
    const std::string_view category = aggregates[i]->category;
    if (category.empty() || category.size() > kEventNameBytesMax) {
      return absl::InvalidArgumentError("kCategory must have 1 to 64 bytes");
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (aggregates[j]->category == category) {
        return absl::InvalidArgumentError("two aggregates have the category " +
                                          std::string(category));
      }
    }
  }
  return absl::OkStatus();
}

// Types of one name and version are one type to the log, whatever aggregates list them.
class KnownTypes {
 public:
  //   types     of events or timers
  template <class Traits>
  absl::Status Add(std::span<const Traits> types) {
    for (const Traits& each : types) {
      const EventDescriptor& type = *each.descriptor;
      const EventDescriptor& first =
          *known_.try_emplace({type.name, type.version}, &type).first->second;
      if (first.layout_text == type.layout_text) continue;
      return absl::InvalidArgumentError(
          "two events are " + std::string(type.name) + " version " + std::to_string(type.version) +
          " and differ in their layout: {" + std::string(first.layout_text) + "} and {" +
          std::string(type.layout_text) + "}; give one of them another name or version");
    }
    return absl::OkStatus();
  }

 private:
  std::map<std::pair<std::string_view, std::uint16_t>, const EventDescriptor*> known_;
};

absl::Status CheckTypes(std::span<const AggregateTraits* const> aggregates) {
  KnownTypes known;
  for (const AggregateTraits* aggregate : aggregates) {
    if (absl::Status added = known.Add(aggregate->events); !added.ok()) return added;
    if (absl::Status added = known.Add(aggregate->older); !added.ok()) return added;
    if (absl::Status added = known.Add(aggregate->timers); !added.ok()) return added;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAggregates(std::span<const AggregateTraits* const> aggregates) {
  absl::Status checked = CheckCategories(aggregates);
  return checked.ok() ? CheckTypes(aggregates) : checked;
}

}  // namespace pawl::inline v0
