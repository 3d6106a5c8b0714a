#include "pawl/awaiting.h"

#include <bit>
#include <utility>

#include "pawl/check.h"
#include "producer_lane.h"

namespace pawl::inline v0 {

AwaitedCommand::~AwaitedCommand() {
  if (is_suspended()) producer_->Forget(*this);
}

bool AwaitedCommand::await_suspend(std::coroutine_handle<> coroutine) noexcept {
  PAWL_CHECK(state_ == State::kNew);  // awaited once
  coroutine_ = coroutine;
  return producer_->Begin(*this);
}

AwaitingProducer::AwaitingProducer(Producer producer)
    : producer_(std::move(producer)),
      place_mask_(std::bit_ceil(std::uint64_t{producer_.window()} + Producer::kCopiesMax) - 1) {
  PAWL_CHECK(producer_.in_flight() == 0);
  for (Level& level : levels_) {
    level.awaiting = std::make_unique<AwaitedCommand*[]>(place_mask_ + 1);
  }
}

AwaitingProducer::~AwaitingProducer() {
  PAWL_CHECK(!is_running_);
  while (first_ != nullptr) Forget(*first_);
  for (Level& level : levels_) {
    for (; level.answered != level.sent; ++level.answered) {
      AwaitedCommand* const command = PlaceOf(level, level.answered);
      if (command != nullptr) Forget(*command);
    }
  }
}

// Sends a new command, or makes it wait. False: neither.
bool AwaitingProducer::Begin(AwaitedCommand& command) noexcept {
  SendFault fault = refused_;
  const bool is_sent = first_ == nullptr && TrySend(command, fault);
  if (!is_sent) {
    const bool may_pass = EndsByPolling(fault) || PassesByItself(fault);
    if (!may_pass || !command.waits_for_room()) {
      command.EndUnsent(fault);
      return false;
    }
    refused_ = fault;
    Append(command);
  }
  ++suspended_;
  return true;
}

bool AwaitingProducer::TrySend(AwaitedCommand& command, SendFault& fault) noexcept {
  const Sent sent = command.send_(command, producer_);
  if (!sent) {
    fault = sent.fault();
    return false;
  }
  Level& level = LevelOf(command.options_.ack);
  command.place_ = level.sent++;
  command.state_ = AwaitedCommand::State::kSent;
  PAWL_CHECK(PlaceOf(level, command.place_) == nullptr);
  PlaceOf(level, command.place_) = &command;
  return true;
}

std::size_t AwaitingProducer::Run(std::size_t completions_max) noexcept {
  if (is_running_) return 0;
  is_running_ = true;
  const std::size_t taken = producer_.PollCopies(
      [this](const CompletionRange& range) noexcept {
        for (std::uint32_t i = 0; i < range.count(); ++i) Answer(range.asked(), range[i]);
      },
      completions_max);
  const std::size_t unsent = SendWaiting();
  is_running_ = false;
  return taken + unsent;
}

void AwaitingProducer::Answer(Ack asked, const Completion& completion) noexcept {
  Level& level = LevelOf(asked);
  AwaitedCommand* const command = std::exchange(PlaceOf(level, level.answered), nullptr);
  ++level.answered;
  if (command == nullptr) return;
  command->state_ = AwaitedCommand::State::kDone;
  command->completion_ = completion;
  --suspended_;
  command->coroutine_.resume();  // which may end the command, and any other
}

// Sends for those that wait, in their order, as far as there is room; resumes those for which there
// will never be any. No more than wait now: who is resumed may call again.
std::size_t AwaitingProducer::SendWaiting() noexcept {
  std::size_t resumed = 0;
  for (std::size_t left = waiting_; left != 0 && first_ != nullptr; --left) {
    AwaitedCommand& command = *first_;
    SendFault fault = SendFault::kNone;
    if (TrySend(command, fault)) {
      Unlink(command);
      continue;
    }
    const bool may_pass = EndsByPolling(fault) || PassesByItself(fault);
    // A mistake of this command alone says nothing of the others.
    if (may_pass || fault == SendFault::kUnavailable) refused_ = fault;
    if (may_pass) break;
    Unlink(command);
    command.EndUnsent(fault);
    --suspended_;
    ++resumed;
    command.coroutine_.resume();  // which may end the command, and any other
  }
  return resumed;
}

void AwaitingProducer::Append(AwaitedCommand& command) noexcept {
  command.state_ = AwaitedCommand::State::kWaiting;
  command.previous_ = last_;
  (last_ == nullptr ? first_ : last_->next_) = &command;
  last_ = &command;
  ++waiting_;
}

void AwaitingProducer::Unlink(AwaitedCommand& command) noexcept {
  (command.previous_ == nullptr ? first_ : command.previous_->next_) = command.next_;
  (command.next_ == nullptr ? last_ : command.next_->previous_) = command.previous_;
  command.previous_ = command.next_ = nullptr;
  --waiting_;
}

// The end of a command while it is suspended: its answer, if one comes, is dropped.
void AwaitingProducer::Forget(AwaitedCommand& command) noexcept {
  if (command.state_ == AwaitedCommand::State::kWaiting) {
    Unlink(command);
  } else {
    PlaceOf(LevelOf(command.options_.ack), command.place_) = nullptr;
  }
  command.state_ = AwaitedCommand::State::kDone;
  --suspended_;
}

}  // namespace pawl::inline v0
