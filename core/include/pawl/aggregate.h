#pragma once

#include <array>
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
#include "pawl/type_name.h"

// How a user describes an aggregate: a struct with
//   using Commands = pawl::Commands<…>;  using Events = pawl::Events<…>;
//   static constexpr std::string_view kCategory;  struct State;
//   static Verdict Decide(const State&, const Command&, Emit<A>&) noexcept;   one per command, or
//   static Verdict Decide(const State&, const Command&, const Others&, Emit<A>&) noexcept;
//   static void Evolve(State&, const Event&) noexcept;                        one per event
// What is missing, misspelt or not noexcept does not compile.
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
  // False: two of them have one name and version, and the log could not tell which is which.
  static consteval bool AreDistinct() {
    if constexpr ((HasEventType<Es> && ...)) {
      const std::array<const EventType*, kSize> types{&Es::kType...};
      for (std::size_t i = 0; i < kSize; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          if (*types[i] == *types[j]) return false;
        }
      }
    }
    return true;
  }
};

// An aggregate's slot in a StreamStore. A small one has a cache line to itself.
template <class A>
struct alignas(sizeof(StreamSlot) + sizeof(typename A::State) <= kCacheLineBytes
                   ? kCacheLineBytes
                   : alignof(typename A::State)) AggregateSlot : StreamSlot {
  typename A::State state{};
};

namespace internal {

template <class A, class E>
void Evolve(StreamSlot& slot, const std::byte* event) noexcept {
  auto& state = static_cast<AggregateSlot<A>&>(slot).state;
  if constexpr (kEventBytes<E> == 0) {
    A::Evolve(state, E{});
  } else {
    A::Evolve(state, *reinterpret_cast<const E*>(event));
  }
}

template <class A, class E>
inline constexpr OpenCommit::EventKind kEventKind{
    .index = A::Events::template IndexOf<E>(), .size = kEventBytes<E>, .evolve = &Evolve<A, E>};

// Writes an event into its record. Copied as an E, so that a compiler which sees how Decide built
// it builds it here and nowhere else.
template <class E>
void WriteEvent(std::byte* room, const E& event) noexcept {
  if constexpr (kEventBytes<E> != 0) {
    if (room != nullptr) [[likely]]
      ::new (static_cast<void*>(room)) E(event);
  }
}

}  // namespace internal

// What Decide may do: emit events, on its own stream or on others of the same engine.
template <class A>
class Emit {
 public:
  explicit Emit(OpenCommit& commit) noexcept : commit_(commit) {}

  // Emits on the addressed aggregate.
  template <class E>
  void operator()(const E& event) noexcept {
    static_assert(A::Events::template kHas<E>, "pawl: this event is not in the aggregate's Events");
    internal::WriteEvent(commit_.EmitOwn(internal::kEventKind<A, E>), event);
  }

  // Emits on the aggregate `key` of type B, in the same commit; made if it does not exist. If the
  // engine was opened without B, or `key` is 0, the command ends as kLimitExceeded.
  template <class B, class E>
  void On(const Key& key, const E& event) noexcept {
    static_assert(B::Events::template kHas<E>, "pawl: this event is not in the aggregate's Events");
    StreamStore* store = commit_.builder().StoreOf(TagOf<B>());
    if (store == nullptr || key.is_zero()) return commit_.FailLimit();
    internal::WriteEvent(commit_.EmitOther(*store, key, internal::kEventKind<B, E>), event);
  }

  const Key& key() const noexcept { return commit_.key(); }
  // Of the addressed aggregate, with what was emitted so far; 0: it does not exist.
  Version version() const noexcept {
    return commit_.own_slot() == nullptr ? Version() : commit_.own_slot()->version;
  }
  // Engine time of this commit, nanoseconds since 1970. The only clock a handler may use.
  std::uint64_t now_ns() const noexcept { return commit_.builder().now_ns(); }

 private:
  OpenCommit& commit_;
};

// Reads other aggregates while deciding, as they are before this command.
class Others {
 public:
  explicit Others(const CommitBuilder& builder) noexcept : builder_(builder) {}

  // nullptr: there is none, or the engine was opened without B. Valid until Decide returns.
  template <class B>
  const typename B::State* Find(const Key& key) const noexcept {
    const StreamStore* store = builder_.StoreOf(TagOf<B>());
    if (store == nullptr) return nullptr;
    const StreamSlot* slot = store->Find(key);
    if (slot == nullptr || builder_.IsNew(*slot)) return nullptr;
    return &static_cast<const AggregateSlot<B>*>(slot)->state;
  }

 private:
  const CommitBuilder& builder_;
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
concept Evolves = requires(typename A::State& state, const E& event) {
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

template <class A, class E>
consteval void CheckEvolve() {
  [[maybe_unused]] constexpr RequireEvent<E> kRules{};
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
[[gnu::always_inline]] inline Verdict Decide(OpenCommit& commit, const CommandSlot& slot) noexcept {
  const C& command = CommandIn<C>(slot);
  const StreamSlot* own = commit.own_slot();
  const typename A::State& state =
      own == nullptr ? kNothing<A> : static_cast<const AggregateSlot<A>*>(own)->state;
  Emit<A> emit(commit);
  Verdict verdict;
  if constexpr (DecidesWithOthers<A, C>) {
    verdict = A::Decide(state, command, Others(commit.builder()), emit);
  } else {
    verdict = A::Decide(state, command, emit);
  }
  return commit.EvolveOrRefuse(verdict, &Evolver<A, typename A::Events>::TryEvolve);
}

// Decides a command, and ends its commit or takes it back.
//   receipt   written if it is accepted
template <class A, class C>
[[gnu::always_inline]] inline Verdict DecideOne(OpenCommit& commit, const CommandSlot& slot,
                                                StreamSlot* stream,
                                                PackedReceipt& receipt) noexcept {
  if (!slot.condition.is_any() && !HoldsOn(slot.condition, stream)) [[unlikely]]
    return {VerdictKind::kConflict, 0};
  commit.Begin(slot.key, stream);
  const Verdict verdict = Decide<A, C>(commit, slot);
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
  OpenCommit commit(builder, builder.head_bytes());
  // A command in between may have made it.
  StreamSlot* const stream = builder.own_store().Find(slot.key);
  const Verdict verdict = DecideOne<A, C>(commit, slot, stream, receipt);
  return {verdict.is_accepted() ? 1U : 0U, verdict};
}

template <class A, class C>
DecidedRun DecideRun(CommitBuilder& builder, std::span<const CommandSlot> run,
                     StreamSlot* const* streams, PackedReceipt* receipts) noexcept {
  constexpr std::uint32_t kType = A::Commands::template IndexOf<C>();
  if (builder.is_extended()) [[unlikely]]
    return DecideLookedUp<A, C>(builder, run.front(), *receipts);
  const LogWriter& writer = builder.writer();
  const Address frame = writer.published();
  OpenCommit commit(builder);
  std::uint32_t accepted = 0;
  for (const CommandSlot& slot : run) {
    if (slot.type != kType || writer.published() != frame) break;
    StreamSlot* const stream = streams[accepted];
    if (stream == nullptr || stream->key != slot.key) [[unlikely]] {
      if (accepted == 0) return DecideLookedUp<A, C>(builder, slot, *receipts);
      break;
    }
    const Verdict verdict = DecideOne<A, C>(commit, slot, stream, receipts[accepted]);
    if (!verdict.is_accepted()) [[unlikely]]
      return {accepted, verdict};
    ++accepted;
  }
  return {accepted, Accept()};
}

template <class A, class Commands, class Events>
struct AggregateTypes;

template <class A, class... Cs, class... Es>
struct AggregateTypes<A, Commands<Cs...>, Events<Es...>> {
  static consteval bool Check() {
    static_assert(std::is_nothrow_default_constructible_v<typename A::State>,
                  "pawl: State must be default constructible without throwing");
    (CheckCommand<A, Cs>(), ...);
    (CheckEvolve<A, Es>(), ...);
    static_assert(Events<Es...>::AreDistinct(),
                  "pawl: two events in Events have the same name and version");
    return true;
  }
  static_assert(Check());

  static inline const std::array<EventTraits, sizeof...(Es)> kEvents{
      EventTraits{&DescriptorOf<Es>(), &Evolve<A, Es>}...};
  static constexpr std::array<DecideRunFunction, sizeof...(Cs)> kDecides{&DecideRun<A, Cs>...};
  static constexpr std::array<std::string_view, sizeof...(Cs)> kCommands{kTypeName<Cs>...};
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
  using Types = internal::AggregateTypes<A, typename A::Commands, typename A::Events>;
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
      .hash = internal::HashSlotOf<A>()};
  return kTraits;
}

}  // namespace pawl::inline v0
