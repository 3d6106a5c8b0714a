#include "pawl/decision_stage.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "commit_timers.h"
#include "pawl/check.h"
#include "timer_table.h"

namespace pawl::inline v0::testing {
namespace {

struct NoFields {};
constexpr EventDescriptor kClosingDescriptor{
    .name = "closed", .version = 1, .layout_hash = 0, .layout_text = {}, .bytes = 0};

constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 20;
constexpr std::uint32_t kCommitBytesDefault = std::uint32_t{1} << 20;  // as Log::Open's

// The writer of a log that nobody reads: it builds commits in its frame buffer and never publishes
// one, so that of everything a log has only this buffer is needed. It is used for a frame's worth
// of commits, since making one touches two megabytes.
class CommitRoom {
 public:
  explicit CommitRoom(std::uint32_t commit_bytes_max)
      : commit_bytes_max_(commit_bytes_max),
        writer_({.segment = {.image = &image_, .index = 0, .salt = 0},
                 .address = Address(kSegmentHeaderBytes),
                 .next_position = Position(1),
                 .epoch = Epoch(1),
                 .segment_bytes = kSegmentBytes,
                 // A commit that follows a frame's worth of others still fits.
                 .frame_bytes_max = kFrameBytesMax + commit_bytes_max,
                 .commit_bytes_max = commit_bytes_max}) {}

  LogWriter& writer() noexcept { return writer_; }
  // False: the next commit might publish.
  bool HasRoom(std::uint32_t commit_bytes_max) const noexcept {
    return commit_bytes_max == commit_bytes_max_ && commits_ < kFrameCommitsMax - 1 &&
           writer_.staged_end().value() - writer_.published().value() <= kFrameBytesMax;
  }
  void CountCommit() noexcept { ++commits_; }

 private:
  const std::uint32_t commit_bytes_max_;
  std::uint32_t commits_ = 0;
  alignas(kFrameAlignBytes) std::array<std::byte, kFrameAlignBytes> nothing_{};
  Mapping image_{nothing_.data(), nothing_.size()};  // never stored to
  LogWriter writer_;
};

// A fact as a log has it: behind a record header, from which codecs learn its length.
class RecordCopy {
 public:
  explicit RecordCopy(const Fact& fact)
      : words_((sizeof(RecordHeader) + fact.bytes.size() + 7) / 8) {
    const std::size_t padding = words_.size() * 8 - sizeof(RecordHeader) - fact.bytes.size();
    RecordHeader header{};
    header.units = static_cast<std::uint16_t>(words_.size());
    header.flags = static_cast<std::uint8_t>(padding);
    std::memcpy(words_.data(), &header, sizeof header);
    if (!fact.bytes.empty()) {
      std::memcpy(words_.data() + sizeof header / 8, fact.bytes.data(), fact.bytes.size());
    }
  }
  const std::byte* event() const noexcept {
    return reinterpret_cast<const std::byte*>(words_.data()) + sizeof(RecordHeader);
  }

 private:
  std::vector<std::uint64_t> words_;
};

CommitRoom& RoomOfThread(std::uint32_t commit_bytes_max) {
  thread_local std::unique_ptr<CommitRoom> room;
  if (room == nullptr || !room->HasRoom(commit_bytes_max)) {
    room.reset();
    room = std::make_unique<CommitRoom>(commit_bytes_max);
  }
  return *room;
}

// Where the first record of the next commit goes.
const std::byte* FirstRecord(LogWriter& writer) {
  writer.BeginCommit();
  const std::byte* const room = writer.AppendRecord({.kind = RecordKind::kAccepted}, 0);
  PAWL_CHECK(room != nullptr);
  writer.AbandonCommit();
  return room - sizeof(RecordHeader);
}

}  // namespace

const EventFormat kClosingFormat{&kClosingDescriptor, &FormatOf<NoFields>(), nullptr, nullptr};

struct DecisionStage::TimerRoom {
  TimerTable table;
  std::optional<CommitTimers> timers{};  // of the decision
};

DecisionStage::DecisionStage(std::span<const AggregateFormat* const> aggregates,
                             const Limits& limits, std::uint64_t now_ns)
    : aggregates_(aggregates),
      commit_bytes_max_(limits.commit_bytes_max == 0 ? kCommitBytesDefault
                                                     : limits.commit_bytes_max) {
  std::uint16_t types = 0;  // unlike a log's: each aggregate's events have numbers of their own
  std::uint32_t timer_bytes_max = 0;
  for (const AggregateFormat* aggregate : aggregates) {
    owned_stores_.push_back(std::make_unique<StreamStore>(*aggregate->traits, limits.streams_max));
    StreamStore& store = *owned_stores_.back();
    stores_.push_back(&store);
    store.category_number = static_cast<std::uint16_t>(stores_.size());
    for (std::size_t i = 0; i < aggregate->traits->events.size(); ++i) {
      store.type_numbers.push_back(types++);
    }
    for (std::size_t i = 0; i < aggregate->timers.size(); ++i) {
      store.timer_numbers.push_back(static_cast<std::uint16_t>(i));
      timer_bytes_max = std::max(timer_bytes_max, aggregate->timers[i].descriptor->bytes);
    }
  }
  const bool has_timers = std::any_of(stores_.begin(), stores_.end(), [](const auto* store) {
    return !store->timer_numbers.empty();
  });
  if (!has_timers) return;
  timers_.reset(new TimerRoom{.table = TimerTable({.timers_max = limits.timers_max,
                                                   .spare = CommitTimers::kSpare,
                                                   .payload_bytes_max = timer_bytes_max,
                                                   .now_ns = now_ns})});
}

DecisionStage::~DecisionStage() = default;

// --- facts ---

StreamSlot* DecisionStage::FindOrMake(StreamStore& store, const Key& key) {
  StreamSlot* slot = store.Find(key);
  if (slot != nullptr) return slot;
  slot = store.Insert(key);
  if (slot == nullptr) return nullptr;
  slot->number = next_stream_++;
  made_.push_back({store.category_number - std::size_t{1}, key});
  return slot;
}

void DecisionStage::Close(StreamStore& store, const Key& key) {
  StreamSlot* const slot = store.Find(key);
  if (slot == nullptr) return;
  if (timers_ != nullptr) timers_->table.DropStream(static_cast<std::uint32_t>(slot->number));
  store.Close(*slot, Position(facts_));
}

bool DecisionStage::Evolve(const Fact& fact) {
  StreamStore* const store = StoreOf(*fact.aggregate->traits);
  PAWL_CHECK(store != nullptr);
  ++facts_;
  if (fact.is_closing()) {
    Close(*store, fact.key);
    return true;
  }
  StreamSlot* const slot = FindOrMake(*store, fact.key);
  if (slot == nullptr) return false;
  if (fact.is_timer()) return ApplyTimer(fact, *store, *slot);
  slot->version = slot->version.Next();
  slot->last = Position(facts_);
  const AggregateTraits& traits = store->traits();
  const std::size_t listed = traits.events.size();
  const EventTraits& event =
      fact.event < listed ? traits.events[fact.event] : traits.older[fact.event - listed];
  const RecordCopy record(fact);
  PAWL_CHECK(event.evolve(*slot, record.event()));
  return true;
}

bool DecisionStage::ApplyTimer(const Fact& fact, StreamStore& store, StreamSlot& slot) {
  TimerTable& table = timers_->table;
  const TimerName name{.stream = &slot,
                       .store = &store,
                       .number = static_cast<std::uint32_t>(slot.number),
                       .type = static_cast<std::uint16_t>(fact.event),
                       .id = fact.id};
  const std::uint32_t old = table.Find(name);
  if (old != kNoTimer) {
    table.Disarm(old);
    table.Hide(old);
    table.Free(old);
  }
  if (fact.kind != FactKind::kTimerSet) return true;
  const std::span<const std::byte> bytes =
      std::span(fact.bytes).first(fact.format().descriptor->bytes);
  const std::uint32_t timer = table.Make(name, fact.due_ns, facts_, bytes);
  if (timer == kNoTimer) return false;
  table.Arm(timer);
  return true;
}

StreamStore* DecisionStage::StoreOf(const AggregateTraits& aggregate) const noexcept {
  for (StreamStore* store : stores_) {
    if (&store->traits() == &aggregate) return store;
  }
  return nullptr;
}

Version DecisionStage::VersionOf(const AggregateTraits& aggregate, const Key& key) const noexcept {
  const StreamStore* store = StoreOf(aggregate);
  const StreamSlot* slot = store == nullptr ? nullptr : store->Find(key);
  return slot == nullptr ? Version() : slot->version;
}

// --- one decision ---

CommitBuilder& DecisionStage::BeginCommand(StreamStore& store, std::uint64_t now_ns) {
  PAWL_CHECK(builder_ == nullptr);
  LogWriter& writer = RoomOfThread(commit_bytes_max_).writer();
  CommitTimers* timers = nullptr;
  if (timers_ != nullptr) timers = &timers_->timers.emplace(timers_->table, writer);
  builder_ = std::make_unique<CommitBuilder>(writer, stores_, next_stream_, timers);
  builder_->SetTime(now_ns);
  builder_->BeginRun(store, 0);
  first_record_ = FirstRecord(writer);
  return *builder_;
}

std::optional<Fact> DecisionStage::FirstDue(std::uint64_t time_ns) {
  if (timers_ == nullptr) return std::nullopt;
  TimerTable& table = timers_->table;
  table.Advance(time_ns, UINT32_MAX);
  std::uint32_t clears = UINT32_MAX;
  const std::uint32_t timer = table.FirstDue(time_ns, clears);
  if (timer == kNoTimer) return std::nullopt;
  const TimerName& name = table.At(timer).name;
  const auto store = static_cast<std::size_t>(
      std::find(stores_.begin(), stores_.end(), name.store) - stores_.begin());
  Fact fact{aggregates_[store], name.stream->key, name.type, {}, FactKind::kTimerFired, name.id};
  fact.due_ns = table.At(timer).due_ns;
  return fact;
}

Decision DecisionStage::Fire(std::uint64_t time_ns, std::uint64_t now_ns) {
  std::uint32_t clears = UINT32_MAX;
  const std::uint32_t timer = timers_->table.FirstDue(time_ns, clears);
  PAWL_CHECK(timer != kNoTimer);
  CommitBuilder& builder = BeginCommand(*timers_->table.At(timer).name.store, now_ns);
  RoomOfThread(commit_bytes_max_).CountCommit();
  Decision decision{.verdict = timers_->timers->Fire(timer, builder)};
  if (decision.verdict.is_accepted()) {
    const auto* const commit = reinterpret_cast<const CommitHeader*>(first_record_) - 1;
    decision.events = FactsOf(commit->records);
  }
  return decision;
}

std::vector<Fact> DecisionStage::FactsOf(std::uint32_t records) {
  std::vector<Fact> facts;
  const std::byte* at = first_record_;
  for (; records != 0; --records) {
    const auto& header = *reinterpret_cast<const RecordHeader*>(at);
    switch (header.kind) {
      case RecordKind::kStreamBound: {
        const auto& bound = *reinterpret_cast<const StreamBound*>(&header + 1);
        made_.push_back({header.type - std::size_t{1}, Key(bound.key_high, bound.key_low)});
        break;
      }
      case RecordKind::kEvent:
      case RecordKind::kStreamClosed:
      case RecordKind::kTimerSet:
      case RecordKind::kTimerCancelled: facts.push_back(FactOf(header)); break;
      default: break;
    }
    at += header.units * std::size_t{8};
  }
  return facts;
}

Fact DecisionStage::FactOf(const RecordHeader& header) const {
  const Made& stream = made_[header.stream - std::size_t{1}];
  const std::byte* payload = reinterpret_cast<const std::byte*>(&header + 1);
  std::size_t bytes = header.payload_bytes();
  Fact fact{aggregates_[stream.store], stream.key, header.type, {}};
  if (header.kind == RecordKind::kEvent) {
    // The stores' type numbers follow each other.
    fact.event = header.type - stores_[stream.store]->type_numbers.front();
  } else if (header.kind == RecordKind::kStreamClosed) {
    fact.kind = FactKind::kClosing;
    fact.event = 0;
  } else if (header.kind == RecordKind::kTimerSet) {
    const auto& set = *reinterpret_cast<const TimerSetPayload*>(payload);
    fact.kind = FactKind::kTimerSet;
    fact.id = set.id;
    fact.due_ns = set.due_ns;
    fact.delay_ns = set.due_ns - std::min(set.due_ns, builder_->now_ns());
    payload += sizeof set;
    bytes -= sizeof set;
  } else {
    fact.kind = FactKind::kTimerCancelled;
    fact.id = reinterpret_cast<const TimerCancelledPayload*>(payload)->id;
    return fact;
  }
  fact.bytes.assign(payload, payload + bytes);
  if (fact.format().value != nullptr && fact.bytes.empty()) fact.bytes.resize(1);
  return fact;
}

void DecisionStage::EndCommand(OpenCommit& commit) noexcept {
  if (commit.records() > 0) RoomOfThread(commit_bytes_max_).CountCommit();
  commit.End(Sequence());
}

}  // namespace pawl::inline v0::testing
