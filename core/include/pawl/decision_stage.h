#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pawl/aggregate.h"
#include "pawl/closed.h"
#include "pawl/value_format.h"

// The engine's own deciding without its log: the same stores, the same commit under construction,
// the same dispatch to Decide and Evolve. Part of pawl::testing.
namespace pawl::inline v0::testing {

// How events of one type, as a log holds them, are shown to people.
struct EventFormat {
  const EventDescriptor* descriptor;
  const ValueFormat* value;  // nullptr: it has a codec
  // Of an event with a codec: whether it decodes these bytes, and what it says of them. `text` is
  // nullptr if it says nothing.
  bool (*decodes)(std::span<const std::byte> bytes) noexcept;
  std::string (*text)(std::span<const std::byte> bytes);
};

// A timer as a test speaks of it: as it is set, by delay or time, and as it is cancelled.
template <class T>
struct TimerSetOf {
  T timer;
  std::uint64_t id;
  bool is_after;         // else it is a time
  std::uint64_t due_ns;  // since then, or the time
};
template <class T>
struct TimerCancelledOf {
  std::uint64_t id;
};
template <class F>
inline constexpr bool kIsOfTimer = false;
template <class T>
inline constexpr bool kIsOfTimer<TimerSetOf<T>> = true;
template <class T>
inline constexpr bool kIsOfTimer<TimerCancelledOf<T>> = true;

// An aggregate type without its type, and how to show what happens to it. Lives as long as the
// program.
struct AggregateFormat {
  const AggregateTraits* traits;
  std::span<const EventFormat> events;         // as in traits->events, then traits->older
  std::span<const EventFormat> timers;         // as in traits->timers
  std::span<const std::string_view> refusals;  // names of A::Refusal, if there is one
};

// How a closing is shown: as an event without fields.
extern const EventFormat kClosingFormat;

enum class FactKind : std::uint8_t { kEvent, kClosing, kTimerSet, kTimerCancelled, kTimerFired };

// Something that happened to an aggregate: an event, its end, or what became of a timer.
struct Fact {
  const AggregateFormat* aggregate = nullptr;
  Key key;
  // Index in the aggregate's Events, behind them of older ones; of a timer in its Timers.
  std::uint32_t event = 0;
  std::vector<std::byte> bytes{};  // at least one, also of a closing or an event without fields or
                                   // codec; of a timer that was cancelled or fired, none
  FactKind kind = FactKind::kEvent;
  std::uint64_t id = 0;  // of a timer
  // Of one that was set: when it is due, and how long after it was set that is. Of one that is
  // expected only one of them is said.
  std::uint64_t due_ns = 0;
  std::uint64_t delay_ns = 0;
  bool is_after = true;  // expected: the delay counts

  bool is_closing() const noexcept { return kind == FactKind::kClosing; }
  bool is_timer() const noexcept { return kind != FactKind::kEvent && !is_closing(); }
  const EventFormat& format() const noexcept {
    if (is_closing()) return kClosingFormat;
    return is_timer() ? aggregate->timers[event] : aggregate->events[event];
  }
  friend bool operator==(const Fact&, const Fact&) = default;
};

// What became of a command, or of the timers that fired while time passed.
struct Decision {
  Verdict verdict{};           // of several timers: the first that was not accepted
  std::vector<Fact> events{};  // of all streams, in the order of emit, timers that were set and
                               // cancelled among them; none if not accepted

  friend bool operator==(const Decision&, const Decision&) = default;
};

// What an engine's options of these names say.
struct Limits {
  std::uint32_t streams_max = 0;       // 0: as many as it takes
  std::uint32_t commit_bytes_max = 0;  // 0: 1 MiB
  std::uint32_t timers_max = 0;        // 0: as many as it takes
};

namespace stage_detail {

template <class E>
bool Decodes(std::span<const std::byte> bytes) noexcept {
  EventView<E> view{};
  return Codec<E>::Decode(bytes, view);
}

template <class E>
std::string TextOf(std::span<const std::byte> bytes) {
  EventView<E> view{};
  return Codec<E>::Decode(bytes, view) ? Codec<E>::Text(view) : std::string("no event");
}

template <class E>
constexpr EventFormat FormatOfEvent() noexcept {
  if constexpr (!HasCodec<E>) {
    return {&DescriptorOf<E>(), &FormatOf<E>(), nullptr, nullptr};
  } else if constexpr (codec_detail::TellsText<E>) {
    return {&DescriptorOf<E>(), nullptr, &Decodes<E>, &TextOf<E>};
  } else {
    return {&DescriptorOf<E>(), nullptr, &Decodes<E>, nullptr};
  }
}

template <class List>
struct Formats;

template <class... S>
struct Formats<internal::StoredList<S...>> {
  static constexpr std::array<EventFormat, sizeof...(S)> kAll{
      FormatOfEvent<typename S::Stored>()...};
};
template <class... Ts>
struct Formats<Timers<Ts...>> {
  static constexpr std::array<EventFormat, sizeof...(Ts)> kAll{FormatOfEvent<Ts>()...};
};

template <class T>
std::vector<std::byte> BytesOf(const T& value) {
  std::vector<std::byte> bytes(sizeof value);
  if constexpr (!std::is_empty_v<T>) std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <class A>
using StoredEvents = typename internal::StoredIn<typename A::Events>::type;

template <class A>
constexpr std::span<const std::string_view> RefusalNames() noexcept {
  if constexpr (requires { typename A::Refusal; }) {
    return EnumeratorsOf<typename A::Refusal>();
  } else {
    return {};
  }
}

}  // namespace stage_detail

template <class A>
const AggregateFormat& AggregateFormatOf() noexcept {
  static const AggregateFormat kFormat{
      .traits = &AggregateTraitsOf<A>(),
      .events = stage_detail::Formats<stage_detail::StoredEvents<A>>::kAll,
      .timers = stage_detail::Formats<TimersOf<A>>::kAll,
      .refusals = stage_detail::RefusalNames<A>()};
  return kFormat;
}

// Something that Decide may do.
template <class A, class E>
requires kIsClosed<E> Fact MakeFact(const Key& key, const E&) {
  static_assert(std::is_same_v<E, Closed<A>>,
                "pawl: this is the closing of another aggregate type");
  return {&AggregateFormatOf<A>(), key, 0, std::vector<std::byte>(1), FactKind::kClosing};
}
template <class A, class T>
Fact MakeFact(const Key& key, const TimerSetOf<T>& set) {
  static_assert(TimersOf<A>::template kHas<T>, "pawl: this timer is not in the aggregate's Timers");
  Fact fact{&AggregateFormatOf<A>(),
            key,
            TimersOf<A>::template IndexOf<T>(),
            stage_detail::BytesOf(set.timer),
            FactKind::kTimerSet,
            set.id};
  fact.is_after = set.is_after;
  (set.is_after ? fact.delay_ns : fact.due_ns) = set.due_ns;
  return fact;
}
template <class A, class T>
Fact MakeFact(const Key& key, const TimerCancelledOf<T>& cancelled) {
  static_assert(TimersOf<A>::template kHas<T>, "pawl: this timer is not in the aggregate's Timers");
  return {&AggregateFormatOf<A>(),   key,         TimersOf<A>::template IndexOf<T>(), {},
          FactKind::kTimerCancelled, cancelled.id};
}

// The same, or an older version of an event: something that an old log may hold.
template <class A, class E>
Fact MakePastFact(const Key& key, const E& event) {
  using Stored = stage_detail::StoredEvents<A>;
  if constexpr (kIsClosed<E> || kIsOfTimer<E>) {
    return MakeFact<A>(key, event);
  } else if constexpr (HasCodec<E>) {
    static_assert(Stored::template kHas<E>, "pawl: this event is not in the aggregate's Events");
    Fact fact{&AggregateFormatOf<A>(), key, Stored::template IndexOf<E>(), {}};
    fact.bytes.resize(Codec<E>::Size(event));
    Codec<E>::Encode(event, fact.bytes);
    return fact;
  } else {
    static_assert(Stored::template kHas<E>, "pawl: this event is not in the aggregate's Events");
    return {&AggregateFormatOf<A>(), key, Stored::template IndexOf<E>(),
            stage_detail::BytesOf(event)};
  }
}

template <class A, class E>
Fact MakeFact(const Key& key, const E& event) {
  internal::CheckEmits<A, E>();
  return MakePastFact<A>(key, event);
}

// Room for what one command may append: the writer of a log that nobody reads.
class StageWriter;

// Aggregates in the state that facts brought them to, and one decision upon it.
//   threads   one at a time
class DecisionStage {
 public:
  //   aggregates  the types that the engine would be opened with
  //   limits      all of them given, but for commit_bytes_max
  //   now_ns      engine time
  DecisionStage(std::span<const AggregateFormat* const> aggregates, const Limits& limits,
                std::uint64_t now_ns);
  DecisionStage(const DecisionStage&) = delete;
  DecisionStage& operator=(const DecisionStage&) = delete;
  ~DecisionStage();

  // Evolves a fact of one of the types, which its codec decodes if it has one; or closes, or does
  // to timers what it says.
  //   returns   false: streams_max or timers_max reached
  [[nodiscard]] bool Evolve(const Fact& fact);

  // Decides a command as the engine's loop does, evolves what it emitted or leaves no trace. Once.
  //   key       not 0
  template <class A, class C>
  Decision Decide(const Key& key, const C& command, std::uint64_t now_ns) {
    CommandSlot slot;
    slot.key = key;
    slot.type = A::Commands::template IndexOf<C>();
    if constexpr (kFitsSlot<C>) {
      ::new (static_cast<void*>(slot.command.data())) C(command);
    } else {
      slot.SetParcel(reinterpret_cast<const std::byte*>(&command));
    }
    StreamStore* const store = StoreOf(AggregateTraitsOf<A>());
    CommitBuilder& builder = BeginCommand(*store, now_ns);
    Emit<A> emit(builder);
    OpenCommit& commit = emit.open_commit();
    commit.Begin(slot.key, store->Find(slot.key));
    Decision decision{.verdict = internal::Decide<A, C>(emit, CommandIn<C>(slot))};
    if (decision.verdict.is_accepted()) {
      decision.events = FactsOf(commit.records());
      EndCommand(commit);
    } else {
      commit.TakeBack();
    }
    return decision;
  }

  // The timer that an engine would fire first, if it is due by then: as the fact that it fired.
  std::optional<Fact> FirstDue(std::uint64_t time_ns);
  // Fires that one as the engine's loop does. Once, and instead of Decide().
  //   time_ns   as asked FirstDue()
  Decision Fire(std::uint64_t time_ns, std::uint64_t now_ns);

  // The state of an aggregate; nullptr: nothing happened to it.
  template <class A>
  const typename A::State* Find(const Key& key) const noexcept {
    const StreamStore* store = StoreOf(AggregateTraitsOf<A>());
    const StreamSlot* slot = store == nullptr ? nullptr : store->Find(key);
    const bool exists = slot != nullptr && slot->version != Version();
    return exists ? &static_cast<const AggregateSlot<A>*>(slot)->state : nullptr;
  }
  Version VersionOf(const AggregateTraits& aggregate, const Key& key) const noexcept;

 private:
  // Timers of all aggregates; private to the engine.
  struct TimerRoom;

  StreamStore* StoreOf(const AggregateTraits& aggregate) const noexcept;
  CommitBuilder& BeginCommand(StreamStore& store, std::uint64_t now_ns);
  StreamSlot* FindOrMake(StreamStore& store, const Key& key);
  void Close(StreamStore& store, const Key& key);
  bool ApplyTimer(const Fact& fact, StreamStore& store, StreamSlot& slot);
  // Of the first so many records of the commit.
  std::vector<Fact> FactsOf(std::uint32_t records);
  Fact FactOf(const RecordHeader& header) const;
  void EndCommand(OpenCommit& commit) noexcept;

  const std::span<const AggregateFormat* const> aggregates_;
  const std::uint32_t commit_bytes_max_;
  std::vector<std::unique_ptr<StreamStore>> owned_stores_;
  std::vector<StreamStore*> stores_;  // in the order of aggregates_
  std::uint32_t next_stream_ = 1;
  struct Made {
    std::size_t store;
    Key key;
  };
  std::vector<Made> made_;  // streams by number − 1, also those that were closed
  std::uint64_t facts_ = 0;
  std::unique_ptr<TimerRoom> timers_;  // nullptr: no type lists one
  std::unique_ptr<CommitBuilder> builder_;
  const std::byte* first_record_ = nullptr;  // of the commit
};

}  // namespace pawl::inline v0::testing
