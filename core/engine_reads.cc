// What an Engine answers from its log: typed events of one aggregate or of all of a type.

#include <cstdint>
#include <functional>
#include <numeric>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"

namespace pawl::inline v0 {

namespace {

// The aggregate's types with these indexes; all, if there are none.
EventTypes TypesOf(const StreamStore& store, std::vector<std::uint32_t> events) {
  if (events.empty()) {
    events.resize(store.traits().events.size());
    std::iota(events.begin(), events.end(), 0U);
  }
  std::vector<EventTypes::Type> types;
  for (const std::uint32_t event : events) {
    types.push_back({store.type_numbers[event], store.traits().events[event].descriptor->bytes});
  }
  return EventTypes(std::move(types));
}

}  // namespace

absl::StatusOr<HistoryReader> Engine::OpenHistory(TypeTag aggregate, const Key& key,
                                                  const ReadOptions& options) {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  std::uint64_t stream = 0;
  const absl::Status asked = parts_->RunOnLoop([&] {
    const StreamSlot* const slot = (*store)->Find(key);
    if (slot != nullptr && slot->version != Version()) stream = slot->number;
  });
  if (!asked.ok()) return asked;
  if (stream == 0) return absl::NotFoundError("nothing happened to an aggregate of that key");
  return HistoryReader({.log = parts_->log.get(),
                        .stream = static_cast<std::uint32_t>(stream),
                        .key = key,
                        .types = TypesOf(**store, {}),
                        .options = options});
}

absl::StatusOr<CategoryReader> Engine::OpenCategory(TypeTag aggregate,
                                                    std::vector<std::uint32_t> events,
                                                    const ReadOptions& options) {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  return CategoryReader({.log = parts_->log.get(),
                         .category = (*store)->category_number,
                         .types = TypesOf(**store, std::move(events)),
                         .options = options});
}

}  // namespace pawl::inline v0
