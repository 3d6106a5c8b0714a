#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "pawl/aggregate.h"
#include "pawl/closed.h"
#include "pawl/left_right.h"
#include "pawl/log_reader.h"
#include "pawl/meta.h"
#include "pawl/outcome.h"
#include "pawl/projector_agent.h"
#include "pawl/upcast.h"

namespace pawl::inline v0 {

template <class P, class E>
concept Projects = requires(P& projection, const EventView<E>& event, const Meta& meta) {
  { projection.On(event, meta) }
  noexcept;
  requires std::is_void_v<decltype(projection.On(event, meta))> ||
      std::same_as<decltype(projection.On(event, meta)), Outcome>;
};

namespace internal {

// Hands an event, stored as V, to the projection as the newest version E.
//   failure   written if On failed
//   returns   false: it did, or the record holds no V
template <class P, class V, class E>
bool On(P& projection, const RecordHeader& record, const Meta& meta, Outcome& failure) noexcept {
  bool is_applied = true;
  const auto call = [&](const EventView<E>& event) noexcept {
    if constexpr (std::is_void_v<decltype(projection.On(event, meta))>) {
      projection.On(event, meta);
    } else if (const Outcome outcome = projection.On(event, meta); !outcome.ok()) [[unlikely]] {
      failure = outcome;
      is_applied = false;
    }
  };
  if constexpr (kIsClosed<V>) {
    call(E{});
    return is_applied;
  } else {
    if (!HasStoredBytes<V>(record)) [[unlikely]]
      return false;
    return SeeAs<V, E>(PayloadOf(record), call) && is_applied;
  }
}

// What a projector asks the log for: an event, or (version 0) the closings of a category.
template <class E>
struct Projected {
  static constexpr const EventDescriptor& Descriptor() noexcept { return DescriptorOf<E>(); }
};
template <class A>
struct Projected<Closed<A>> {
  static constexpr EventDescriptor kDescriptor{
      .name = A::kCategory, .version = 0, .layout_hash = 0, .layout_text = {}, .bytes = 0};
  static constexpr const EventDescriptor& Descriptor() noexcept { return kDescriptor; }
};

template <class P, class Stored>
struct StoredProjection;

template <class P, class... S>
struct StoredProjection<P, StoredList<S...>> {
  static constexpr std::size_t kStored = sizeof...(S);
  // Calls the On of the event with index `event` in the list; as internal::On().
  static bool Apply(std::uint16_t event, P& projection, const RecordHeader& record,
                    const Meta& meta, Outcome& failure) noexcept {
    bool is_applied = true;
    std::uint16_t index = 0;
    // A chain of comparisons, not a table of functions: every On is inlined into the fold.
    static_cast<void>(
        ((index++ == event && (is_applied = On<P, typename S::Stored, typename S::Seen>(
                                   projection, record, meta, failure),
                               true)) ||
         ...));
    return is_applied;
  }

  static inline const std::array<const EventDescriptor*, sizeof...(S)> kDescriptors{
      &Projected<typename S::Stored>::Descriptor()...};
};

template <class P, class Events>
struct ProjectionTypes;

template <class P, class... Es>
struct ProjectionTypes<P, Events<Es...>> : StoredProjection<P, StoredOf<Es...>> {
  static_assert((CheckOlder<Es>() && ...));
  static_assert((Projects<P, Es> && ...),
                "pawl: no void (or Outcome) On(const Event&, const Meta&) noexcept for an event in "
                "Events");
  static_assert(Events<Es...>::AreDistinct(),
                "pawl: two events in Events have the same name and version");
  static_assert(!Events<Es...>::AreDistinct() || StoredOf<Es...>::AreDistinct(),
                "pawl: an older version of an event in Events is listed too; list the newest");
  static_assert(HaveDistinctViews<Es...>(), "pawl: two events in Events have the same View");
};

}  // namespace internal

// Folds the log into two copies of P: the hidden one is brought up to the published mark, then
// shown; the other follows when no query is in it any more. Every event is applied once per copy.
// Each round takes a bounded number of frames; waiting for queries is a state, never a wait.
//   threads   DoWork, HasWork: the agent's; Read: any
template <class P>
class Projector final : public ProjectorAgent {
  using Types = internal::ProjectionTypes<P, typename P::Events>;
  static_assert(std::is_same_v<decltype(P::kVersion), const int>,
                "pawl: a projection has static constexpr int kVersion");

 public:
  explicit Projector(Engine& engine)
      : ProjectorAgent(engine, Types::kDescriptors),
        readers_{log().NewReader(), log().NewReader()} {}

  template <class F>
  auto Read(F&& f) const noexcept {
    return copies_.Read([&f](const Model& model) noexcept {
      if constexpr (std::is_invocable_v<F, const P&, Position>) {
        return std::forward<F>(f)(model.projection, model.position);
      } else {
        return std::forward<F>(f)(model.projection);
      }
    });
  }

  int DoWork() noexcept override { return Fold(nullptr); }
  int DoWorkUntil(const Deadline& deadline) noexcept override { return Fold(&deadline); }

  bool HasWork() noexcept override {
    // The copy shown is behind. (The hidden one catches up before the thread sleeps, unless a
    // query stays in it: then with the next frame.)
    return !is_stopped() && readers_[1 - hidden_].address() < log().published();
  }

 private:
  // A round. With a deadline: one frame, and more until it is over.
  int Fold(const Deadline* deadline) noexcept {
    if (is_stopped()) return 0;
    Model* model = copies_.TryBeginWrite();
    if (model == nullptr) return 0;  // a query is still in it
    LogReader& reader = readers_[hidden_];
    const Address limit = log().published();
    const Address shown = readers_[1 - hidden_].address();
    std::uint64_t oldest_ns = 0;  // of the frames that are not shown yet
    int frames = 0;
    while (frames < kTurnFramesMax && !is_stopped()) {
      const FrameHeader* frame = reader.NextFrame(limit);
      if (frame == nullptr) break;
      if (oldest_ns == 0 && reader.address() > shown) oldest_ns = frame->time_ns;
      Apply(*model, *frame);
      ++frames;
      if (deadline != nullptr && deadline->IsOver()) break;
    }
    // Also of the frame applied last: a copy with zeros in it is not shown.
    if (!reader.IsIntact() || !reader.status().ok()) {
      if (!is_stopped()) Stop(reader.status());
    }
    if (is_stopped() || reader.position() <= readers_[1 - hidden_].position()) return frames;
    model->position = reader.position();
    copies_.Flip();
    hidden_ = 1 - hidden_;
    Reached(model->position, oldest_ns);
    return frames;
  }

  // Frames applied between two looks at the queries: about 100 µs of work at 64 KiB a frame.
  static constexpr int kTurnFramesMax = 32;

  struct Model {
    P projection{};
    Position position;
  };

  void Apply(Model& model, const FrameHeader& frame) noexcept {
    ForEachRecord(frame, [&](const RecordView& record) {
      std::uint16_t event = kNotMine;
      if (record.header.kind == RecordKind::kEvent) [[likely]] {
        event = IndexOf(record.header);
      } else if (record.header.kind == RecordKind::kStreamClosed) {
        event = IndexOfClosing(record.header);
      } else {
        return Learn(record.header);
      }
      if (event >= Types::kStored) {  // a bound that the comparisons of Apply() know
        if (event == kNotListed) [[unlikely]]
          StopApplying(frame, record.header, event);
        return;
      }
      const Meta meta{.key = KeyOf(record.header),
                      .position = record.position,
                      .version = Version(record.header.version()),
                      .time_ns = frame.time_ns};
      if (!Types::Apply(event, model.projection, record.header, meta, failure_)) [[unlikely]]
        StopApplying(frame, record.header, event);
    });
  }

  // Looks for the record's position once more: where all goes well nobody has to count it.
  [[gnu::noinline]] void StopApplying(const FrameHeader& frame, const RecordHeader& at,
                                      std::uint16_t event) noexcept {
    // What is no event may be zeros of a file that was cut short: Fold() knows.
    if (failure_.ok() && !readers_[hidden_].IsIntact()) return PassOverEvents();
    ForEachRecord(frame, [&](const RecordView& record) {
      if (&record.header == &at) StopAt(record, event, failure_);
    });
  }

  LeftRight<Model> copies_;
  // The agent only.
  std::array<LogReader, 2> readers_;  // one for each copy
  std::size_t hidden_ = 1;
  Outcome failure_;  // of the On that failed
};

}  // namespace pawl::inline v0
