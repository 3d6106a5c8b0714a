#pragma once

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <absl/status/statusor.h>

#include "pawl/key.h"
#include "pawl/producer.h"
#include "pawl/receipt.h"

namespace pawl::inline v0 {

class AwaitingProducer;

// A command whose completion a coroutine awaits: what AwaitingProducer::Call() gives to `co_await`,
// whose temporary it is in the coroutine's frame. Ends with the coroutine if that is destroyed
// while it is suspended: a command that was sent is executed all the same, its completion is
// dropped.
class [[nodiscard]] AwaitedCommand {
 public:
  AwaitedCommand(const AwaitedCommand&) = delete;
  AwaitedCommand& operator=(const AwaitedCommand&) = delete;

  bool await_ready() const noexcept { return false; }
  // Sends the command, or queues it behind those that wait for room.
  //   returns   false: it cannot be sent, the coroutine goes on at once
  bool await_suspend(std::coroutine_handle<> coroutine) noexcept;
  Completion await_resume() const noexcept { return completion_; }

 protected:
  using SendFunction = Sent (*)(const AwaitedCommand&, Producer&) noexcept;

  AwaitedCommand(AwaitingProducer& producer, SendFunction send,
                 const SubmitOptions& options) noexcept
      : options_(options), send_(send), producer_(&producer) {}
  ~AwaitedCommand();

  // As the caller's, but for when_full: sending never blocks the thread.
  SubmitOptions options() const noexcept {
    SubmitOptions options = options_;
    options.when_full = WhenFull::kFail;
    return options;
  }

 private:
  friend class AwaitingProducer;
  enum class State : std::uint8_t { kNew, kWaiting, kSent, kDone };

  bool is_suspended() const noexcept { return state_ == State::kWaiting || state_ == State::kSent; }
  bool waits_for_room() const noexcept { return options_.when_full != WhenFull::kFail; }
  void EndUnsent(SendFault fault) noexcept {
    state_ = State::kDone;
    completion_.verdict = Verdict(VerdictKind::kNotSent, static_cast<std::uint16_t>(fault));
  }

  const SubmitOptions options_;
  const SendFunction send_;
  State state_ = State::kNew;
  AwaitingProducer* const producer_;  // lives while this is suspended
  std::coroutine_handle<> coroutine_;
  Completion completion_;
  std::uint64_t place_ = 0;             // of kSent: its answer's number among those of its level
  AwaitedCommand* previous_ = nullptr;  // of kWaiting
  AwaitedCommand* next_ = nullptr;
};

template <class A, class C>
class [[nodiscard]] AwaitedCall final : public AwaitedCommand {
 public:
  AwaitedCall(AwaitingProducer& producer, const Key& key, const C& command,
              const SubmitOptions& options) noexcept
      : AwaitedCommand(producer, &SendCall, options), key_(key), command_(command) {}

 private:
  static Sent SendCall(const AwaitedCommand& awaited, Producer& producer) noexcept {
    const auto& call = static_cast<const AwaitedCall&>(awaited);
    return producer.Submit<A>(call.key_, call.command_, call.options());
  }

  const Key key_;
  const C command_;
};

// A producer whose completions are awaited by coroutines: as many at once as its window holds, the
// others wait in line. Coroutines are resumed by Run(), on the thread that calls it, never by the
// engine's threads; what Run() does between two resumptions is lock-free.
//
//   Task Pay(pawl::AwaitingProducer& teller, pawl::Key key) {
//     const pawl::Completion paid = co_await teller.Call<Account>(key, Withdraw{500});
//     if (paid.verdict.is_accepted()) …                    // or pawl::ResultOf(paid)
//   }
//
// Back-pressure: a call that finds no room suspends until there is some, first come, first sent,
// without busy loop; who waits stands in a list through the coroutines' frames. With `.when_full =
// kFail` it ends at once with VerdictKind::kNotSent. The thread is never blocked: kSpin and kPark
// suspend too.
// Stop and failure of the engine: Run() resumes everybody, with kAccepted, kUnavailable or kUnknown
// as the answers say, with kNotSent (SendFault::kUnavailable) who was not sent yet.
// Nothing allocates but the constructor; the frames are the coroutines'. Task types are the
// application's: any coroutine may await.
//   threads   one at a time, with all its coroutines; may be handed to another thread between calls
//   lifetime  ends before its engine, and outside of Run(). Coroutines still suspended then are not
//             resumed any more; they may be destroyed before or after it
class AwaitingProducer {
 public:
  //   producer  with nothing under way, whose answers would be taken for those awaited: checked
  explicit AwaitingProducer(Producer producer);
  AwaitingProducer(const AwaitingProducer&) = delete;
  AwaitingProducer& operator=(const AwaitingProducer&) = delete;
  ~AwaitingProducer();

  // `co_await Call<A>(key, command)` sends the command and gives its Completion. Its verdict is
  // also VerdictKind::kNotSent if it could not be sent: a mistake of the caller, the end of the
  // engine.
  template <class A, class C>
  AwaitedCall<A, C> Call(const Key& key, const C& command,
                         const SubmitOptions& options = {}) noexcept {
    return AwaitedCall<A, C>(*this, key, command, options);
  }

  // Resumes the coroutines whose completions arrived, in order per ack level, then sends for those
  // that wait for room. Ends although they call again: it takes no more than was under way. Within
  // a coroutine that it resumed it does nothing.
  //   returns   completions taken and coroutines resumed without one; 0: there was nothing to do
  std::size_t Run(std::size_t completions_max = SIZE_MAX) noexcept;
  // Sleeps until Run() may have something to do, or for `timeout`. Host-driven: runs the engine.
  void Wait(std::chrono::nanoseconds timeout) noexcept { producer_.Wait(timeout); }

  // See Producer. Sleep only after Run() had nothing to do.
  absl::StatusOr<int> EventFd() { return producer_.EventFd(); }
  bool ArmEventFd() noexcept { return producer_.ArmEventFd(); }

  // Coroutines that await a completion, and those of them that wait for room.
  std::size_t suspended() const noexcept { return suspended_; }
  std::size_t waiting() const noexcept { return waiting_; }
  // Commands under way: sent, their completion not yet taken by Run().
  std::uint32_t in_flight() const noexcept { return producer_.in_flight(); }
  std::uint32_t window() const noexcept { return producer_.window(); }
  Sequence last_sequence() const noexcept { return producer_.last_sequence(); }
  std::uint32_t generation() const noexcept { return producer_.generation(); }

 private:
  friend class AwaitedCommand;

  // Who awaits the answers of one level, which come in the order of sending: the n-th at n modulo
  // the places, which are as many as the window and one portion of Run(), whose credits are back
  // before its coroutines are resumed. nullptr: the coroutine was destroyed.
  struct Level {
    std::unique_ptr<AwaitedCommand*[]> awaiting;
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
  };

  Level& LevelOf(Ack asked) noexcept { return levels_[asked == Ack::kPublished ? 0 : 1]; }
  AwaitedCommand*& PlaceOf(Level& level, std::uint64_t number) const noexcept {
    return level.awaiting[number & place_mask_];
  }
  bool Begin(AwaitedCommand& command) noexcept;
  bool TrySend(AwaitedCommand& command, SendFault& fault) noexcept;
  std::size_t SendWaiting() noexcept;
  void Answer(Ack asked, const Completion& completion) noexcept;
  void Append(AwaitedCommand& command) noexcept;
  void Unlink(AwaitedCommand& command) noexcept;
  void Forget(AwaitedCommand& command) noexcept;

  Producer producer_;
  const std::uint64_t place_mask_;
  std::array<Level, 2> levels_;
  AwaitedCommand* first_ = nullptr;  // of those that wait for room
  AwaitedCommand* last_ = nullptr;
  SendFault refused_ = SendFault::kNone;  // why the first of them waits
  std::size_t waiting_ = 0;
  std::size_t suspended_ = 0;
  bool is_running_ = false;
};

}  // namespace pawl::inline v0
