#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "pawl/codec.h"
#include "pawl/event.h"
#include "pawl/format.h"

// Events that changed: the log keeps each as it was written, handlers see the newest version only.
//
//   struct DepositedV1 {                               // as old logs hold it: never changed again
//     static constexpr pawl::EventType kType{"bank.deposited", 1};
//     std::int64_t cents;
//   };
//   struct Deposited {
//     static constexpr pawl::EventType kType{"bank.deposited", 2};
//     using Older = DepositedV1;
//     std::int64_t cents;
//     Currency currency;
//   };
//   Deposited Upcast(const DepositedV1& e) noexcept { return {e.cents, Currency::kEuro}; }
//
// Upcast is found beside the event by argument-dependent lookup, and is pure like Evolve. Versions
// form a chain without gaps, 3 to 2 to 1; the first one has no Older. Aggregates, projections and
// readers list the newest version alone, and only that one is emitted. Of an event with a codec
// Upcast takes and returns the View.
namespace pawl::inline v0 {

// E names the version before it.
template <class E>
concept HasOlder = requires {
  typename E::Older;
};

// There is an Upcast from the version before E.
template <class E>
concept UpcastsOlder = HasOlder<E> && requires(const EventView<typename E::Older>& older) {
  { Upcast(older) }
  noexcept->std::same_as<EventView<E>>;
};

namespace internal {

template <class E>
consteval bool OlderHasName() {
  if constexpr (HasEventType<E> && HasEventType<typename E::Older>) {
    return E::Older::kType.name() == E::kType.name();
  } else {
    return false;
  }
}

// Versions go down by one, so that a chain ends and has no gap.
template <class E>
consteval bool OlderIsNext() {
  if constexpr (HasEventType<E> && HasEventType<typename E::Older>) {
    return E::Older::kType.version() + 1 == E::kType.version();
  } else {
    return false;
  }
}

// Does not compile unless the versions before E are events and lead to it.
template <class E>
consteval bool CheckOlder() {
  if constexpr (HasOlder<E>) {
    using Older = typename E::Older;
    [[maybe_unused]] constexpr RequireEvent<Older> kRules{};
    static_assert(OlderHasName<E>(), "pawl: an event's Older has another name in its kType");
    static_assert(OlderIsNext<E>(),
                  "pawl: an event's Older must have the version before the event's in its kType");
    static_assert(UpcastsOlder<E>,
                  "pawl: no Event Upcast(const Older&) noexcept for an event that has an Older");
    if constexpr (OlderIsNext<E>()) return CheckOlder<Older>();
  }
  return true;
}

// nullptr: what is listed is no event.
template <class E>
consteval const EventType* EventTypeOf() {
  if constexpr (HasEventType<E>) {
    return &E::kType;
  } else {
    return nullptr;
  }
}

// False: two of them have one name and version, and the log could not tell which is which.
template <class... Es>
consteval bool AreDistinctTypes() {
  const std::array<const EventType*, sizeof...(Es)> types{EventTypeOf<Es>()...};
  for (std::size_t i = 0; i < types.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (types[i] != nullptr && types[j] != nullptr && *types[i] == *types[j]) return false;
    }
  }
  return true;
}

// An event as a log may hold it, and the newest version of it: what handlers see.
template <class V, class E>
struct StoredAs {
  using Stored = V;
  using Seen = E;
};

template <class... S>
struct StoredList {
  static constexpr std::size_t kSize = sizeof...(S);
  template <class V>
  static constexpr bool kHas = (std::same_as<V, typename S::Stored> || ...);
  // Index of what is stored as a V.
  template <class V>
  static consteval std::uint32_t IndexOf() {
    std::uint32_t index = 0;
    static_cast<void>(((std::same_as<V, typename S::Stored> ? true : (++index, false)) || ...));
    return index;
  }
  // As AreDistinctTypes().
  static consteval bool AreDistinct() { return AreDistinctTypes<typename S::Stored...>(); }
};

template <class... Lists>
struct Joined;
template <class... S>
struct Joined<StoredList<S...>> {
  using type = StoredList<S...>;
};
template <class... S, class... T, class... Lists>
struct Joined<StoredList<S...>, StoredList<T...>, Lists...> {
  using type = typename Joined<StoredList<S..., T...>, Lists...>::type;
};

// The versions before V, all seen as E; the newer one first.
template <class V, class E>
struct OlderThan {
  using type = StoredList<>;
};
template <class V, class E>
requires HasOlder<V> &&(OlderIsNext<V>()) struct OlderThan<V, E> {
  using type = typename Joined<StoredList<StoredAs<typename V::Older, E>>,
                               typename OlderThan<typename V::Older, E>::type>::type;
};

template <class... Es>
using OlderOf = typename Joined<StoredList<>, typename OlderThan<Es, Es>::type...>::type;

// Everything that a log may hold of a list of events: they themselves in their order, then the
// versions before each.
template <class... Es>
using StoredOf =
    typename Joined<StoredList<StoredAs<Es, Es>...>, typename OlderThan<Es, Es>::type...>::type;

// False: two of the events look alike to a handler.
template <class... Es>
consteval bool HaveDistinctViews() {
  std::size_t alike = 0;
  const auto count = [&alike]<class View>(std::type_identity<View>) {
    alike += (0U + ... + (std::same_as<View, EventView<Es>> ? 1U : 0U));
  };
  (count(std::type_identity<EventView<Es>>{}), ...);
  return alike == sizeof...(Es);
}

// The bytes of an event, stored as V, that stands behind its record header.
template <class V>
std::span<const std::byte> StoredBytes(const std::byte* event) noexcept {
  if constexpr (HasCodec<V>) {
    return {event, reinterpret_cast<const RecordHeader*>(event)[-1].payload_bytes()};
  } else {
    return {event, kEventBytes<V>};
  }
}

// The record of an event stored as V has payload_bytes() as it must. Asked for each event of a
// view: one comparison of the header's first word without its kind and own flag.
template <class V>
bool HasStoredBytes(const RecordHeader& header) noexcept {
  if constexpr (HasCodec<V>) {
    return true;
  } else {
    constexpr std::uint32_t kUnits = (sizeof(RecordHeader) + kEventBytes<V> + 7) / 8;
    constexpr std::uint32_t kPadding = kUnits * 8 - sizeof(RecordHeader) - kEventBytes<V>;
    constexpr std::uint32_t kMask = 0xFFFFU | std::uint32_t{kRecordPaddingMask} << 24;
    std::uint32_t word = 0;
    std::memcpy(&word, &header, sizeof word);
    return (word & kMask) == (kUnits | kPadding << 24);
  }
}

// Calls see(const EventView<E>&) with the event that stands behind its record header, stored as V,
// which is E or a version before it. Without a codec it has the bytes of a V.
//   returns   false: its codec does not decode it, and nothing was called
template <class V, class E, class See>
bool SeeAs(const std::byte* event, See&& see) noexcept {
  if constexpr (!std::same_as<V, E>) {
    using Older = typename E::Older;
    return SeeAs<V, Older>(event,
                           [&see](const EventView<Older>& older) noexcept { see(Upcast(older)); });
  } else if constexpr (HasCodec<E>) {
    EventView<E> view{};
    if (!Codec<E>::Decode(StoredBytes<E>(event), view)) return false;
    see(static_cast<const EventView<E>&>(view));
    return true;
  } else if constexpr (kEventBytes<E> == 0) {
    see(E{});
    return true;
  } else {
    see(*reinterpret_cast<const E*>(event));
    return true;
  }
}

}  // namespace internal

}  // namespace pawl::inline v0
