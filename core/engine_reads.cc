// What an Engine answers from its log: typed events of one aggregate or of all of a type.

#include <cstdint>
#include <functional>
#include <new>
#include <numeric>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"

namespace pawl::inline v0 {

namespace {

// The aggregate's types with these indexes, then the versions before each; all, if there are none.
EventTypes TypesOf(const StreamStore& store, std::vector<std::uint32_t> events) {
  const AggregateTraits& traits = store.traits();
  if (events.empty()) {
    events.resize(traits.events.size());
    std::iota(events.begin(), events.end(), 0U);
  }
  std::vector<EventTypes::Type> types;
  for (const std::uint32_t event : events) {
    types.push_back({store.type_numbers[event], traits.events[event].descriptor});
  }
  for (const std::uint32_t event : events) {
    for (std::size_t i = 0; i < traits.older.size(); ++i) {
      if (traits.older[i].seen_as != event) continue;
      types.push_back({store.older_numbers[i], traits.older[i].descriptor});
    }
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
    // Without a version it has had a timer, and nothing more.
    if (slot != nullptr && slot->version != Version()) stream = slot->number;
  });
  if (!asked.ok()) return asked;
  if (stream == 0) {
    auto closed = FindStreams(aggregate, key);
    if (!closed.ok()) return closed.status();
    if (closed->empty()) {
      return absl::NotFoundError("nothing happened to an aggregate of that key");
    }
    stream = closed->back();
  }
  return OpenStream(aggregate, key, static_cast<std::uint32_t>(stream), options);
}

absl::StatusOr<HistoryReader> Engine::OpenStream(TypeTag aggregate, const Key& key,
                                                 std::uint32_t stream,
                                                 const ReadOptions& options) const {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  return HistoryReader({.log = parts_->log.get(),
                        .stream = stream,
                        .key = key,
                        .types = TypesOf(**store, {}),
                        .options = options});
}

absl::StatusOr<std::vector<std::uint32_t>> Engine::FindStreams(TypeTag aggregate,
                                                               const Key& key) const {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  try {
    return parts_->log->FindStreams((*store)->category_number, key.high, key.low);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("not enough memory to read the log's indexes");
  }
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

absl::Status Engine::Visit(TypeTag aggregate, const std::function<void(const StreamSlot&)>& visit) {
  const absl::StatusOr<const StreamStore*> store = parts_->StoreOf(aggregate);
  if (!store.ok()) return store.status();
  return parts_->RunOnLoop([&] {
    (*store)->ForEach([&](const StreamSlot& slot) {
      if (slot.version != Version()) visit(slot);  // else it has had a timer, and nothing more
    });
  });
}

}  // namespace pawl::inline v0
