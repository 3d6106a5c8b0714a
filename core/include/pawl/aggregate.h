#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>

#include "pawl/cache_line.h"
#include "pawl/command_slot.h"
#include "pawl/commit_builder.h"
#include "pawl/event.h"
#include "pawl/key.h"
#include "pawl/receipt.h"
#include "pawl/state_hash.h"
#include "pawl/stream_store.h"
#include "pawl/timers.h"
#include "pawl/type_name.h"
#include "pawl/upcast.h"

// How a user describes an aggregate: a struct with
//   using Commands = pawl::Commands<…>;  using Events = pawl::Events<…>;
//   static constexpr std::string_view kCategory;  struct State;
//   static Verdict Decide(const State&, const Command&, Emit<A>&) noexcept;   one per command, or
//   static Verdict Decide(const State&, const Command&, const Others&, Emit<A>&) noexcept;
//   static void Evolve(State&, const Event&) noexcept;                        one per event
// and, if it sets timers, `using Timers = pawl::Timers<…>;` with a Decide for each (pawl/timers.h).
// Of an event that changed, Events lists the newest version (pawl/upcast.h); of one with a codec
// Evolve gets the View (pawl/codec.h). What is missing, misspelt or not noexcept does not compile.
namespace pawl::inline v0 {

template <class... Cs>
struct Commands {
  static constexpr std::size_t kSize = sizeof...(Cs);
  template <class C>
  static constexpr bool kHas = (std::same_as<C, Cs> || ...);
  // Index of C in the list.
  template <class C>
  static consteval std::uint16_t IndexOf() {
    std::uint16_t index = 0;
    (void)((std::same_as<C, Cs> ? true : (++index, false)) || ...);
    return index;
  }
};

template <class... Es>
struct Events {
  static constexpr std::size_t kSize = sizeof...(Es);
  template <class E>
  static constexpr bool kHas = (std::same_as<E, Es> || ...);
  // Index of E in the list.
  template <class E>
  static consteval std::uint32_t IndexOf() {
    std::uint32_t index = 0;
    (void)((std::same_as<E, Es> ? true : (++index, false)) || ...);
    return index;
  }
  // As AreDistinctTypes().
  static consteval bool AreDistinct() { return internal::AreDistinctTypes<Es...>(); }
};

// An aggregate's slot in a StreamStore. A small one has a cache line to itself.
template <class A>
struct alignas(sizeof(StreamSlot) + sizeof(typename A::State) <= kCacheLineBytes
                   ? kCacheLineBytes
                   : alignof(typename A::State)) AggregateSlot : StreamSlot {
  typename A::State state{};
};

namespace internal {

// Evolves the state with an event that stands behind its record header, stored as V: E itself, or
// an older version of it.
//   returns   false: its codec does not decode it
template <class A, class E, class V = E>
bool Evolve(StreamSlot& slot, const std::byte* event) noexcept {
  auto& state = static_cast<AggregateSlot<A>&>(slot).state;
  return SeeAs<V, E>(event,
                     [&state](const EventView<E>& seen) noexcept { A::Evolve(state, seen); });
}

template <class A, class E>
inline constexpr OpenCommit::EventKind kEventKind{
    .index = A::Events::template IndexOf<E>(), .size = kEventBytes<E>, .evolve = &Evolve<A, E>};

template <class Events>
struct StoredIn;
template <class... Es>
struct StoredIn<Events<Es...>> {
  using type = StoredOf<Es...>;
};

// Does not compile unless A emits events of type E.
template <class A, class E>
consteval void CheckEmits() {
  static_assert(
      A::Events::template kHas<E> || !StoredIn<typename A::Events>::type::template kHas<E>,
      "pawl: an older version of an event is not emitted; emit the newest");
  static_assert(A::Events::template kHas<E>, "pawl: this event is not in the aggregate's Events");
}

// Writes an event into its record. Copied as an E, so that a compiler which sees how Decide built
// it builds it here and nowhere else.
template <class E>
void WriteEvent(std::byte* room, const E& event) noexcept {
  if constexpr (kEventBytes<E> != 0) {
    if (room != nullptr) [[likely]]
      ::new (static_cast<void*>(room)) E(event);
  }
}

// Adds an event of A to the open commit and writes it there.
//   append    std::byte*(const OpenCommit::EventKind&): where the event's bytes go
template <class A, class E, class Append>
[[gnu::always_inline]] inline void EmitEvent(OpenCommit& commit, const E& event,
                                             Append&& append) noexcept {
  if constexpr (HasCodec<E>) {
    const std::size_t bytes = Codec<E>::Size(event);
    if (bytes > kRecordPayloadBytesMax) return commit.FailLimit();
    OpenCommit::EventKind kind = kEventKind<A, E>;
    kind.size = static_cast<std::uint32_t>(bytes);
    std::byte* const room = append(kind);
    if (room == nullptr) return;
    Codec<E>::Encode(event, {room, bytes});
    // What no replay could decode must not get into the log.
    EventView<E> view{};
    if (!Codec<E>::Decode({room, bytes}, view)) commit.FailLimit();
  } else {
    WriteEvent(append(kEventKind<A, E>), event);
  }
}

}  // namespace internal

// What Decide may do: emit events, on its own stream or on others of the same engine. It is the
// open commit, since one that it referred to would have its address taken and so no place in
// registers (measured: core/DECISIONS.md, "A run of commands is decided by one function").
template <class A>
class Emit final : private OpenCommit {
 public:
  using OpenCommit::OpenCommit;
  // For the engine.
  OpenCommit& open_commit() noexcept { return *this; }

  // Emits on the addressed aggregate. An event that its own codec does not decode ends the command
  // as kLimitExceeded.
  template <class E>
  void operator()(const E& event) noexcept {
    internal::CheckEmits<A, E>();
    internal::EmitEvent<A>(
        open_commit(), event,
        [this](const OpenCommit::EventKind& kind) noexcept { return EmitOwn(kind); });
  }

  // Emits on the aggregate `key` of type B, in the same commit; made if it does not exist. If the
  // engine was opened without B, or `key` is 0, the command ends as kLimitExceeded.
  template <class B, class E>
  void On(const Key& key, const E& event) noexcept {
    internal::CheckEmits<B, E>();
    StreamStore* store = builder().StoreOf(TagOf<B>());
    if (store == nullptr || key.is_zero()) return FailLimit();
    internal::EmitEvent<B>(open_commit(), event, [&](const OpenCommit::EventKind& kind) noexcept {
      return EmitOther(*store, key, kind);
    });
  }

  // Ends the addressed aggregate, with this command: afterwards it does not exist, its place is
  // free for another key, and its own key may be used again, by an aggregate that begins with
  // version 1. What happened stays in the log. An aggregate that does not exist is left so. Events
  // before Close() belong to it; one behind it ends the command as kLimitExceeded.
  void Close() noexcept { CloseOwn(); }

  // The same of the aggregate `key` of type B. If the engine was opened without B, or `key` is 0,
  // the command ends as kLimitExceeded.
  template <class B>
  void CloseOn(const Key& key) noexcept {
    StreamStore* store = builder().StoreOf(TagOf<B>());
    if (store == nullptr || key.is_zero()) return FailLimit();
    CloseOther(*store, key);
  }

  // Sets a timer of the addressed aggregate: once `delay` has passed in engine time, Decide runs
  // with it. There is one of each type and id: set again, it takes the place of the one before. A
  // delay of 0 or less means right behind this command. If the engine holds timers_max already, or
  // more than kCommitTimersMax are set or cancelled, the command ends as kLimitExceeded; refused,
  // it has set none.
  //   id        tells timers of one type and aggregate apart
  template <class T>
  void After(std::chrono::nanoseconds delay, const T& timer, std::uint64_t id = 0) noexcept {
    const std::uint64_t now = now_ns();
    const auto wanted = static_cast<std::uint64_t>(std::max(delay.count(), std::int64_t{0}));
    At(now + std::min(wanted, UINT64_MAX - now), timer, id);
  }
  // The same at a time: nanoseconds since 1970, as now_ns(). One that has passed is now, so that
  // who was due before is first.
  template <class T>
  void At(std::uint64_t time_ns, const T& timer, std::uint64_t id = 0) noexcept {
    SetTimer(TimerKindOf<T>(), id, std::max(time_ns, now_ns()),
             reinterpret_cast<const std::byte*>(&timer));
  }
  // Cancels the timer of this type and id; nothing happens if none is set.
  template <class T>
  void Cancel(std::uint64_t id = 0) noexcept {
    CancelTimer(TimerKindOf<T>(), id);
  }

  const Key& key() const noexcept { return OpenCommit::key(); }
  // Of the addressed aggregate, with what was emitted so far; 0: it does not exist, or no more.
  Version version() const noexcept { return own_version(); }
  // Engine time of this commit, nanoseconds since 1970. The only clock a handler may use.
  std::uint64_t now_ns() const noexcept { return builder().now_ns(); }

 private:
  template <class T>
  static consteval TimerKind TimerKindOf() noexcept {
    static_assert(TimersOf<A>::template kHas<T>,
                  "pawl: this timer is not in the aggregate's Timers");
    return {TimersOf<A>::template IndexOf<T>(), static_cast<std::uint16_t>(kEventBytes<T>)};
  }
};

// Reads other aggregates while deciding, as they are before this command.
class Others {
 public:
  explicit Others(const OpenCommit& commit) noexcept : commit_(commit) {}

  // nullptr: there is none, or the engine was opened without B. Valid until Decide returns.
  template <class B>
  const typename B::State* Find(const Key& key) const noexcept {
    const StreamStore* store = commit_.builder().StoreOf(TagOf<B>());
    if (store == nullptr) return nullptr;
    const StreamSlot* slot = store->Find(key);
    if (slot == nullptr || commit_.IsNew(*slot)) return nullptr;
    return &static_cast<const AggregateSlot<B>*>(slot)->state;
  }

 private:
  const OpenCommit& commit_;
};

template <class A, class C>
concept DecidesAlone = requires(const typename A::State& state, const C& command, Emit<A>& emit) {
  { A::Decide(state, command, emit) }
  noexcept->std::same_as<Verdict>;
};

template <class A, class C>
concept DecidesWithOthers = requires(const typename A::State& state, const C& command,
                                     const Others& others, Emit<A>& emit) {
  { A::Decide(state, command, others, emit) }
  noexcept->std::same_as<Verdict>;
};

template <class A, class E>
concept Evolves = requires(typename A::State& state, const EventView<E>& event) {
  { A::Evolve(state, event) }
  noexcept->std::same_as<void>;
};

template <class C>
concept Command = std::is_trivially_copyable_v<C> && alignof(C) <= 8;

namespace internal {

// State of an aggregate that does not exist yet.
template <class A>
inline const typename A::State kNothing{};

template <class A, class C>
consteval void CheckCommand() {
  static_assert(Command<C>,
                "pawl: a command must be trivially copyable and at most 8-byte aligned");
  static_assert(DecidesAlone<A, C> || DecidesWithOthers<A, C>,
                "pawl: no Verdict Decide(const State&, const Command&, [const Others&,] Emit<A>&) "
                "noexcept for a command in Commands");
}

template <class A, class T>
consteval void CheckTimer() {
  [[maybe_unused]] constexpr RequireEvent<T> kRules{};
  static_assert(DecidesAlone<A, T> || DecidesWithOthers<A, T>,
                "pawl: no Verdict Decide(const State&, const Timer&, [const Others&,] Emit<A>&) "
                "noexcept for a timer in Timers");
  static_assert(!HasCodec<T>, "pawl: a timer has no Codec; it is a plain struct");
  static_assert(!HasOlder<T>, "pawl: timers are not upcast; list the older one in Timers too");
  static_assert(sizeof(T) <= kTimerBytesMax,
                "pawl: a timer has at most 256 bytes; keep what it needs in State");
}

template <class A, class E>
consteval void CheckEvolve() {
  [[maybe_unused]] constexpr RequireEvent<E> kRules{};
  static_assert(CheckOlder<E>());
  static_assert(Evolves<A, E>,
                "pawl: no void Evolve(State&, const Event&) noexcept for an event in Events");
}

template <class A, class Events>
struct Evolver;

template <class A, class... Es>
struct Evolver<A, Events<Es...>> {
  // Evolves, inlined, an event of the aggregate's own type. Long lists of types are not worth a
  // comparison for each.
  //   returns   false: it is of another one, or the list is long; nothing happened
  static bool TryEvolve(EvolveFunction evolve, StreamSlot& slot, const std::byte* event) noexcept {
    return sizeof...(Es) <= 4 &&
           ((evolve == &Evolve<A, Es> && (Evolve<A, Es>(slot, event), true)) || ...);
  }
};

// Runs A's Decide on an open commit and, if that accepted, evolves what it emitted. The common
// case, one event of the aggregate's own, makes no call.
template <class A, class C>
[[gnu::always_inline]] inline Verdict Decide(Emit<A>& emit, const C& command) noexcept {
  OpenCommit& commit = emit.open_commit();
  const StreamSlot* own = commit.own_slot();
  const typename A::State& state =
      own == nullptr ? kNothing<A> : static_cast<const AggregateSlot<A>*>(own)->state;
  Verdict verdict;
  if constexpr (DecidesWithOthers<A, C>) {
    verdict = A::Decide(state, command, Others(commit), emit);
  } else {
    verdict = A::Decide(state, command, emit);
  }
  return commit.EvolveOrRefuse(verdict, &Evolver<A, typename A::Events>::TryEvolve);
}

// Decides a command, and ends its commit or takes it back.
//   receipt   written if it is accepted
template <class A, class C>
[[gnu::always_inline]] inline Verdict DecideOne(Emit<A>& emit, const CommandSlot& slot,
                                                StreamSlot* stream,
                                                PackedReceipt& receipt) noexcept {
  OpenCommit& commit = emit.open_commit();
  if (!slot.condition.is_any() && !commit.builder().Holds(slot.condition, slot.key, stream))
      [[unlikely]]
    return {VerdictKind::kConflict, 0};
  if constexpr (!kFitsSlot<C>) {
    // Only if the memory of commands was taken away: nothing is published then.
    if (slot.parcel() == nullptr) [[unlikely]]
      return {VerdictKind::kLimitExceeded, 0};
  }
  commit.builder().BeginDecision(slot);
  commit.Begin(slot.key, stream);
  const Verdict verdict = Decide<A, C>(emit, CommandIn<C>(slot));
  if (verdict.is_accepted()) [[likely]] {
    receipt = commit.End(slot.sequence);
  } else {
    commit.TakeBack();
  }
  return verdict;
}

// Decides a command whose aggregate was not found when its run was looked up, or whose guess was
// wrong, or whose commit has an extension: out of the way of the others.
template <class A, class C>
[[gnu::noinline]] DecidedRun DecideLookedUp(CommitBuilder& builder, const CommandSlot& slot,
                                            PackedReceipt& receipt) noexcept {
  Emit<A> emit(builder, builder.head_bytes());
  // A command in between may have made it.
  StreamSlot* const stream = builder.own_store().Find(slot.key);
  const Verdict verdict = DecideOne<A, C>(emit, slot, stream, receipt);
  return {verdict.is_accepted() ? 1U : 0U, verdict};
}

template <class A, class C>
DecidedRun DecideRun(CommitBuilder& builder, std::span<const CommandSlot> run,
                     StreamSlot* const* streams, PackedReceipt* receipts) noexcept {
  constexpr std::uint32_t kType = A::Commands::template IndexOf<C>();
  const auto is_found = [](const CommandSlot& slot, const StreamSlot* stream) noexcept {
    return stream != nullptr && stream->key == slot.key;
  };
  if (builder.is_extended() || !is_found(run.front(), *streams)) [[unlikely]]
    return DecideLookedUp<A, C>(builder, run.front(), *receipts);
  const LogWriter& writer = builder.writer();
  const Address frame = writer.published();
  Emit<A> emit(builder);
  PackedReceipt* receipt = receipts;
  const auto accepted = [&]() noexcept { return static_cast<std::uint32_t>(receipt - receipts); };
  for (const CommandSlot& slot : run) {
    StreamSlot* const stream = *streams++;
    if (slot.type != kType || writer.published() != frame || !is_found(slot, stream)) break;
    const Verdict verdict = DecideOne<A, C>(emit, slot, stream, *receipt);
    if (!verdict.is_accepted()) [[unlikely]]
      return {accepted(), verdict};
    ++receipt;
  }
  return {accepted(), Accept()};
}

template <class A, class Older>
struct OlderTraits;

template <class A, class... S>
struct OlderTraits<A, StoredList<S...>> {
  static inline const std::array<EventTraits, sizeof...(S)> kEvents{EventTraits{
      &DescriptorOf<typename S::Stored>(), &Evolve<A, typename S::Seen, typename S::Stored>,
      A::Events::template IndexOf<typename S::Seen>()}...};
};

template <class A, class T>
Verdict FireTimer(CommitBuilder& builder, StreamSlot& stream, const std::byte* timer) noexcept {
  Emit<A> emit(builder);
  OpenCommit& commit = emit.open_commit();
  commit.BeginFired(stream);
  const Verdict verdict = Decide<A, T>(emit, *reinterpret_cast<const T*>(timer));
  if (verdict.is_accepted()) {
    commit.EndFired();
  } else {
    commit.TakeBack();
  }
  return verdict;
}

template <class A, class Commands, class Events, class Timers>
struct AggregateTypes;

template <class A, class... Cs, class... Es, class... Ts>
struct AggregateTypes<A, Commands<Cs...>, Events<Es...>, Timers<Ts...>> {
  static consteval bool Check() {
    static_assert(std::is_nothrow_default_constructible_v<typename A::State>,
                  "pawl: State must be default constructible without throwing");
    (CheckCommand<A, Cs>(), ...);
    (CheckEvolve<A, Es>(), ...);
    (CheckTimer<A, Ts>(), ...);
    static_assert(Events<Es...>::AreDistinct(),
                  "pawl: two events in Events have the same name and version");
    static_assert(!Events<Es...>::AreDistinct() || StoredOf<Es...>::AreDistinct(),
                  "pawl: an older version of an event in Events is listed too; list the newest");
    static_assert(HaveDistinctViews<Es...>(), "pawl: two events in Events have the same View");
    static_assert(Events<Ts...>::AreDistinct(),
                  "pawl: two timers in Timers have the same name and version");
    return true;
  }
  static_assert(Check());

  static inline const std::array<EventTraits, sizeof...(Es)> kEvents{
      EventTraits{&DescriptorOf<Es>(), &Evolve<A, Es>, Events<Es...>::template IndexOf<Es>()}...};
  using Older = OlderTraits<A, OlderOf<Es...>>;
  static constexpr std::array<DecideRunFunction, sizeof...(Cs)> kDecides{&DecideRun<A, Cs>...};
  static constexpr std::array<std::string_view, sizeof...(Cs)> kCommands{kTypeName<Cs>...};
  static constexpr std::array<CommandLabel, sizeof...(Cs)> kLabels =
      LabelsOf(std::array<std::string_view, sizeof...(Cs)>{kOwnName<Cs>...});
  static constexpr std::array<std::uint32_t, sizeof...(Cs)> kCommandBytes{
      static_cast<std::uint32_t>(sizeof(Cs))...};
  static inline const std::array<TimerTraits, sizeof...(Ts)> kTimers{
      TimerTraits{&DescriptorOf<Ts>(), &FireTimer<A, Ts>, kTypeName<Ts>}...};
};

template <class A>
void HashSlot(const StreamSlot& slot, StateHasher& into) noexcept {
  into.Add(static_cast<const AggregateSlot<A>&>(slot).state);
}

template <class A>
constexpr auto HashSlotOf() noexcept -> void (*)(const StreamSlot&, StateHasher&) noexcept {
  if constexpr (StateHashable<typename A::State>) {
    return &HashSlot<A>;
  } else {
    return nullptr;
  }
}

}  // namespace internal

template <class A>
const AggregateTraits& AggregateTraitsOf() noexcept {
  using Types = internal::AggregateTypes<A, typename A::Commands, typename A::Events, TimersOf<A>>;
  using Slot = AggregateSlot<A>;
  static const AggregateTraits kTraits{
      .tag = TagOf<A>(),
      .category = A::kCategory,
      .slot_bytes = sizeof(Slot),
      .slot_align = alignof(Slot),
      .construct = [](StreamSlot* slot) noexcept { ::new (static_cast<void*>(slot)) Slot; },
      .destroy = [](StreamSlot* slot) noexcept { static_cast<Slot*>(slot)->~Slot(); },
      .events = Types::kEvents,
      .decides = Types::kDecides,
      .commands = Types::kCommands,
      .command_bytes = Types::kCommandBytes,
      .hash = internal::HashSlotOf<A>(),
      .older = Types::Older::kEvents,
      .timers = Types::kTimers,
      .labels = Types::kLabels};
  return kTraits;
}

}  // namespace pawl::inline v0
