#include "producer_lane.h"

#include <algorithm>
#include <bit>

#include "pawl/parking.h"

namespace pawl::inline v0 {

ProducerLane::ProducerLane(const Setup& setup)
    : ring(std::bit_ceil(std::size_t{setup.window})),
      engine_(setup.engine),
      queue_(setup.queue),
      admission_(setup.admission),
      loop_bell_(setup.loop_bell),
      stores_(setup.stores),
      index_(setup.index),
      window_(setup.window),
      token_(setup.queue->NewToken()),
      staged_(std::min(setup.window, kStagedMax)) {}

void ProducerLane::BeginUse(std::uint32_t session, std::uint32_t generation,
                            Sequence last) noexcept {
  // The one before may have ended with answers that it did not poll.
  while (ring.Poll([](const PackedCompletion&) {}, ring.size()) != 0) {
  }
  sent_ = 0;
  polled_ = 0;
  session_ = session;
  generation_ = generation;
  last_sequence_ = last;
}

std::uint16_t ProducerLane::StoreIndex(TypeTag aggregate) const noexcept {
  for (std::size_t i = 0; i < stores_.size(); ++i) {
    if (stores_[i]->traits().tag == aggregate) return static_cast<std::uint16_t>(i);
  }
  return 0xFFFF;
}

SendFault ProducerLane::Admit() noexcept {
  if (in_flight() >= window_) return SendFault::kWindowFull;
  return admission_->Current();
}

void ProducerLane::BeginSending() noexcept {
  // Relaxed: ordered before the look at `admission_` by the barrier pair, whose heavy half is in
  // Engine::Stop(): either Stop() sees this, or we see that the engine is closed.
  is_sending_.store(true, std::memory_order_relaxed);
  KernelParking::LightBarrier();
}

bool ProducerLane::Enqueue(std::span<const CommandSlot> slots, SendFault& fault) noexcept {
  BeginSending();
  fault = admission_->Current();
  const bool is_sent = fault == SendFault::kNone && queue_->TryEnqueue(*token_, slots);
  EndSending();
  if (is_sent) {
    sent_ += slots.size();
    loop_bell_->Ring();
  } else if (fault == SendFault::kNone) {
    fault = SendFault::kQueueFull;
  }
  return is_sent;
}

Sent ProducerLane::Send(CommandSlot& slot, Sequence resend) noexcept {
  SendFault fault = Admit();
  if (fault != SendFault::kNone) return Sent(fault);
  const bool is_resend = resend != Sequence();
  if (is_resend && (session_ == 0 || resend > last_sequence_)) return Sent(SendFault::kBadSequence);
  slot.sequence = is_resend ? resend : last_sequence_.Next();
  slot.producer = index_;
  if (!Enqueue(std::span(&slot, 1), fault)) return Sent(fault);
  if (!is_resend) last_sequence_ = slot.sequence;
  return Sent(slot.sequence);
}

std::span<CommandSlot> ProducerLane::Stage(std::uint32_t wanted, SendFault& fault) noexcept {
  fault = Admit();
  if (fault != SendFault::kNone) return {};
  const std::uint32_t room =
      std::min(window_ - in_flight(), static_cast<std::uint32_t>(staged_.size()));
  return std::span(staged_).first(std::min(wanted, room));
}

void ProducerLane::SendStaged(std::uint32_t count, SentBatch& sent) noexcept {
  if (count == 0) return;
  for (std::uint32_t i = 0; i < count; ++i) {
    staged_[i].sequence = last_sequence_.Plus(i + 1);
    staged_[i].producer = index_;
  }
  SendFault fault = SendFault::kNone;
  if (!Enqueue(std::span(staged_).first(count), fault)) {
    sent.fault = fault;
    return;
  }
  if (sent.count == 0) sent.first = last_sequence_.Next();
  last_sequence_ = last_sequence_.Plus(count);
  sent.count += count;
}

namespace {

Completion Unpack(const PackedCompletion& packed) noexcept {
  return {.sequence = Sequence(packed.sequence),
          .verdict = packed.verdict(),
          .receipt = {.position = Position(packed.position),
                      .version = packed.version(),
                      .epoch = packed.epoch(),
                      .level = packed.level(),
                      .is_duplicate = packed.is_duplicate()}};
}

}  // namespace

std::size_t ProducerLane::Take(std::span<Completion> into) noexcept {
  std::size_t count = 0;
  polled_ += ring.Poll(
      [&](const PackedCompletion& packed) {
        if (!packed.is_taken()) into[count++] = Unpack(packed);
      },
      into.size());
  return count;
}

bool ProducerLane::TakeOutOfTurn(Sequence sequence, Completion& into) noexcept {
  for (std::size_t ahead = 0;; ++ahead) {
    PackedCompletion* packed = ring.Peek(ahead);
    if (packed == nullptr) return false;
    if (packed->sequence != sequence.value() || packed->is_taken()) continue;
    into = Unpack(*packed);
    packed->rest |= PackedCompletion::kTaken;
    // At the head it needs not wait for a Poll() to give its credit back.
    if (ahead == 0) polled_ += ring.Poll([](const PackedCompletion&) {}, 1);
    return true;
  }
}

}  // namespace pawl::inline v0
