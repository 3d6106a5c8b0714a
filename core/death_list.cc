#include "death_list.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "pawl/crc32c.h"

namespace pawl::inline v0 {

namespace {

std::uint32_t ChecksumOf(const QuarantineBlock& block) noexcept {
  return Crc32c(0, reinterpret_cast<const std::byte*>(&block), offsetof(QuarantineBlock, checksum));
}

template <std::size_t kSize>
void SetText(std::array<char, kSize>& field, std::string_view text) noexcept {
  field = {};
  text.copy(field.data(), field.size());
}

bool IsSame(const DeathEntry& a, const DeathEntry& b) noexcept {
  if (a.kind != b.kind || a.session != b.session) return false;
  if (a.kind != DeathEntry::Kind::kCommand) return a.position == b.position;
  // What a session sent under a sequence is what it sends again under it. (Its number may be
  // another session's by now, which sends something else.)
  if (a.session != 0) {
    return a.sequence == b.sequence && a.key_high == b.key_high && a.key_low == b.key_low &&
           a.category == b.category && a.name == b.name;
  }
  return a.hash_high == b.hash_high && a.hash_low == b.hash_low;
}

}  // namespace

std::string_view TextOf(std::span<const char> field) noexcept {
  const auto end = std::find(field.begin(), field.end(), '\0');
  return {field.data(), static_cast<std::size_t>(end - field.begin())};
}

HashSum HashOfInput(StateHasher& hasher, const AggregateTraits& aggregate, std::uint32_t command,
                    const Key& key, const std::byte* body) noexcept {
  hasher.Add(aggregate.category);
  hasher.Add(aggregate.commands[command]);
  hasher.Add(key);
  hasher.Add(
      std::string_view(reinterpret_cast<const char*>(body), aggregate.command_bytes[command]));
  return hasher.Finish();
}

void DeathList::Load(std::string& problem) {
  const auto file = storage_.Open(directory_ + "/" + kQuarantineName, FileMode::kRead);
  if (absl::IsNotFound(file.status())) return;
  has_file_ = true;
  const auto block = std::make_unique<QuarantineBlock>();
  const auto bytes = std::as_writable_bytes(std::span<QuarantineBlock, 1>(block.get(), 1));
  absl::Status read = file.ok() ? (*file)->ReadAt(0, bytes) : file.status();
  if (!read.ok()) {
    problem = std::string(read.message());
  } else if (block->magic != kQuarantineMagic || block->log_id != log_id_ ||
             block->checksum != ChecksumOf(*block)) {
    problem = "it is damaged, or of another log";
  } else if (block->version != kQuarantineVersion || block->count > block->entries.size()) {
    problem = "another version of this library wrote it";
  } else {
    entries_.assign(block->entries.begin(), block->entries.begin() + block->count);
  }
}

absl::Status DeathList::Save() {
  const std::string path = directory_ + "/" + kQuarantineName;
  if (entries_.empty()) {
    has_changed_ = false;
    if (!std::exchange(has_file_, false)) return absl::OkStatus();
    const absl::Status gone = storage_.Unlink(path);
    if (!gone.ok() && !absl::IsNotFound(gone)) return gone;
    return storage_.SyncDirectory(directory_);
  }
  const auto block = std::make_unique<QuarantineBlock>();
  block->magic = kQuarantineMagic;
  block->version = kQuarantineVersion;
  block->count = static_cast<std::uint32_t>(entries_.size());
  block->log_id = log_id_;
  std::copy(entries_.begin(), entries_.end(), block->entries.begin());
  block->checksum = ChecksumOf(*block);
  const std::string draft = path + ".tmp";
  if (absl::Status gone = storage_.Unlink(draft); !gone.ok() && !absl::IsNotFound(gone))
    return gone;
  absl::StatusOr<std::unique_ptr<File>> file = storage_.Open(draft, FileMode::kCreate);
  if (!file.ok()) return file.status();
  const auto bytes = std::as_bytes(std::span<const QuarantineBlock, 1>(block.get(), 1));
  if (absl::Status s = (*file)->WriteAt(0, bytes, {}); !s.ok()) return s;
  if (absl::Status s = (*file)->Sync(); !s.ok()) return s;
  if (absl::Status s = storage_.Rename(draft, path); !s.ok()) return s;
  if (absl::Status s = storage_.SyncDirectory(directory_); !s.ok()) return s;
  has_file_ = true;
  has_changed_ = false;
  return absl::OkStatus();
}

const DeathEntry* DeathList::Count(const FlightNote& note,
                                   std::span<const AggregateTraits* const> aggregates) {
  DeathEntry named{};
  if (note.has_command) {
    const AggregateTraits& aggregate = *aggregates[note.slot.aggregate];
    StateHasher hasher;
    const HashSum hash =
        HashOfInput(hasher, aggregate, note.slot.type, note.slot.key, note.body.data());
    named.kind = DeathEntry::Kind::kCommand;
    named.session = note.session;
    named.sequence = note.session == 0 ? 0 : note.slot.sequence.value();
    named.position = note.generation;
    named.key_high = note.slot.key.high;
    named.key_low = note.slot.key.low;
    named.hash_high = hash.high;
    named.hash_low = hash.low;
    SetText(named.category, aggregate.category);
    SetText(named.name, aggregate.commands[note.slot.type]);
  } else if (note.firing != Position()) {
    named.kind = DeathEntry::Kind::kTimer;
    named.position = note.firing.value();
  } else if (note.replaying != Position()) {
    named.kind = DeathEntry::Kind::kEvent;
    named.position = note.replaying.value();
  } else {
    return nullptr;
  }
  counted_ = named;
  DeathEntry& entry = FindOrAdd(named);
  if (entry.epoch != note.epoch) {
    entry.epoch = note.epoch;
    ++entry.deaths;
    has_changed_ = true;
  }
  return &entry;
}

DeathEntry& DeathList::FindOrAdd(const DeathEntry& named) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const DeathEntry& each) { return IsSame(each, named); });
  if (found != entries_.end()) return *found;
  if (entries_.size() == QuarantineBlock::kEntriesMax) {
    // The one that has killed least often, and longest ago, makes room.
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(), [](const DeathEntry& a, const DeathEntry& b) {
          return std::pair(a.deaths, a.epoch) < std::pair(b.deaths, b.epoch);
        }));
  }
  entries_.push_back(named);
  return entries_.back();
}

template <class IsGone>
void DeathList::Drop(IsGone&& is_gone) {
  if (std::erase_if(entries_, is_gone) != 0) has_changed_ = true;
}

void DeathList::DropSurvivors(std::uint64_t survived) {
  const DeathEntry* const first = entries_.data();
  std::vector<DeathEntry> kept;
  for (const DeathEntry& entry : entries_) {
    const auto index = static_cast<std::size_t>(&entry - first);
    if (entry.deaths < kDeathsMax && (survived >> index & 1) != 0) continue;
    kept.push_back(entry);
  }
  if (kept.size() == entries_.size()) return;
  entries_ = std::move(kept);
  has_changed_ = true;
}

void DeathList::DropEvents(const std::function<bool(Position)>& is_known) {
  Drop([&is_known](const DeathEntry& entry) {
    return entry.kind == DeathEntry::Kind::kEvent && is_known(Position(entry.position));
  });
}

void DeathList::DropPassed(const SessionTable& sessions) {
  for (DeathEntry& entry : entries_) {
    if (entry.session == 0 || !IsSame(entry, counted_)) continue;
    const std::uint32_t number = entry.session & ~kFlightBulkLane;
    const auto is_of = [&](const DeathEntry& each) {
      return sessions.IsOf(number, static_cast<std::uint32_t>(each.position));
    };
    if (is_of(entry) || !is_of(counted_)) continue;
    entry.position = counted_.position;
    entry.deaths = 1;
    has_changed_ = true;
  }
  Drop([&sessions](const DeathEntry& entry) {
    if (entry.session == 0) return false;
    const std::uint32_t number = entry.session & ~kFlightBulkLane;
    const SessionLane lane = number == entry.session ? SessionLane::kControl : SessionLane::kBulk;
    // Also one that the log does not know: a power cut took it.
    return !sessions.IsOf(number, static_cast<std::uint32_t>(entry.position)) ||
           sessions.At(number, lane).last().value() >= entry.sequence;
  });
}

void DeathList::DropTimers(const std::function<bool(Position)>& is_set) {
  Drop([&is_set](const DeathEntry& entry) {
    return entry.kind == DeathEntry::Kind::kTimer && !is_set(Position(entry.position));
  });
}

void DeathList::Clear() {
  Drop([](const DeathEntry&) { return true; });
}

}  // namespace pawl::inline v0
