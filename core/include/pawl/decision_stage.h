#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "pawl/aggregate.h"
#include "pawl/value_format.h"

// The engine's own deciding without its log: the same stores, the same commit under construction,
// the same dispatch to Decide and Evolve. Part of pawl::testing.
namespace pawl::inline v0::testing {

struct EventFormat {
  const EventDescriptor* descriptor;
  const ValueFormat* value;
};

// An aggregate type without its type, and how to show what happens to it. Lives as long as the
// program.
struct AggregateFormat {
  const AggregateTraits* traits;
  std::span<const EventFormat> events;         // as in traits->events
  std::span<const std::string_view> refusals;  // names of A::Refusal, if there is one
};

// Something that happened to an aggregate.
struct Fact {
  const AggregateFormat* aggregate = nullptr;
  Key key;
  std::uint32_t event = 0;         // index in the aggregate's Events
  std::vector<std::byte> bytes{};  // at least one, also of an event without fields

  const EventFormat& format() const noexcept { return aggregate->events[event]; }
  friend bool operator==(const Fact&, const Fact&) = default;
};

// What became of a command.
struct Decision {
  Verdict verdict{};
  std::vector<Fact> events{};  // of all streams, in the order of emit; none if not accepted

  friend bool operator==(const Decision&, const Decision&) = default;
};

// What an engine's options of these names say.
struct Limits {
  std::uint32_t streams_max = 0;       // 0: as many as it takes
  std::uint32_t commit_bytes_max = 0;  // 0: 1 MiB
};

namespace stage_detail {

template <class A, class Events>
struct Formats;

template <class A, class... Es>
struct Formats<A, Events<Es...>> {
  static constexpr std::array<EventFormat, sizeof...(Es)> kEvents{
      EventFormat{&DescriptorOf<Es>(), &FormatOf<Es>()}...};
};

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
      .events = stage_detail::Formats<A, typename A::Events>::kEvents,
      .refusals = stage_detail::RefusalNames<A>()};
  return kFormat;
}

template <class A, class E>
Fact MakeFact(const Key& key, const E& event) {
  static_assert(A::Events::template kHas<E>, "pawl: this event is not in the aggregate's Events");
  Fact fact{&AggregateFormatOf<A>(), key, A::Events::template IndexOf<E>(), {}};
  fact.bytes.resize(sizeof event);
  if constexpr (!std::is_empty_v<E>) std::memcpy(fact.bytes.data(), &event, sizeof event);
  return fact;
}

// Room for what one command may append: the writer of a log that nobody reads.
class StageWriter;

// Aggregates in the state that facts brought them to, and one decision upon it.
//   threads   one at a time
class DecisionStage {
 public:
  //   aggregates  the types that the engine would be opened with
  //   streams_max of each of them
  DecisionStage(std::span<const AggregateFormat* const> aggregates, std::uint32_t streams_max,
                std::uint32_t commit_bytes_max);
  DecisionStage(const DecisionStage&) = delete;
  DecisionStage& operator=(const DecisionStage&) = delete;
  ~DecisionStage();

  // Evolves a fact of one of the types.
  //   returns   false: streams_max reached
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
    OpenCommit commit(builder);
    commit.Begin(slot.key, store->Find(slot.key));
    Decision decision{.verdict = internal::Decide<A, C>(commit, CommandIn<C>(slot))};
    if (decision.verdict.is_accepted()) {
      decision.events = EventsOf(commit);
      EndCommand(commit);
    } else {
      commit.TakeBack();
    }
    return decision;
  }

  // The state of an aggregate; nullptr: nothing happened to it.
  template <class A>
  const typename A::State* Find(const Key& key) const noexcept {
    const StreamStore* store = StoreOf(AggregateTraitsOf<A>());
    const StreamSlot* slot = store == nullptr ? nullptr : store->Find(key);
    return slot == nullptr ? nullptr : &static_cast<const AggregateSlot<A>*>(slot)->state;
  }
  Version VersionOf(const AggregateTraits& aggregate, const Key& key) const noexcept;

 private:
  StreamStore* StoreOf(const AggregateTraits& aggregate) const noexcept;
  CommitBuilder& BeginCommand(StreamStore& store, std::uint64_t now_ns);
  std::vector<Fact> EventsOf(const OpenCommit& commit) const;
  void EndCommand(OpenCommit& commit) noexcept;

  const std::span<const AggregateFormat* const> aggregates_;
  const std::uint32_t commit_bytes_max_;
  std::vector<std::unique_ptr<StreamStore>> owned_stores_;
  std::vector<StreamStore*> stores_;  // in the order of aggregates_
  std::uint32_t next_stream_ = 1;
  std::uint64_t facts_ = 0;
  std::unique_ptr<CommitBuilder> builder_;
};

}  // namespace pawl::inline v0::testing
