#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <absl/status/status.h>

#include "pawl/aggregate.h"
#include "pawl/log_reader.h"
#include "pawl/meta.h"

namespace pawl::inline v0 {

// An event of the log, in place, as the types of a list see it.
struct TypedEvent {
  std::uint32_t index = 0;  // of its type in the list
  const std::byte* bytes = nullptr;
  Meta meta{};
};

// The event types that a reader of typed events knows, in the order of their list.
//   threads   any; constant
class EventTypes {
 public:
  struct Type {
    std::uint16_t number;  // in the log
    std::uint32_t bytes;   // of one event
  };

  explicit EventTypes(std::vector<Type> types) : types_(std::move(types)) {}

  const std::vector<Type>& types() const noexcept { return types_; }
  // Sees `record`, an event of the aggregate `key`, as an event of its type.
  //   errors    DATA_LOSS it is of a type that is not in the list, or of a wrong size
  absl::Status Take(const RecordView& record, const Key& key, TypedEvent& into) const;

 private:
  std::vector<Type> types_;
};

struct ReadOptions {
  // Events that did not reach it yet are not read. What leaves the process reads kDurable.
  Ack level = Ack::kPublished;
};

// V can be called with an event of type E and its Meta.
template <class V, class E>
concept VisitsEvent = std::is_nothrow_invocable_v<V&, const E&, const Meta&>;

namespace internal {

template <class E, class V>
void VisitAs(const TypedEvent& event, V& visitor) noexcept {
  static_assert(VisitsEvent<V, E>,
                "pawl: the visitor cannot be called with (const Event&, const Meta&) noexcept for "
                "an event that it may get");
  if constexpr (kEventBytes<E> == 0) {
    visitor(E{}, event.meta);
  } else {
    visitor(*reinterpret_cast<const E*>(event.bytes), event.meta);
  }
}

template <class Events>
struct EventVisit;

// Calls a visitor with an event as the type that its index names.
template <class... Es>
struct EventVisit<Events<Es...>> {
  template <class V>
  static void Call(const TypedEvent& event, V& visitor) noexcept {
    std::uint32_t index = 0;
    static_cast<void>(((index++ == event.index && (VisitAs<Es>(event, visitor), true)) || ...));
  }
};

}  // namespace internal

}  // namespace pawl::inline v0
