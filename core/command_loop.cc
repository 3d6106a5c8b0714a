#include "command_loop.h"

#include <algorithm>

#include "pawl/check.h"

namespace pawl::inline v0 {

CommandLoop::CommandLoop(const Setup& setup)
    : log_(*setup.log),
      writer_(setup.log->writer()),
      queues_(setup.queues),
      admission_(*setup.admission),
      sessions_(*setup.sessions),
      keys_(*setup.keys),
      epochs_(*setup.epochs),
      clock_(*setup.clock),
      guard_(*setup.guard),
      stores_(setup.stores),
      lanes_(*setup.lanes),
      undurable_bytes_max_(setup.undurable_bytes_max),
      commit_room_bytes_(CommitRoomBytes(writer_)),
      pace_(clock_.source(), kTurnCommandsMax, setup.decide_budget_ns),
      meter_({.block = setup.stats,
              .is_on = setup.is_counting,
              .engine_clock = setup.clock,
              .stores = setup.stores}),
      builder_(writer_, setup.stores, setup.next_stream, setup.timers),
      timers_(setup.timers),
      pending_(setup.answers_max),
      waiting_(setup.producers_max) {
  PAWL_CHECK(undurable_bytes_max_ > commit_room_bytes_);
  builder_.UseNote(guard_.flight().deciding());
  if (timers_ != nullptr) timers_->UseNote(guard_.flight().firing());
  writer_.DependOn(guard_.flight().mapping());
  touched_.reserve(setup.producers_max);
  reader_bells_.reserve(setup.bells_max);
  meter_.SetSessions(sessions_.count());
  meter_.EndTurn(Newest(), timers_);
}

int CommandLoop::Round(const Deadline* deadline) noexcept {
  meter_.BeginRound();
  int work = ServeControl();
  CheckHealth();
  work += is_failed_ || is_draining_ ? RefuseEverything() : TakeTurn(deadline);
  work += ReleaseDurable();
  if (writer_.is_poisoned() && !is_failed_) [[unlikely]]
    TakeAnswersBack();
  PublishAnswers();
  pace_.EndTurn(meter_.looked_ns());
  meter_.ShowSlow(pace_);
  if (closing_lanes_ != 0) CloseLanes();
  return work;
}

bool CommandLoop::HasWork() noexcept {
  // Acquire: pairs with the release in Ask().
  if (control_.load(std::memory_order_acquire) != nullptr) return true;
  if (pending_.has_turn() && pending_.front_end() <= log_.durable()) return true;
  const bool is_log_failed = log_.health() == LogHealth::kFailed;
  if (is_log_failed != is_failed_) return true;
  if (timers_wait_for_room_ && !is_failed_ && !is_draining_) {
    UpdateRoom();
    if (HasRoom()) return true;
  }
  const auto may_have = [](const CommandQueue& queue) { return queue.MayHaveCommands(); };
  if (waiting_.empty() && std::ranges::none_of(queues_.first(queues_used_), may_have)) return false;
  if (is_failed_ || is_draining_) return true;
  // Commands without room wait for the disk agents, who ring; but the first of them are taken, so
  // that their producers are told why (a loop that fell asleep just before would never tell), and
  // they are told when another reason takes the place of the first.
  UpdateRoom();
  return HasRoom() || waiting_.empty() || Obstacle() != admission_.Current();
}

// --- cold calls ---

std::uint32_t CommandLoop::Ask(ControlRequest& request) noexcept {
  // Relaxed: one caller at a time, who saw the count when its last request was served.
  const std::uint32_t ticket = served_.load(std::memory_order_relaxed);
  // Release: the request before its address. Pairs with the acquire in ServeControl().
  control_.store(&request, std::memory_order_release);
  bell_.Ring();
  return ticket;
}

int CommandLoop::ServeControl() noexcept {
  // Acquire: pairs with the release in Ask().
  ControlRequest* request = control_.load(std::memory_order_acquire);
  if (request == nullptr) return 0;
  request->status = Serve(*request);
  // Relaxed: the caller looks at served_ only.
  control_.store(nullptr, std::memory_order_relaxed);
  // Release: the answer before the count. Pairs with the acquire in IsServed() and Await().
  served_.fetch_add(1, std::memory_order_release);
  served_.notify_all();
  return 1;
}

// --- turns ---

void CommandLoop::CheckHealth() noexcept {
  if (is_failed_ || log_.health() != LogHealth::kFailed) return;
  is_failed_ = true;
  SetAdmission(SendFault::kUnavailable);
  ReleaseDurable();
  FailPending();
}

// Rings the producers that wait for room when there is some, or will never be any.
void CommandLoop::SetAdmission(SendFault now) noexcept {
  if (!admission_.Set(now) || PassesByItself(now)) return;
  for (const std::unique_ptr<ProducerLane>& lane : lanes_) lane->bell.Ring();
}

void CommandLoop::UpdateRoom() noexcept {
  accept_below_ = log_.durable().value() + undurable_bytes_max_ - commit_room_bytes_;
}

SendFault CommandLoop::Obstacle() const noexcept {
  if (waiting_.empty() || HasRoom()) return SendFault::kNone;
  const bool is_behind = writer_.staged_end().value() >= accept_below_;
  const bool is_low = !is_behind && log_.health() == LogHealth::kDiskLow;
  // Also while the next segment is being made: the disk is behind.
  return is_low ? SendFault::kDiskLow : SendFault::kUndurable;
}

void CommandLoop::TakeTickets() noexcept {
  for (CommandQueue& queue : queues_.first(queues_used_)) {
    const std::size_t count = queue.TryDequeue(tickets_);
    for (std::size_t i = 0; i < count; ++i) {
      waiting_.Add(*lanes_[tickets_[i].lane], tickets_[i].count);
    }
  }
}

// Guesses the streams of the run's first commands, as far as they go to one store, ask for one
// level and have the sequences `first`, `first` + 1, …: those sent again are answered otherwise.
// Looked up together the lookups overlap in the core; one by one, each would wait for its own cache
// misses in the middle of a decision. Slots never move, and one that is free has key 0: a guess is
// right as long as the slot has its key, whatever was closed or made there meanwhile.
std::span<const CommandSlot> CommandLoop::FindStreams(std::span<const CommandSlot> run,
                                                      Sequence first) noexcept {
  const std::uint16_t aggregate = run.front().aggregate;
  const Ack ack = run.front().ack;
  const StreamLookup lookup = stores_[aggregate]->lookup();
  StreamSlot** found = streams_.data();
  for (const CommandSlot& slot : run) {
    if (slot.aggregate != aggregate || slot.ack != ack || slot.sequence != first) [[unlikely]]
      break;
    first = first.Next();
    // Written by the producer's core a moment ago: fetched a few commands ahead.
    __builtin_prefetch(Ahead(&slot, kAheadBytes));
    __builtin_prefetch(Ahead(&slot.command.back(), kAheadBytes));
    *found = lookup.Guess(slot.key);
    __builtin_prefetch(*found++, 1);
  }
  return run.first(static_cast<std::size_t>(found - streams_.data()));
}

CommandLoop::Session& CommandLoop::SessionOf(const ProducerLane& lane, Sequence next) noexcept {
  if (lane.session() == 0) return sessions_.Nameless(next);
  return sessions_.At(lane.session(), lane.session_lane());
}

// Decides commands of a lane that lie side by side, as long as there is room. Those sent again,
// which append nothing, need none, but wait behind one that does, their lane's or another one's.
std::uint32_t CommandLoop::DecideRun(ProducerLane& lane,
                                     std::span<const CommandSlot> run) noexcept {
  Touch(lane);
  // The window's credits see to it; answers are pushed without another look.
  PAWL_CHECK(lane.answers.HasRoom(run.size()));
  Session& session = SessionOf(lane, run.front().sequence);
  std::size_t decided = 0;
  const bool is_stranger = session.generation() != lane.generation();
  if (!is_stranger && lane.session() != 0) sessions_.Touch(lane.session(), builder_.now_ns());
  while (decided != run.size()) {
    const std::span<const CommandSlot> left = run.subspan(decided);
    std::span<const CommandSlot> alike;
    if (!is_stranger) {
      alike = FindStreams(left.first(std::min<std::size_t>(left.size(), pace_.left())),
                          session.last().Next());
    }
    if (alike.empty()) {
      ++decided;
      if (is_stranger) {
        RefuseStranger(lane, left.front());
      } else {
        RecallAnswer(lane, left.front());
      }
      if (!pace_.GoesOn(left.first(1))) break;
      continue;
    }
    const std::size_t count = DecideAlike(lane, session, alike);
    decided += count;
    if (count != alike.size() || !pace_.GoesOn(alike)) break;
  }
  GiveRange(lane);
  if (meter_.is_on()) MeasureWait(lane, decided);
  lane.loop.processed += decided;
  return static_cast<std::uint32_t>(decided);
}

// Answers a command of a producer that has the session no more.
void CommandLoop::RefuseStranger(ProducerLane& lane, const CommandSlot& slot) noexcept {
  const VerdictKind kind = sessions_.IsOf(lane.session(), lane.generation())
                               ? VerdictKind::kFenced
                               : VerdictKind::kSessionUnknown;
  AnswerNotAccepted(lane, slot, Verdict(kind, 0));
}

// Takes the time that one of the commands just decided was waiting, and asks for the next one.
void CommandLoop::MeasureWait(ProducerLane& lane, std::uint64_t decided) noexcept {
  if (lane.session_lane() == SessionLane::kBulk) meter_.CountBulk(decided);
  if (const std::uint64_t sent_ns = lane.wait.Take(lane.loop.processed, decided); sent_ns != 0) {
    meter_.Waited(sent_ns);
  }
  const std::uint64_t now_ns = meter_.began_ns();
  if (!lane.wait.is_idle() || now_ns - lane.loop.wait_asked_ns < LoopMeter::kSampleNs) return;
  lane.loop.wait_asked_ns = now_ns;
  lane.wait.Ask();
}

// Decides commands whose streams were found together, as long as there is room.
std::size_t CommandLoop::DecideAlike(ProducerLane& lane, Session& session,
                                     std::span<const CommandSlot> run) noexcept {
  StreamStore& store = *stores_[run.front().aggregate];
  builder_.BeginRun(store, lane.session(), FlagsOf(lane));
  std::size_t decided = 0;
  while (decided != run.size() && HasRoom()) {
    std::span<const CommandSlot> left = run.subspan(decided);
    StreamSlot* const* const streams = &streams_[decided];
    if (guard_.is_watching()) [[unlikely]] {
      left = left.first(guard_.CountOthers(lane.guard_session(), left));
      if (left.empty()) {
        DecideWatched(lane, session, run[decided++], streams);
        continue;
      }
    }
    const DecidedRun done = left.front().has_conditions()
                                ? DecideParcel(lane, session, left.front(), streams)
                                : DecideSome(lane, session, left, streams);
    decided += done.accepted;
    if (!done.verdict.is_accepted()) Refuse(lane, session, run[decided++], done.verdict);
  }
  return decided;
}

// Decides the first commands of a run: those of one type, up to one that is not accepted.
DecidedRun CommandLoop::DecideSome(ProducerLane& lane, Session& session,
                                   std::span<const CommandSlot> run,
                                   StreamSlot* const* streams) noexcept {
  const std::span<PackedReceipt> receipts = ReceiptsFor(lane, run.front());
  const DecideRunFunction decide = builder_.own_store().traits().decides[run.front().type];
  const Address before = writer_.published();
  const DecidedRun done =
      decide(builder_, run.first(std::min(run.size(), receipts.size())), streams, receipts.data());
  builder_.EndDecisions();
  // At most one: the run ends where a frame was full.
  if (writer_.published() != before) [[unlikely]]
    meter_.CountFrame();
  meter_.Count(VerdictKind::kAccepted, done.accepted);
  sessions_.RememberAccepted(session, receipts.first(done.accepted));
  receipts_next_ += done.accepted;
  return done;
}

// Decides a command that ended the process before, as long as it did so once; then says that it did
// not this time.
void CommandLoop::DecideWatched(ProducerLane& lane, Session& session, const CommandSlot& slot,
                                StreamSlot* const* stream) noexcept {
  if (guard_.IsQuarantined(lane.guard_session(), slot)) {
    return Refuse(lane, session, slot, Verdict(VerdictKind::kQuarantined, 0));
  }
  // Answered by its idempotency key, or kept by a condition from being decided, it survived
  // nothing.
  const bool is_key_known = IsKeyKnown(slot);
  const DecidedRun done = slot.has_conditions() ? DecideParcel(lane, session, slot, stream)
                                                : DecideSome(lane, session, {&slot, 1}, stream);
  if (!is_key_known && done.verdict.kind() != VerdictKind::kConflict)
    guard_.NoteSurvived(lane.guard_session(), slot);
  if (!done.verdict.is_accepted()) Refuse(lane, session, slot, done.verdict);
}

// What condition number `condition` of a command met: version and position of the stream's newest
// event; without a stream version 0 and where it was closed, if it was.
PackedReceipt CommandLoop::MetBy(const CommandSlot& slot, std::uint16_t condition) noexcept {
  const StreamStore* store = stores_[slot.aggregate];
  const Key* key = &slot.key;
  if (condition != 0) {
    const ConditionsParcel::OnStream& on = ConditionsParcel::In(slot).on_streams()[condition - 1U];
    store = stores_[on.aggregate];
    key = &on.key;
  }
  const StreamSlot* const stream = store->Find(*key);
  if (stream == nullptr || stream->version == Version()) return {store->ClosedAt(*key).value(), 0};
  return {stream->last.value(), stream->version.value()};
}

void CommandLoop::Refuse(ProducerLane& lane, Session& session, const CommandSlot& slot,
                         Verdict verdict) noexcept {
  sessions_.RememberNotAccepted(session, verdict);
  if (verdict.kind() != VerdictKind::kConflict) return AnswerNotAccepted(lane, slot, verdict);
  const PackedReceipt met = MetBy(slot, verdict.code());
  meter_.Count(verdict.kind(), 1);
  AnswerAlone(lane, slot, {.epoch = EpochOf(Position(met.position)), .verdict = verdict}, met);
}

int CommandLoop::TakeTurn(const Deadline* deadline) noexcept {
  TakeTickets();
  if (waiting_.empty() && (timers_ == nullptr || !TimersNeedTurn())) return 0;
  UpdateRoom();
  BeginTime();
  const Address before = writer_.published();
  // Commands come first, so that an answer and a time-out that came together are an answer; but who
  // found no room, or no time, is the first to have some.
  const bool do_timers_lead = timers_go_first_;
  int fired = do_timers_lead ? FireTimers(deadline) : 0;
  if (fired != 0) SetTurnTime();
  pace_.BeginTurn(deadline, clock_.boot_ns());
  std::uint32_t decided = 0;
  if (fired == 0 || deadline == nullptr || !deadline->IsOver()) decided = DecideTurn();
  meter_.Decided(decided, pace_.looked_ns());
  if (timers_ != nullptr && !do_timers_lead) {
    timers_go_first_ = pace_.is_over();
    if (!timers_go_first_) fired = FireTimers(deadline);
  }
  const bool has_staged = writer_.has_staged();
  const Address published = writer_.Publish();
  writer_.CheckInput();
  if (has_staged && !writer_.is_poisoned()) meter_.Published();
  pending_.EndTurn(published, published != before ? meter_.published_ns() : 0);
  meter_.EndTurn(Newest(), timers_);
  SetAdmission(Obstacle());
  if (published != before) RingReaders();
  return static_cast<int>(decided) + fired;
}

// Decides up to kTurnCommandsMax of the commands that wait.
std::uint32_t CommandLoop::DecideTurn() noexcept {
  std::uint32_t left = kTurnCommandsMax;
  while (left != 0 && !waiting_.empty()) {
    ProducerLane& lane = waiting_.front();
    const std::span<const CommandSlot> run =
        lane.commands.From(lane.loop.processed, waiting_.Room(left));
    const std::uint32_t decided = DecideRun(lane, run);
    // Who found no room had no turn: it stays in front.
    if (decided == 0) break;
    waiting_.Take(decided);
    left -= decided;
    if (decided != run.size() || pace_.is_over()) break;
  }
  pace_.EndCommands();
  return kTurnCommandsMax - left;
}

void CommandLoop::RingReaders() noexcept {
  for (Doorbell* bell : reader_bells_) bell->Ring();
}

// Answers a command sent again as the first time.
void CommandLoop::RecallAnswer(ProducerLane& lane, const CommandSlot& slot) noexcept {
  // A lane's sequences are dense and in order, unless the memory of commands was taken away: then
  // nothing is published any more.
  const Session* const session =
      lane.session() == 0 ? nullptr : &sessions_.At(lane.session(), lane.session_lane());
  if (session == nullptr || slot.sequence > session->last()) [[unlikely]] {
    const Mapping* const memory = guard_.flight().mapping();
    PAWL_CHECK(memory != nullptr && memory->is_damaged());
    return AnswerNotAccepted(lane, slot, Verdict(VerdictKind::kUnknown, 0));
  }
  const SessionTable::Answer first = sessions_.Recall(*session, slot.sequence);
  meter_.CountDuplicate();
  AnswerAgain(lane, slot, first.verdict, {first.position.value(), first.version.value()});
}

void CommandLoop::AnswerAgain(ProducerLane& lane, const CommandSlot& slot, Verdict verdict,
                              const PackedReceipt& first) noexcept {
  AnswerAlone(
      lane, slot,
      {.epoch = EpochOf(Position(first.position)), .verdict = verdict, .is_duplicate = true},
      first);
}

// --- answers ---

// Room for receipts of accepted commands from `slot` on, in the open range if it may go on.
std::span<PackedReceipt> CommandLoop::ReceiptsFor(ProducerLane& lane,
                                                  const CommandSlot& slot) noexcept {
  if (receipts_next_ == receipts_end_ || range_.asked != slot.ack) OpenRange(lane, slot);
  return {receipts_next_, receipts_end_};
}

void CommandLoop::OpenRange(ProducerLane& lane, const CommandSlot& slot) noexcept {
  GiveRange(lane);
  range_ = {
      .first = slot.sequence, .epoch = writer_.epoch(), .asked = slot.ack, .reached = slot.ack};
  const std::size_t level = ProducerLane::LevelIndex(slot.ack);
  const std::span<PackedReceipt> room =
      lane.receipts[level].From(lane.loop.answered[level], kTurnCommandsMax);
  receipts_begin_ = receipts_next_ = room.data();
  receipts_end_ = room.data() + room.size();
}

void CommandLoop::AnswerAlone(ProducerLane& lane, const CommandSlot& slot,
                              const AnswerRange& outcome, const PackedReceipt& receipt) noexcept {
  OpenRange(lane, slot);
  range_.epoch = outcome.epoch;
  range_.verdict = outcome.verdict;
  range_.is_duplicate = outcome.is_duplicate;
  *receipts_next_++ = receipt;
  GiveRange(lane);
}

void CommandLoop::GiveRange(ProducerLane& lane) noexcept {
  range_.count = static_cast<std::uint32_t>(receipts_next_ - receipts_begin_);
  receipts_begin_ = receipts_next_ = receipts_end_ = nullptr;
  if (range_.count == 0) return;
  lane.loop.answered[ProducerLane::LevelIndex(range_.asked)] += range_.count;
  if (range_.asked == Ack::kPublished) return lane.answers.PushReserved(range_);
  pending_.Add(lane, range_);
  ++lane.loop.pending;
}

int CommandLoop::ReleaseDurable() noexcept {
  if (!pending_.has_turn()) return 0;
  return pending_.Release(
      log_.durable(),
      [this](const PendingAnswers::Entry& entry) noexcept {
        --entry.lane->loop.pending;
        Push(*entry.lane, entry.answers);
      },
      [this](std::uint64_t published_ns) noexcept { meter_.Released(published_ns); });
}

void CommandLoop::FailPending() noexcept {
  pending_.Release(
      Address(UINT64_MAX),
      [this](const PendingAnswers::Entry& entry) noexcept {
        --entry.lane->loop.pending;
        Push(*entry.lane, AsUnknown(entry.answers));
      },
      [](std::uint64_t) noexcept {});
}

AnswerRange CommandLoop::AsUnknown(const AnswerRange& answers) noexcept {
  const AnswerRange unknown = answers.AsUnknown();
  if (unknown.verdict.kind() == VerdictKind::kUnknown) {
    meter_.Count(VerdictKind::kUnknown, unknown.count);
  }
  return unknown;
}

// The frame that this turn's answers rest on was not published.
void CommandLoop::TakeAnswersBack() noexcept {
  for (ProducerLane* lane : touched_) {
    lane->answers.ChangeStaged([this](AnswerRange& answers) { answers = AsUnknown(answers); });
  }
}

int CommandLoop::RefuseEverything() noexcept {
  TakeTickets();
  int count = 0;
  while (!waiting_.empty()) {
    ProducerLane& lane = waiting_.front();
    Touch(lane);
    PAWL_CHECK(lane.answers.HasRoom(lane.loop.waiting));
    for (std::uint32_t left = lane.loop.waiting; left != 0; --left, ++count) {
      const CommandSlot& slot = lane.commands.At(lane.loop.processed++);
      // A stop answers behind those before it of the same level; after a failure none are left.
      AnswerNotAccepted(lane, slot, Verdict(VerdictKind::kUnavailable, 0));
    }
    waiting_.Take(lane.loop.waiting);
  }
  pending_.EndTurn(writer_.published());
  if (is_failed_) FailPending();
  return count;
}

void CommandLoop::PublishAnswers() noexcept {
  for (ProducerLane* lane : touched_) {
    lane->loop.is_touched = false;
    if (lane->answers.Publish()) lane->bell.Ring();
  }
  touched_.clear();
}

}  // namespace pawl::inline v0
