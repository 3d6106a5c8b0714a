#include "pawl/decision_stage.h"

#include <cstring>

#include "pawl/check.h"

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

}  // namespace

const EventFormat kClosingFormat{&kClosingDescriptor, &FormatOf<NoFields>(), nullptr, nullptr};

DecisionStage::DecisionStage(std::span<const AggregateFormat* const> aggregates,
                             std::uint32_t streams_max, std::uint32_t commit_bytes_max)
    : aggregates_(aggregates),
      commit_bytes_max_(commit_bytes_max == 0 ? kCommitBytesDefault : commit_bytes_max) {
  std::uint16_t types = 0;  // unlike a log's: each aggregate's events have numbers of their own
  for (const AggregateFormat* aggregate : aggregates) {
    owned_stores_.push_back(std::make_unique<StreamStore>(*aggregate->traits, streams_max));
    StreamStore& store = *owned_stores_.back();
    stores_.push_back(&store);
    store.category_number = static_cast<std::uint16_t>(stores_.size());
    for (std::size_t i = 0; i < aggregate->traits->events.size(); ++i) {
      store.type_numbers.push_back(types++);
    }
  }
}

DecisionStage::~DecisionStage() = default;

bool DecisionStage::Evolve(const Fact& fact) {
  StreamStore* const store = StoreOf(*fact.aggregate->traits);
  PAWL_CHECK(store != nullptr);
  StreamSlot* slot = store->Find(fact.key);
  if (fact.is_closing()) {
    if (slot != nullptr) store->Close(*slot, Position(++facts_));
    return true;
  }
  if (slot == nullptr) {
    slot = store->Insert(fact.key);
    if (slot == nullptr) return false;
    slot->number = next_stream_++;
  }
  slot->version = slot->version.Next();
  slot->last = Position(++facts_);
  const AggregateTraits& traits = store->traits();
  const std::size_t listed = traits.events.size();
  const EventTraits& event =
      fact.event < listed ? traits.events[fact.event] : traits.older[fact.event - listed];
  const RecordCopy record(fact);
  PAWL_CHECK(event.evolve(*slot, record.event()));
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

CommitBuilder& DecisionStage::BeginCommand(StreamStore& store, std::uint64_t now_ns) {
  PAWL_CHECK(builder_ == nullptr);
  builder_ = std::make_unique<CommitBuilder>(RoomOfThread(commit_bytes_max_).writer(), stores_,
                                             next_stream_);
  builder_->SetTime(now_ns);
  builder_->BeginRun(store, 0);
  return *builder_;
}

std::vector<Fact> DecisionStage::EventsOf(const OpenCommit& commit) const {
  std::vector<Fact> facts;
  for (std::uint32_t i = 0; i < commit.event_count(); ++i) {
    const CommitBuilder::Emitted& emitted = commit.event(i);
    if (emitted.is_closing()) {
      const std::size_t category = emitted.header().type - 1U;
      facts.push_back(
          {aggregates_[category], emitted.slot->key, Fact::kClosing, std::vector<std::byte>(1)});
      continue;
    }
    // The stores' type numbers follow each other.
    std::size_t store = 0;
    std::uint32_t event = emitted.header().type;
    while (event >= aggregates_[store]->traits->events.size()) {
      event -= static_cast<std::uint32_t>(aggregates_[store++]->traits->events.size());
    }
    Fact fact{aggregates_[store], emitted.slot->key, event, {}};
    fact.bytes.assign(emitted.event, emitted.event + emitted.header().payload_bytes());
    if (fact.format().value != nullptr && fact.bytes.empty()) fact.bytes.resize(1);
    facts.push_back(std::move(fact));
  }
  return facts;
}

void DecisionStage::EndCommand(OpenCommit& commit) noexcept {
  if (commit.event_count() > 0) RoomOfThread(commit_bytes_max_).CountCommit();
  commit.End(Sequence());
}

}  // namespace pawl::inline v0::testing
