#include "input_guard.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "pawl/log.h"
#include "pawl/stats_layout.h"

namespace pawl::inline v0 {

namespace {

// The command in a slot, wherever its bytes are.
const std::byte* BodyOf(const CommandSlot& slot, std::uint32_t bytes) noexcept {
  if (slot.has_conditions()) return ConditionsParcel::In(slot).command();
  return bytes > kSlotCommandBytes ? slot.parcel() : slot.command.data();
}

std::string NameOf(const DeathEntry& entry) {
  std::string name = "command " + std::string(TextOf(entry.name)) + " to " +
                     std::string(TextOf(entry.category)) + " " + std::to_string(entry.key_high) +
                     ":" + std::to_string(entry.key_low);
  if (entry.session != 0) {
    name += ", sequence " + std::to_string(entry.sequence) + " of session number " +
            std::to_string(entry.session & ~kFlightBulkLane);
  }
  return name;
}

}  // namespace

InputGuard::InputGuard(const Setup& setup)
    : setup_(setup), deaths_(*setup.storage, setup.directory, setup.log->id()) {}

absl::Status InputGuard::FindDeaths() {
  absl::Status status;
  if (setup_.is_on) {
    std::string problem;
    deaths_.Load(problem);
    if (!problem.empty()) {
      Tell("what ended the process before is forgotten: " + setup_.directory + "/" +
           kQuarantineName + ": " + problem);
    }
    const FlightNote note = ReadNote();
    deaths_.DropSurvivors(note.survived);
    const DeathEntry* const entry = deaths_.Count(note, setup_.aggregates);
    if (entry != nullptr) TellDeath(*entry);
    if (setup_.forgets) deaths_.Clear();
    for (const DeathEntry& each : deaths_.entries()) {
      if (each.kind == DeathEntry::Kind::kEvent && each.deaths >= DeathList::kDeathsMax) {
        status = EventThatKills(each);
      }
    }
    Save();
  }
  RemoveFromLogDirectory();
  flight_ = std::make_unique<FlightFile>(FlightFile::Setup{.storage = setup_.storage,
                                                           .directory = setup_.log->hot_directory(),
                                                           .is_wanted = setup_.is_on,
                                                           .on_notice = setup_.on_notice,
                                                           .log_id = setup_.log->id(),
                                                           .epoch = setup_.log->epoch().value(),
                                                           .program = ProgramOf(setup_.aggregates),
                                                           .parts = setup_.parts});
  return status;
}

// The newest one. The engine before may have had no other place for its images than the log's.
FlightNote InputGuard::ReadNote() const {
  FlightNote newest;
  for (const std::string& directory : {setup_.log->hot_directory(), setup_.directory}) {
    FlightNote note =
        FlightFile::Read(*setup_.storage, directory, setup_.log->id(), setup_.aggregates);
    if (note.epoch > newest.epoch) newest = std::move(note);
  }
  return newest;
}

void InputGuard::RemoveFromLogDirectory() const {
  if (setup_.log->hot_directory() == setup_.directory) return;
  for (const char* const name : {kFlightName, kStatsName}) {
    const absl::Status gone = setup_.storage->Unlink(setup_.directory + "/" + name);
    if (!gone.ok() && !absl::IsNotFound(gone)) {
      Tell("a file of an engine that died stays: " + std::string(gone.message()));
    }
  }
}

absl::Status InputGuard::EventThatKills(const DeathEntry& entry) const {
  std::map<std::uint16_t, std::string> types;
  std::string what = "a record that cannot be read";
  LogReader reader = setup_.log->NewReader();
  while (const FrameHeader* const frame = reader.NextFrame(setup_.log->published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      const auto* const text = reinterpret_cast<const char*>(record.payload());
      TypeBound bound;
      if (record.header.kind == RecordKind::kTypeBound &&
          record.header.payload_bytes() >= sizeof bound) {
        std::memcpy(&bound, text, sizeof bound);
        const std::size_t name_bytes =
            std::min<std::size_t>(bound.name_bytes, record.header.payload_bytes() - sizeof bound);
        types[record.header.type] = std::string(text + sizeof bound, name_bytes) + " version " +
                                    std::to_string(bound.type_version);
      }
      if (record.position != Position(entry.position)) return;
      what = "event " + types[record.header.type] + ", version " +
             std::to_string(record.header.version()) + " of stream number " +
             std::to_string(record.header.stream);
    });
    if (frame->first_position + frame->records > entry.position) break;
  }
  return absl::FailedPreconditionError(
      "position " + std::to_string(entry.position) + ", " + what + ": it ended the process " +
      std::to_string(entry.deaths) +
      " times when it was evolved, and no event can be left out. Mend its Evolve, then open with "
      "EngineOptions::forget_deaths");
}

void InputGuard::TellDeath(const DeathEntry& entry) const {
  const char* done = "evolved";
  std::string text = "the event at position " + std::to_string(entry.position);
  std::string then;
  if (entry.kind == DeathEntry::Kind::kTimer) {
    done = "fired";
    text = "the timer that was set at position " + std::to_string(entry.position);
    then = ": it stays set and does not fire from now on";
  } else if (entry.kind == DeathEntry::Kind::kCommand) {
    done = "decided";
    text = NameOf(entry);
    then = entry.session == 0 ? ": it is answered as quarantined from now on"
                              : ": that session gets it answered as quarantined";
  }
  text += " ended the process when it was " + std::string(done) + ", for the time number " +
          std::to_string(entry.deaths);
  if (entry.deaths >= DeathList::kDeathsMax) text += then;
  Tell(text);
}

void InputGuard::Save() {
  if (!deaths_.has_changed()) return;
  if (const absl::Status saved = deaths_.Save(); !saved.ok()) {
    Tell("what ended the process could not be written down: " + std::string(saved.message()));
  }
}

void InputGuard::EndReplay(const SessionTable& sessions, const IsKnown& is_known) {
  if (!setup_.is_on) return;
  deaths_.DropEvents(is_known);
  deaths_.DropPassed(sessions);
  Save();
}

void InputGuard::EndTimers(const SessionTable& sessions, const IsKnown& is_known,
                           TimerTable* table) {
  if (!setup_.is_on) return;
  std::map<Position, std::uint32_t> set;
  if (table != nullptr) {
    table->ForEach([&](std::uint32_t timer) { set[Position(table->At(timer).order)] = timer; });
  }
  deaths_.DropTimers(
      [&](Position position) { return set.contains(position) || !is_known(position); });
  Save();
  for (std::size_t index = 0; index < deaths_.entries().size(); ++index) {
    const DeathEntry& entry = deaths_.entries()[index];
    const auto timer = set.find(Position(entry.position));
    if (entry.kind == DeathEntry::Kind::kCommand) {
      Watch(index, sessions);
    } else if (entry.kind == DeathEntry::Kind::kEvent || timer == set.end()) {
      continue;  // of an aggregate that is not there
    } else if (entry.deaths < DeathList::kDeathsMax) {
      watched_timers_.push_back({index, Position(entry.position)});
    } else {
      table->Hold(timer->second);
      Quarantine(table->At(timer->second), entry.deaths);
    }
  }
}

void InputGuard::Quarantine(const TimerTable::Timer& timer, std::uint32_t deaths) {
  const AggregateTraits& aggregate = timer.name.store->traits();
  quarantined_.push_back({.category = std::string(aggregate.category),
                          .command = std::string(aggregate.timers[timer.name.type].name),
                          .key = timer.name.stream->key,
                          .sequence = {},
                          .timer_set = Position(timer.order),
                          .deaths = deaths});
}

// Of a type that the engine was opened without nothing can be sent.
void InputGuard::Watch(std::size_t index, const SessionTable& sessions) {
  const DeathEntry& entry = deaths_.entries()[index];
  const std::string_view category = TextOf(entry.category);
  const std::string_view name = TextOf(entry.name);
  const bool is_quarantined = entry.deaths >= DeathList::kDeathsMax;
  if (is_quarantined) {
    quarantined_.push_back({.category = std::string(category),
                            .command = std::string(name),
                            .key = Key(entry.key_high, entry.key_low),
                            .session = entry.session == 0 ? std::string()
                                                          : std::string(sessions.NameOf(
                                                                entry.session & ~kFlightBulkLane)),
                            .sequence = Sequence(entry.sequence),
                            .deaths = entry.deaths});
  }
  for (std::size_t i = 0; i < setup_.aggregates.size(); ++i) {
    const AggregateTraits& aggregate = *setup_.aggregates[i];
    if (aggregate.category != category) continue;
    for (std::size_t command = 0; command < aggregate.commands.size(); ++command) {
      if (aggregate.commands[command].substr(0, entry.name.size()) != name) continue;
      watched_.push_back({.entry = index,
                          .aggregate = static_cast<std::uint16_t>(i),
                          .command = static_cast<std::uint16_t>(command),
                          .session = entry.session,
                          .sequence = Sequence(entry.sequence),
                          .key = Key(entry.key_high, entry.key_low),
                          .hash = {entry.hash_high, entry.hash_low},
                          .is_quarantined = is_quarantined});
    }
  }
}

void InputGuard::Stop() {
  deaths_.DropSurvivors(survived_);
  Save();
  flight_->Remove();
}

// --- the loop's ---

bool InputGuard::Is(const Watched& watched, std::uint32_t session,
                    const CommandSlot& slot) noexcept {
  if (watched.session != session) return false;
  if (watched.aggregate != slot.aggregate || watched.command != slot.command_index() ||
      watched.key != slot.key) {
    return false;
  }
  if (session != 0) return watched.sequence == slot.sequence;
  const AggregateTraits& aggregate = *setup_.aggregates[slot.aggregate];
  const std::byte* const body = BodyOf(slot, aggregate.command_bytes[watched.command]);
  return HashOfInput(hasher_, aggregate, watched.command, slot.key, body) == watched.hash;
}

InputGuard::Watched* InputGuard::Find(std::uint32_t session, const CommandSlot& slot) noexcept {
  const auto found = std::find_if(watched_.begin(), watched_.end(),
                                  [&](const Watched& each) { return Is(each, session, slot); });
  return found == watched_.end() ? nullptr : &*found;
}

std::size_t InputGuard::CountOthers(std::uint32_t session,
                                    std::span<const CommandSlot> run) noexcept {
  std::size_t count = 0;
  while (count != run.size() && Find(session, run[count]) == nullptr) ++count;
  return count;
}

bool InputGuard::IsQuarantined(std::uint32_t session, const CommandSlot& slot) noexcept {
  const Watched* const watched = Find(session, slot);
  return watched != nullptr && watched->is_quarantined;
}

void InputGuard::NoteSurvived(std::uint32_t session, const CommandSlot& slot) noexcept {
  Watched* const watched = Find(session, slot);
  if (watched == nullptr || watched->is_quarantined) return;
  NoteSurvived(watched->entry);
  *watched = watched_.back();
  watched_.pop_back();
}

void InputGuard::NoteSurvived(std::size_t entry) noexcept {
  survived_ |= std::uint64_t{1} << entry;
  flight_->NoteSurvived(entry);
}

void InputGuard::ForgetSession(std::uint32_t number) noexcept {
  std::erase_if(watched_, [&](const Watched& each) {
    if ((each.session & ~kFlightBulkLane) != number) return false;
    NoteSurvived(each.entry);
    return true;
  });
}

void InputGuard::NoteFired(Position set) noexcept {
  std::erase_if(watched_timers_, [&](const WatchedTimer& each) {
    if (each.set != set) return false;
    NoteSurvived(each.entry);
    return true;
  });
}

}  // namespace pawl::inline v0
