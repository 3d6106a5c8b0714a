// Replays whatever records a log holds: types, categories, streams, sessions, events. What they say
// is taken in or refused with a status; nothing of it ends the process.
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <span>

#include "fuzz_target.h"
#include "pawl/log.h"
#include "replay.h"

namespace pawl::inline v0 {

const std::uint32_t kTargetFiles = kAllFiles;

namespace {

constexpr std::uint32_t kStreamsMax = 4;
constexpr std::uint32_t kSessionsMax = 4;
constexpr std::uint32_t kWindow = 4;
constexpr std::uint32_t kReceiptsMax = 2 * ReceiptPages::kReceipts;  // fewer than lanes have
constexpr std::uint32_t kKeysMax = 2;

// The aggregate that the made logs speak of, without the engine's templates.
struct Slot : StreamSlot {
  std::uint64_t events = 0;
  std::uint64_t sum = 0;
};

// As if the event were a plain struct, and as if it had a codec: then its record may have any
// length, and what it is the codec must find out.
constexpr EventDescriptor Descriptor(std::uint32_t bytes) {
  return {.name = kMadeType,
          .version = 1,
          .layout_hash = kMadeLayoutHash,
          .layout_text = kMadeLayout,
          .bytes = bytes};
}
constexpr EventDescriptor kEvent = Descriptor(kMadeEventBytes);
constexpr EventDescriptor kCodedEvent = Descriptor(kVariableBytes);

bool Evolve(StreamSlot& slot, const std::byte* event) noexcept {
  ++static_cast<Slot&>(slot).events;
  static_cast<Slot&>(slot).sum += LoadAt<std::uint64_t>({event, kMadeEventBytes}, 0);
  return true;
}
bool Decode(StreamSlot& slot, const std::byte* event) noexcept {
  const std::uint32_t bytes = reinterpret_cast<const RecordHeader*>(event)[-1].payload_bytes();
  // Every byte that the header promises: one that is not there is the sanitizer's to find.
  std::uint64_t sum = 0;
  for (const std::byte each : std::span(event, bytes)) sum += std::to_integer<std::uint64_t>(each);
  return sum < UINT64_MAX && bytes == kMadeEventBytes && Evolve(slot, event);
}
constexpr EventTraits kEvents[] = {{.descriptor = &kEvent, .evolve = &Evolve}};
constexpr EventTraits kCodedEvents[] = {{.descriptor = &kCodedEvent, .evolve = &Decode}};

constexpr TimerTraits kTimers[] = {{.descriptor = &kEvent, .fire = nullptr, .name = "made"}};

constexpr AggregateTraits Traits(std::span<const EventTraits> events) {
  return {.tag = nullptr,
          .category = kMadeCategory,
          .slot_bytes = sizeof(Slot),
          .slot_align = alignof(Slot),
          .construct = [](StreamSlot* slot) noexcept { ::new (static_cast<void*>(slot)) Slot; },
          .destroy = [](StreamSlot*) noexcept {},
          .events = events,
          .decides = {},
          .timers = kTimers};
}
constexpr AggregateTraits kTraits = Traits(kEvents);
constexpr AggregateTraits kCodedTraits = Traits(kCodedEvents);

constexpr TimerTable::Setup kTimerSetup{
    .timers_max = 4, .spare = 1, .payload_bytes_max = kMadeEventBytes, .now_ns = 0};

// What replay takes in.
struct World {
  explicit World(const AggregateTraits& traits = kTraits) : store(traits, kStreamsMax) {}

  StreamStore store;
  SessionTable sessions{kSessionsMax, kWindow, kReceiptsMax};
  KeyTable keys{kKeysMax, UINT64_MAX};
  EpochStarts epochs;
  TypeCatalog catalog;
  TimerTable timers{kTimerSetup};
};

struct Totals {
  std::uint64_t streams = 0;
  std::uint64_t closed = 0;
  std::uint64_t events = 0;
  std::uint64_t sum = 0;
  std::uint32_t sessions = 0;
  std::uint32_t timers = 0;
  friend bool operator==(const Totals&, const Totals&) = default;
};

// Nothing if the replay was refused.
std::optional<Totals> ReplayOf(Log& log, World& world) {
  StreamStore* const stores[] = {&world.store};
  Replay replay({.stores = stores,
                 .sessions = world.sessions,
                 .keys = world.keys,
                 .epochs = world.epochs,
                 .catalog = world.catalog});
  absl::Status status = replay.Run(log);
  if (status.ok()) status = replay.timers().Restore(world.catalog, &world.timers);
  if (!status.ok()) {
    PAWL_CHECK(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status) ||
               absl::IsResourceExhausted(status));
    PAWL_CHECK(!status.message().empty());
    return std::nullopt;
  }
  const Position last = log.writer().next_position();
  Totals totals{.streams = world.store.size(),
                .closed = world.store.closed(),
                .sessions = world.sessions.count(),
                .timers = world.timers.live()};
  // All of them become due, in order, each once.
  world.timers.Advance(UINT64_MAX, UINT32_MAX);
  std::uint32_t no_clears = 0;
  for (std::uint32_t i = 0; i < totals.timers; ++i) {
    const std::uint32_t timer = world.timers.FirstDue(UINT64_MAX, no_clears);
    PAWL_CHECK(timer != kNoTimer && world.timers.At(timer).order < last.value());
    world.timers.Disarm(timer);
  }
  PAWL_CHECK(world.timers.FirstDue(UINT64_MAX, no_clears) == kNoTimer);
  PAWL_CHECK(world.store.size() + world.store.closed() < replay.next_stream());
  world.store.ForEach([&](const StreamSlot& each) {
    const Slot& slot = static_cast<const Slot&>(each);
    PAWL_CHECK(slot.version.value() == slot.events && slot.last < last);
    PAWL_CHECK(world.store.Find(slot.key) == &slot && !slot.is_closing());
    totals.events += slot.events;
    totals.sum += slot.sum;
  });
  PAWL_CHECK(totals.sessions <= kSessionsMax);
  for (std::uint32_t number = 1; number <= world.sessions.numbers(); ++number) {
    if (!world.sessions.IsOpen(number)) continue;
    PAWL_CHECK(world.sessions.Find(world.sessions.NameOf(number)) == number);
    for (const SessionLane lane : {SessionLane::kControl, SessionLane::kBulk}) {
      const SessionTable::Session& session = world.sessions.At(number, lane);
      if (session.last() == Sequence()) continue;
      PAWL_CHECK(world.sessions.Recall(session, session.last()).position < last);
    }
  }
  PAWL_CHECK(world.keys.count() <= kKeysMax);
  return totals;
}

// True if the records were taken in.
bool Run(const LogFiles& files) {
  const auto& manifest = files[kManifestFile];
  if (manifest && manifest->size() == sizeof(Manifest) &&
      LoadAt<Manifest>(*manifest, 0).segment_bytes != kSegmentBytes) {
    return false;  // sizes are manifest_fuzz's and recover_fuzz's matter
  }
  SimStorage machine(MachineOptions(false));
  PutFiles(files, machine);
  LogOptions options;
  options.directory = kLogDirectory;
  options.hot_directory = kHotDirectory;
  options.segment_bytes = kSegmentBytes;
  options.undurable_bytes_max = 4 * kSegmentBytes;
  options.storage = &machine;
  const absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options);
  if (!log.ok()) return false;
  World first;
  World second;
  const std::optional<Totals> totals = ReplayOf(**log, first);
  PAWL_CHECK(totals == ReplayOf(**log, second));
  // A codec that wants the same bytes takes and refuses the same logs.
  World coded(kCodedTraits);
  PAWL_CHECK(totals == ReplayOf(**log, coded));
  if (!totals) return false;

  // The program's own types get numbers behind those found, and are found the next time.
  StreamStore* const stores[] = {&first.store};
  if (!first.catalog.Bind(stores, (*log)->writer()).ok()) return true;
  (*log)->writer().Publish();
  World third;
  PAWL_CHECK(totals == ReplayOf(**log, third));
  PAWL_CHECK(third.catalog.FindCategory(kMadeCategory) == first.store.category_number);
  PAWL_CHECK(third.catalog.Find(kEvent).value_or(0) == first.store.type_numbers.at(0));
  return true;
}

}  // namespace
}  // namespace pawl::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const pawl::EditScript script = pawl::EditScript::Parse({data, size});
  const bool was_taken = pawl::Run(script.Files(pawl::kTargetFiles));
  PAWL_CHECK(was_taken || !script.edits.empty());  // the made logs are valid
  return 0;
}
