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
  std::uint32_t index = 0;           // of what it is stored as in the list
  const std::byte* bytes = nullptr;  // behind its record header
  Meta meta{};
};

// The event types that a reader of typed events knows: those of its list in their order, then the
// versions before each.
//   threads   any; constant
class EventTypes {
 public:
  struct Type {
    std::uint16_t number;  // in the log; 0: the log has none
    const EventDescriptor* descriptor;
  };

  explicit EventTypes(std::vector<Type> types);

  const std::vector<Type>& types() const noexcept { return types_; }
  // Sees `record`, an event of the aggregate `key`, as an event of its type.
  //   errors    DATA_LOSS it is of a type that is not in the list, or of a wrong size
  absl::Status Take(const RecordView& record, const Key& key, TypedEvent& into) const;
  // What to say of an event that was taken and that its codec does not decode: DATA_LOSS.
  absl::Status NotDecoded(const TypedEvent& event) const;

 private:
  std::vector<Type> types_;
  std::vector<std::uint32_t> index_by_number_;
};

struct ReadOptions {
  // Events that did not reach it yet are not read. What leaves the process reads kDurable.
  Ack level = Ack::kPublished;
};

// V can be called with an event of type E, or its View, and its Meta.
template <class V, class E>
concept VisitsEvent = std::is_nothrow_invocable_v < V&,
        const EventView<E>
&, const Meta& > ;

namespace internal {

template <class V, class E, class Visitor>
bool VisitAs(const TypedEvent& event, Visitor& visitor) noexcept {
  static_assert(VisitsEvent<Visitor, E>,
                "pawl: the visitor cannot be called with (const Event&, const Meta&) noexcept for "
                "an event that it may get");
  return SeeAs<V, E>(event.bytes, [&](const EventView<E>& seen) noexcept {
    static_cast<void>(visitor(seen, event.meta));
  });
}

template <class Stored>
struct StoredVisit;

// Calls a visitor with an event as the newest version of the type that its index names.
template <class... S>
struct StoredVisit<StoredList<S...>> {
  //   returns   false: the event's codec does not decode it
  template <class Visitor>
  static bool Call(const TypedEvent& event, Visitor& visitor) noexcept {
    std::uint32_t index = 0;
    bool is_decoded = true;
    static_cast<void>(
        ((index++ == event.index &&
          (is_decoded = VisitAs<typename S::Stored, typename S::Seen>(event, visitor), true)) ||
         ...));
    return is_decoded;
  }
};

template <class Events>
using EventVisit = StoredVisit<typename StoredIn<Events>::type>;

}  // namespace internal

}  // namespace pawl::inline v0
