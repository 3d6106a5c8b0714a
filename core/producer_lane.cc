#include "producer_lane.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "pawl/parking.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pawl::inline v0 {

namespace {

std::uint64_t HashOn(std::uint64_t before, std::string_view text) noexcept {
  return XXH3_64bits_withSeed(text.data(), text.size(), before);
}

// What a command is, apart from who sends it and when. By names: the compiler, and the order of the
// aggregate's list but for commands of one name, may change while a key is remembered.
std::uint64_t HashOfBody(const AggregateTraits& aggregate, const CommandSlot& slot,
                         std::span<const std::byte> command) noexcept {
  const std::uint64_t category = HashOn(0, aggregate.category);
  const CommandLabel& label = aggregate.labels[slot.command_index()];
  const std::uint64_t type = HashOn(category + label.before, label.name);
  const std::uint64_t key = XXH3_64bits_withSeed(&slot.key, sizeof slot.key, type);
  return XXH3_64bits_withSeed(command.data(), command.size(), key);
}

}  // namespace

ProducerLane::ProducerLane(const Setup& setup)
    : commands(setup.window, setup.slots),
      answers(setup.window),
      receipts{WindowRing<PackedReceipt>(setup.window), WindowRing<PackedReceipt>(setup.window)},
      engine_(setup.engine),
      queues_(setup.queues),
      admission_(setup.admission),
      loop_bell_(setup.loop_bell),
      clock_(setup.clock),
      words_(setup.words),
      stores_(setup.stores),
      index_(setup.index),
      window_(setup.window),
      command_bytes_max_(setup.command_bytes_max),
      batch_(std::make_unique<CommandSlot[]>(BatchOf(setup.window))),
      parcels_(setup.parcel_bytes, setup.parcels) {}

ProducerLane::~ProducerLane() {
  if (bell.event_fd() >= 0) ::close(bell.event_fd());
}

void ProducerLane::BeginUse(const Use& use) noexcept {
  // The one before may have ended with answers that it did not poll.
  while (answers.Poll([](const AnswerRange&) {}, answers.size()) != 0) {
  }
  sent_ = 0;
  polled_ = 0;
  read_ = {};
  taken_ahead_ = 0;
  held_ = 0;
  parcels_.Clear();
  refused_ = SendFault::kNone;
  session_ = use.session;
  session_lane_ = use.session_lane;
  generation_ = use.generation;
  last_sequence_ = use.last;
}

bool ProducerLane::PrepareToSend() noexcept {
  const auto way = static_cast<std::size_t>(session_lane_);
  queue_ = &queues_[way];
  if (tokens_[way] == nullptr) tokens_[way] = queue_->NewToken();
  token_ = tokens_[way].get();
  return token_ != nullptr;
}

std::uint16_t ProducerLane::StoreIndex(TypeTag aggregate) const noexcept {
  for (std::size_t i = 0; i < stores_.size(); ++i) {
    if (stores_[i]->traits().tag == aggregate) return static_cast<std::uint16_t>(i);
  }
  return kNoStore;
}

SendFault ProducerLane::Admit() noexcept {
  // The engine's reason first: under it a full window may hold commands that no poll gives back.
  const SendFault fault = admission_->Current();
  if (fault != SendFault::kNone) return Refuse(fault);
  return in_flight() >= window_ ? Refuse(SendFault::kWindowFull) : fault;
}

bool ProducerLane::MayBeOver(SendFault fault) noexcept {
  if (EndsByPolling(fault) && HasAnswer()) return true;
  const SendFault now = admission_->Current();
  if (now == SendFault::kUnavailable) return true;
  return !EndsByPolling(fault) && now == SendFault::kNone;
}

void ProducerLane::BeginSending() noexcept {
  // Relaxed: ordered before the look at `admission_` by the barrier pair, whose heavy half is in
  // Engine::Stop(): either Stop() sees this, or we see that the engine is closed.
  is_sending_.store(true, std::memory_order_relaxed);
  KernelParking::LightBarrier();
}

SendFault ProducerLane::TryEnqueue(std::uint32_t count) noexcept {
  BeginSending();
  SendFault fault = admission_->Current();
  if (fault == SendFault::kNone &&
      !queue_->TryEnqueue(*token_, {index_, static_cast<std::uint16_t>(count)})) {
    fault = SendFault::kQueueFull;
  }
  EndSending();
  return fault;
}

SendFault ProducerLane::Enqueue(std::uint32_t count) noexcept {
  const bool is_timed = wait.is_asked();
  if (is_timed) [[unlikely]]
    wait.Put(sent_, clock_->BootNs());
  const SendFault fault = TryEnqueue(count);
  if (fault != SendFault::kNone) [[unlikely]] {
    if (is_timed) wait.TakeBack();
    return Refuse(fault);
  }
  refused_ = fault;
  sent_ += count;
  parcels_.SetSent();
  AddTo(words_->sent, count);
  loop_bell_->Ring();
  return fault;
}

SendFault ProducerLane::CountRefusal(SendFault fault) noexcept {
  const std::size_t row = static_cast<std::size_t>(fault) - 1;
  if (row < words_->refusals.size()) AddTo(words_->refusals[row], 1);
  return fault;
}

StagedCommands ProducerLane::StageIn(std::span<CommandSlot> slots, SendFault& fault) noexcept {
  fault = Admit();
  if (fault != SendFault::kNone) [[unlikely]]
    return {};
  parcels_.TakeBack();
  staged_ = slots.data();
  const std::size_t room = window_ - in_flight();
  return {slots.first(std::min(slots.size(), room)), last_sequence_.Next()};
}

StagedCommands ProducerLane::Stage(SendFault& fault) noexcept {
  return StageIn({&commands.At(sent_), 1}, fault);
}

StagedCommands ProducerLane::StageBatch(std::uint32_t wanted, SendFault& fault) noexcept {
  return StageIn({batch_.get(), std::min(wanted, BatchOf(window_))}, fault);
}

Sent ProducerLane::Send(Sequence resend) noexcept {
  CommandSlot& slot = commands.At(sent_);
  const bool is_resend = resend != Sequence();
  if (is_resend) {
    if (session_ == 0 || resend > last_sequence_) {
      return Sent(CountRefusal(SendFault::kBadSequence));
    }
    slot.sequence = resend;
  }
  const Sequence sequence = slot.sequence;
  if (const SendFault fault = Enqueue(1); fault != SendFault::kNone) return Sent(fault);
  if (!is_resend) last_sequence_ = sequence;
  return Sent(sequence);
}

std::uint64_t ProducerLane::CursorOf(const CommandSlot& staged) const noexcept {
  return sent_ + static_cast<std::uint64_t>(&staged - staged_);
}

std::byte* ProducerLane::PutParcel(CommandSlot& slot, std::size_t bytes,
                                   SendFault& fault) noexcept {
  if (bytes > command_bytes_max_) {
    fault = CountRefusal(SendFault::kTooLarge);
    return nullptr;
  }
  return NewParcel(slot, bytes, fault);
}

std::byte* ProducerLane::NewParcel(CommandSlot& slot, std::size_t bytes,
                                   SendFault& fault) noexcept {
  std::byte* const parcel = parcels_.Reserve(CursorOf(slot), polled_, bytes);
  if (parcel == nullptr) {
    fault = CountRefusal(SendFault::kParcelsFull);
    return nullptr;
  }
  slot.SetParcel(parcel);
  return parcel;
}

SendFault ProducerLane::PutParcel(CommandSlot& slot, const SubmitOptions& options,
                                  std::span<const std::byte> command) noexcept {
  const std::span<const StreamCondition> others = options.others;
  if (others.size() > kConditionsMax) return CountRefusal(SendFault::kBadConditions);
  if (command.size() > command_bytes_max_) return CountRefusal(SendFault::kTooLarge);
  SendFault fault = SendFault::kNone;
  std::byte* at = NewParcel(slot, ConditionsParcel::Bytes(others.size(), command.size()), fault);
  if (at == nullptr) return fault;
  const std::uint64_t body_hash =
      options.idempotency_key.is_zero()
          ? 0
          : HashOfBody(stores_[slot.aggregate]->traits(), slot, command);
  slot.type |= CommandSlot::kHasConditions;
  const ConditionsParcel parcel{.idempotency_key = options.idempotency_key,
                                .body_hash = body_hash,
                                .conditions = static_cast<std::uint32_t>(others.size()),
                                .command_bytes = static_cast<std::uint32_t>(command.size())};
  std::memcpy(at, &parcel, sizeof parcel);
  at += sizeof parcel;
  for (const StreamCondition& each : others) {
    const std::uint16_t store = StoreIndex(each.aggregate);
    if (store == kNoStore || each.key.is_zero()) return SendFault::kNotInEngine;
    const ConditionsParcel::OnStream on{each.key, each.condition, store};
    std::memcpy(at, &on, sizeof on);
    at += sizeof on;
  }
  std::memcpy(at, command.data(), command.size());
  return SendFault::kNone;
}

// The slots' lines are in the cache of the loop's core, which read them a lap ago. To write them as
// a whole is to take them without fetching what is in them, as long as the copy is not cut into
// pieces (measured: core/DECISIONS.md, "A batch is copied into the ring as a whole").
void ProducerLane::PlaceBatch(std::uint32_t count) noexcept {
  const std::span<CommandSlot> first = commands.From(sent_, count);
  std::memcpy(first.data(), batch_.get(), first.size_bytes());
  const std::span<CommandSlot> rest = commands.From(sent_ + first.size(), count - first.size());
  if (!rest.empty()) std::memcpy(rest.data(), &batch_[first.size()], rest.size_bytes());
}

void ProducerLane::SendStaged(std::uint32_t count, SentBatch& sent) noexcept {
  if (count == 0) return;
  if (sent.fault = Enqueue(count); sent.fault != SendFault::kNone) return;
  if (sent.count == 0) sent.first = last_sequence_.Next();
  last_sequence_ = last_sequence_.Plus(count);
  sent.count += count;
}

CompletionRange ProducerLane::TakeFront(std::uint32_t count) noexcept {
  AnswerRange& front = *answers.Peek(0);
  const std::size_t level = LevelIndex(front.asked);
  const std::span<const PackedReceipt> read = receipts[level].From(read_[level], count);
  AnswerRange taken = front;
  taken.count = static_cast<std::uint32_t>(read.size());
  read_[level] += taken.count;
  front.first = front.first.Plus(taken.count);
  front.count -= taken.count;
  if (front.count == 0) answers.Poll([](const AnswerRange&) {}, 1);
  return {taken, read};
}

CompletionRange ProducerLane::TakeRange(std::size_t answers_max) noexcept {
  // A credit that came back behind receipts still being read would let them be written again.
  if (held_ != 0) return {};
  DropTaken();
  const AnswerRange* const front = answers.Peek(0);
  if (front == nullptr || answers_max == 0) return {};
  const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(front->count, answers_max));
  std::uint32_t count = taken_ahead_ == 0 ? most : 1;  // the first one is not taken
  while (count < most && !ReceiptAt(front->asked, count).is_taken()) ++count;
  const CompletionRange range = TakeFront(count);
  held_ = range.count();
  return range;
}

void ProducerLane::ReturnCredits() noexcept {
  polled_ += held_;
  held_ = 0;
}

// What was taken out of turn leaves the window when it comes to the front and nothing before it is
// being read.
void ProducerLane::DropTaken() noexcept {
  while (taken_ahead_ != 0 && held_ == 0) {
    const AnswerRange* const front = answers.Peek(0);
    if (front == nullptr || !ReceiptAt(front->asked, 0).is_taken()) return;
    polled_ += TakeFront(1).count();
    --taken_ahead_;
  }
}

bool ProducerLane::TakeOutOfTurn(Sequence sequence, Completion& into) noexcept {
  std::array<std::uint64_t, 2> passed{};  // receipts of the ranges before, by level
  for (std::size_t ahead = 0;; ++ahead) {
    const AnswerRange* const range = answers.Peek(ahead);
    if (range == nullptr) return false;
    std::uint64_t& before = passed[LevelIndex(range->asked)];
    const std::uint64_t offset = sequence - range->first;  // huge, if it stands before
    if (offset < range->count) {
      PackedReceipt& receipt = ReceiptAt(range->asked, before + offset);
      if (!receipt.is_taken()) {
        into = CompletionRange(*range, {&receipt, 1})[0];
        into.sequence = sequence;
        receipt.version_and_taken |= PackedReceipt::kTaken;
        ++taken_ahead_;
        DropTaken();
        return true;
      }
    }
    before += range->count;
  }
}

}  // namespace pawl::inline v0
