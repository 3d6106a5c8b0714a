// What an Engine's aggregates hash to.

#include "pawl/state_hash.h"

#include <functional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"

// Inline: Debian's shared library is built without the wide instructions and twice as slow.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pawl::inline v0 {

// --- one hash ---

struct StateHasher::State {
  XXH3_state_t xxh3;
};

StateHasher::StateHasher() : state_(new State) { XXH3_128bits_reset(&state_->xxh3); }
StateHasher::~StateHasher() = default;

void StateHasher::AddBytes(const void* bytes, std::size_t size) noexcept {
  XXH3_128bits_update(&state_->xxh3, bytes, size);
}

HashSum StateHasher::Finish() noexcept {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  XXH3_128bits_reset(&state_->xxh3);
  return {hash.high64, hash.low64};
}

std::string HashSum::ToString() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint64_t half : {high, low}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += kDigits[(half >> shift) & 0xF];
  }
  return text;
}

// --- an engine's ---

namespace {

void AddStore(const StreamStore& store, StateHasher& hasher, HashedState& hashed) {
  store.ForEach([&](const StreamSlot& slot) {
    if (slot.version == Version()) return;  // it has had a timer, and nothing more
    hasher.Add(store.traits().category);
    hasher.Add(slot.key);
    hasher.Add(slot.version.value());
    store.traits().hash(slot, hasher);
    hashed.sum += hasher.Finish();
    ++hashed.aggregates;
  });
}

// Of one store.
void AddTimers(const TimerTable& table, const StreamStore& store, StateHasher& hasher,
               HashedState& hashed) {
  table.ForEach([&](std::uint32_t number) {
    const TimerTable::Timer& timer = table.At(number);
    if (timer.name.store != &store) return;
    const EventDescriptor& type = *store.traits().timers[timer.name.type].descriptor;
    hasher.Add(store.traits().category);
    hasher.Add(timer.name.stream->key);
    hasher.Add(type.name);
    hasher.Add(type.version);
    hasher.Add(timer.name.id);
    hasher.Add(timer.due_ns);
    hasher.Add(timer.order);
    hasher.Add(std::string_view(reinterpret_cast<const char*>(table.payload(number)),
                                timer.payload_bytes));
    hashed.sum += hasher.Finish();
  });
}

}  // namespace

absl::StatusOr<HashedState> Engine::HashStores(TypeTag aggregate) {
  std::vector<const StreamStore*> stores;
  for (const StreamStore* store : parts_->store_list) {
    if (aggregate != nullptr && store->traits().tag != aggregate) continue;
    if (store->traits().hash == nullptr) {
      return absl::FailedPreconditionError(
          "the State of category " + std::string(store->traits().category) +
          " has fields that cannot be hashed; give it a HashState (pawl/state_hash.h)");
    }
    stores.push_back(store);
  }
  if (aggregate != nullptr && stores.empty()) {
    return absl::InvalidArgumentError("the engine was opened without this aggregate");
  }
  HashedState hashed;
  StateHasher hasher;
  const absl::Status asked = parts_->RunOnLoop([&] {
    for (const StreamStore* store : stores) {
      AddStore(*store, hasher, hashed);
      if (parts_->timer_table != nullptr) AddTimers(*parts_->timer_table, *store, hasher, hashed);
    }
    hashed.position = Position(parts_->log->writer().next_position().value() - 1);
  });
  if (!asked.ok()) return asked;
  return hashed;
}

}  // namespace pawl::inline v0
