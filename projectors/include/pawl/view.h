#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "pawl/engine.h"
#include "pawl/position.h"
#include "pawl/projector.h"
#include "pawl/receipt.h"

// The read side. A projection is a struct with
//   using Events = pawl::Events<…>;  static constexpr int kVersion;
//   void On(const Event&, const Meta&) noexcept;      one per event; or returning pawl::Outcome
// An On that is missing, misspelt or not noexcept does not compile. Of an event that changed,
// Events lists the newest version (pawl/upcast.h); of one with a codec On gets the View
// (pawl/codec.h).
namespace pawl::inline v0 {

// Asks a query to see at least what a receipt says, and how long it may wait for that.
struct AtLeast {
  AtLeast(const Receipt& receipt, std::chrono::nanoseconds wait) noexcept
      : position(receipt.position), timeout(wait) {}
  AtLeast(Position at, std::chrono::nanoseconds wait) noexcept : position(at), timeout(wait) {}

  Position position;
  std::chrono::nanoseconds timeout;
};

struct ProjectOptions {
  int core = -1;  // pins the projector's thread; −1: not pinned
  // Projectors that name the same thread share it; see AgentThread.
  std::string_view thread{};
};

// The read model that a projector publishes: two copies of P, one shown, one being updated. A query
// sees the state after some whole frame, never a part of one.
//   threads   any; queries are wait-free but AtLeast, which waits
//   lifetime  ends before its engine; ends its projector
template <class P>
class View {
 public:
  View(View&&) noexcept = default;
  View& operator=(View&&) noexcept = default;
  ~View() {
    if (projector_ != nullptr) engine_->Detach(projector_.get());
  }

  // f(const P&) or f(const P&, Position), which must return a value: nothing of P may leave it.
  // A query that stays long delays this view, and nobody else.
  template <class F>
  auto Read(F&& f) const noexcept {
    return projector_->Read(std::forward<F>(f));
  }

  // The same, on a state that has seen `least`.
  //   errors    DEADLINE_EXCEEDED the view did not come so far in time; UNAVAILABLE the engine
  //             stopped before it did; or why the view stopped
  template <class F>
  auto Read(const AtLeast& least, F&& f) const
      -> absl::StatusOr<decltype(std::declval<const View&>().Read(std::forward<F>(f)))> {
    if (absl::Status waited = projector_->WaitUntil(*engine_, least.position, least.timeout);
        !waited.ok()) {
      return waited;
    }
    return Read(std::forward<F>(f));
  }

  // Of the newest record that queries see.
  Position position() const noexcept { return projector_->position(); }
  // Ok, or why the projector stopped: the event, its position and the reason.
  absl::Status status() const { return projector_->status(); }

 private:
  template <class Q>
  friend absl::StatusOr<View<Q>> Project(Engine& engine, const ProjectOptions& options);

  View(Engine& engine, std::shared_ptr<Projector<P>> projector) noexcept
      : engine_(&engine), projector_(std::move(projector)) {}

  Engine* engine_;
  std::shared_ptr<Projector<P>> projector_;
};

// Starts a projector that folds the log from its first record on and keeps up with it.
//   errors    as Engine::Attach(). That an event's layout differs from the log's is found where the
//             log has it: View::status(), and queries with AtLeast
template <class P>
absl::StatusOr<View<P>> Project(Engine& engine, const ProjectOptions& options = {}) {
  auto projector = std::make_shared<Projector<P>>(engine);
  if (absl::Status attached =
          engine.Attach(projector, {.name = options.thread, .core = options.core});
      !attached.ok()) {
    return attached;
  }
  return View<P>(engine, std::move(projector));
}

}  // namespace pawl::inline v0
