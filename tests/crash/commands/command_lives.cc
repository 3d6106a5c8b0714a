#include "command_lives.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cut_choices.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kStreamsMax = 20;
constexpr std::uint32_t kTimersMax = 20;
constexpr std::uint64_t kTimerIds = 4;
constexpr std::uint64_t kKeys = 24;  // more than there is room for
constexpr std::uint32_t kWindow = 32;
constexpr std::uint32_t kKeysMax = 6;
// Time stands still but for ticks; what else passes of it in all lives of a log is far below a
// second. So what is compared with it lies between two ticks.
constexpr std::uint64_t kTickNs = 10'000'000'000;
constexpr std::uint64_t kKeyWindowTicks = 4;
constexpr std::uint64_t kIdleTicks = 2;
constexpr std::uint64_t kTicksOfHours = 1000;  // an hour is longer than any of these
constexpr std::chrono::nanoseconds BetweenTicks(std::uint64_t ticks) {
  return std::chrono::nanoseconds(ticks * kTickNs - kTickNs / 2);
}
// Two on one lane, of which the first is mostly fenced; those of session 0 have none.
constexpr CommandModel::Sender kWho[] = {{1, SessionLane::kControl}, {1, SessionLane::kControl},
                                         {1, SessionLane::kBulk},    {2, SessionLane::kControl},
                                         {2, SessionLane::kBulk},    {0, SessionLane::kControl},
                                         {0, SessionLane::kBulk}};
constexpr std::size_t kSenders = std::size(kWho);
constexpr std::uint64_t kBatchMax = 12;

EngineOptions OptionsOn(SimStorage& machine, Clock& clock) {
  return {.directory = "/disk/log",
          .hot_directory = "/dev/shm/hot",
          .segment_bytes = kSegmentBytesMin,
          .undurable_bytes_max = 4 * kSegmentBytesMin,
          .streams_max = kStreamsMax,
          .timers_max = kTimersMax,
          .sessions_max = 2,
          .session_window = kWindow,
          .keys_max = kKeysMax,
          .key_window = BetweenTicks(kKeyWindowTicks),
          .producers_max = 12,
          .agents_max = 1,
          .threads = Threads::kHostAll,
          .clock = &clock,
          .storage = &machine};
}

std::string NameOf(std::uint32_t session) {
  return session == 0 ? std::string() : "session-" + std::to_string(session);
}

ModelAnswer AnswerOf(const Completion& completion) {
  return {.kind = completion.verdict.kind(),
          .code = completion.verdict.code(),
          .version = completion.receipt.version.value(),
          .position = completion.receipt.position.value(),
          .is_duplicate = completion.receipt.is_duplicate};
}

bool SetsTimers(const DrawnCommand& drawn) {
  return std::holds_alternative<Pledge>(drawn.command) ||
         std::holds_alternative<Shuffle>(drawn.command);
}

// Position of the record that comes next.
std::uint64_t NextPosition(const Engine& engine) {
  LogReader reader = engine.log().NewReader();
  while (reader.NextFrame(engine.log().published()) != nullptr) {
  }
  return reader.position().value() + 1;
}

// Commands that left a record, and closings.
std::uint64_t CommitsIn(const Engine& engine) {
  std::uint64_t commits = 0;
  const CommitHeader* last = nullptr;
  LogReader reader = engine.log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine.log().published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      commits += &record.commit != last && record.commit.cause == CommitCause::kCommand;
      commits += record.header.kind == RecordKind::kSessionClosed;
      last = &record.commit;
    });
    last = nullptr;  // the next frame may come to stand in the same memory
  }
  return commits;
}

}  // namespace

void CommandTally::Add(const CommandTally& other) {
  commands += other.commands;
  cuts += other.cuts;
  kills += other.kills;
  stops += other.stops;
  accepted += other.accepted;
  refused += other.refused;
  conflicts += other.conflicts;
  over_limit += other.over_limit;
  fenced += other.fenced;
  resends += other.resends;
  expired += other.expired;
  timers_fired += other.timers_fired;
  timers_refused += other.timers_refused;
  timers_overdue += other.timers_overdue;
  bulk += other.bulk;
  strangers += other.strangers;
  key_duplicates += other.key_duplicates;
  key_reuses += other.key_reuses;
  keys_passed += other.keys_passed;
  closings += other.closings;
  idle_closings += other.idle_closings;
  interrupted_closings += other.interrupted_closings;
  lost += other.lost;
  closed += other.closed;
  differences += other.differences;
}

std::string CommandTally::ToJson() const {
  return absl::StrCat(
      "{\"count\": ", commands, ", \"crashes\": ", cuts + kills, ", \"cuts\": ", cuts,
      ", \"kills\": ", kills, ", \"stops\": ", stops, ", \"accepted\": ", accepted,
      ", \"refused\": ", refused, ", \"conflicts\": ", conflicts, ", \"over_limit\": ", over_limit,
      ", \"fenced\": ", fenced, ", \"resends\": ", resends, ", \"expired\": ", expired,
      ", \"closed\": ", closed, ", \"timers_fired\": ", timers_fired,
      ", \"timers_refused\": ", timers_refused, ", \"timers_overdue\": ", timers_overdue,
      ", \"bulk\": ", bulk, ", \"strangers\": ", strangers,
      ", \"key_duplicates\": ", key_duplicates, ", \"key_reuses\": ", key_reuses,
      ", \"keys_passed\": ", keys_passed, ", \"closings\": ", closings,
      ", \"idle_closings\": ", idle_closings, ", \"interrupted_closings\": ", interrupted_closings,
      ", \"lost\": ", lost, ", \"differences\": ", differences);
}

std::string CommandTally::Unmet() const {
  std::string unmet;
  const auto want = [&unmet](std::uint64_t count, const char* what) {
    if (count == 0) absl::StrAppend(&unmet, unmet.empty() ? "" : ", ", what);
  };
  want(cuts, "power cuts");
  want(kills, "kills");
  want(stops, "stops");
  want(refused, "refusals");
  want(conflicts, "conflicts");
  want(over_limit, "limits");
  want(fenced, "fenced commands");
  want(resends, "resends");
  want(expired, "expired resends");
  want(closed, "aggregates closed");
  want(timers_fired, "timers");
  want(timers_refused, "refused timers");
  want(timers_overdue, "timers overdue when a life began");
  want(lost, "commands lost by a cut");
  want(bulk, "commands of bulk lanes");
  want(strangers, "commands of closed sessions");
  want(key_duplicates, "duplicates by key");
  want(key_reuses, "keys reused");
  want(keys_passed, "keys whose window has passed");
  want(closings, "closings");
  want(idle_closings, "closings of idle sessions");
  want(interrupted_closings, "closings under way in a crash");
  return unmet;
}

CommandLives::CommandLives(std::uint64_t seed, std::uint64_t number, CommandTally& tally)
    : tally_(tally),
      random_(SimRandom::For(seed, number, 1)),
      model_({.streams_max = kStreamsMax,
              .timers_max = kTimersMax,
              .window = kWindow,
              .keys_max = kKeysMax,
              .key_window = kKeyWindowTicks}) {
  SimOptions options;
  options.seed = random_.Next();
  machine_ = std::make_unique<SimStorage>(options);
  PAWL_CHECK(machine_->CreateDirectory("/disk").ok() && machine_->SyncDirectory("").ok());
}

std::string CommandLives::Run() {
  for (life_ = 0; life_ < kLives && difference_.empty(); ++life_) {
    const std::uint64_t kind = random_.Below(5);
    end_ = kind == 0 ? End::kStop : kind < 3 ? End::kCut : End::kKill;
    LiveOn();
    EndLife();
  }
  return difference_;
}

void CommandLives::Differ(const std::string& what) {
  ++tally_.differences;
  if (difference_.empty()) difference_ = absl::StrCat("life ", life_, ": ", what);
}

// --- lives ---

// Within the operation number `ops`, counted from here, the power goes or the process dies: this
// machine is off then, and the one after it is there.
void CommandLives::ArmCrash(std::uint64_t ops) {
  const std::uint64_t at = machine_->ops() + ops;
  machine_->set_observer([this, at](const SimOp&) {
    if (IsCrashed() || machine_->ops() < at) return;
    // What was answered by now was answered.
    if (take_answers_) take_answers_();
    RandomCut choices(random_.Next(), static_cast<CutMode>(random_.Below(kCutModes)));
    next_machine_ = end_ == End::kCut ? machine_->Cut(choices, random_.Next())
                                      : machine_->Kill(choices, random_.Next());
    machine_->TurnOff();
  });
}

void CommandLives::LiveOn() {
  // Some crashes hit the opening itself.
  const bool is_early = random_.OneIn(8);
  if (end_ != End::kStop && is_early) ArmCrash(1 + random_.Below(60));
  if (!OpenEngine() || !OpenSenders()) return;
  if (end_ != End::kStop && !is_early) ArmCrash(1 + random_.Below(800));
  std::uint64_t sent = 0;
  while (difference_.empty() && !IsCrashed() && (end_ != End::kStop || sent < kCommandsOfLife)) {
    if (random_.OneIn(30) && !OpenAgain(random_.Below(kSenders))) return;
    if (random_.OneIn(25)) Tick();
    if (random_.OneIn(60) && !Close()) return;
    if (random_.OneIn(60) && !CloseIdle()) return;
    if (random_.OneIn(6)) PassHours();
    if (IsCrashed()) return;
    // The first of the two that share a session is mostly fenced.
    Sender& sender = senders_[random_.OneIn(20) ? 0 : 1 + random_.Below(kSenders - 1)];
    Batch batch{.who = sender.who, .ack = random_.OneIn(2) ? Ack::kDurable : Ack::kPublished};
    for (std::uint64_t left = 1 + random_.Below(kBatchMax); left != 0; --left) {
      batch.commands.push_back(Draw(sender));
    }
    sent += batch.commands.size();
    Send(sender, batch);
  }
}

bool CommandLives::OpenEngine() {
  auto opened = Engine::Open(OptionsOn(*machine_, clock_), Aggregates<Purse, DailyTally>{});
  if (!opened.ok()) {
    if (!IsCrashed()) Differ(absl::StrCat("does not open: ", opened.status().ToString()));
    return false;
  }
  engine_ = *std::move(opened);
  return !IsCrashed();
}

// The second one takes the first one's session away.
bool CommandLives::OpenSenders() {
  // What is overdue fires before anything else is asked of the engine.
  if (!SettleTimers()) return false;
  senders_.resize(kSenders);
  for (std::size_t i = 0; i < kSenders; ++i) {
    if (!OpenProducer(i)) return false;
  }
  JudgeHash();
  JudgeSurvivors();
  if (!difference_.empty()) return false;
  for (const Sender& sender : senders_) {
    if (sender.who.session != 0) model_.OpenSession(sender.who);
  }
  model_.SetNextPosition(NextPosition(*engine_));
  return true;
}

bool CommandLives::OpenProducer(std::size_t index) {
  Sender& sender = senders_[index];
  sender.producer.reset();
  sender.who = kWho[index];
  auto made =
      engine_->NewProducer({.session = NameOf(sender.who.session), .lane = sender.who.lane});
  if (IsCrashed()) return false;
  if (!made.ok()) {
    Differ(absl::StrCat("no producer: ", made.status().ToString()));
    return false;
  }
  sender.producer = *std::move(made);
  sender.who.generation = sender.producer->generation();
  return true;
}

bool CommandLives::OpenAgain(std::size_t index) {
  if (!OpenProducer(index)) return false;
  const Sender& sender = senders_[index];
  const CommandModel::Sender& who = sender.who;
  if (who.session == 0) return true;
  const std::uint64_t last = sender.producer->last_sequence().value();
  if (last != model_.last(who) || who.generation != model_.NextGeneration(who)) {
    Differ(absl::StrCat("session ", who.session, ", ", std::string(ToString(who.lane)),
                        ", was opened again behind ", last, " as generation ", who.generation,
                        "; model: behind ", model_.last(who), " as generation ",
                        model_.NextGeneration(who)));
  }
  model_.OpenSession(who);
  return difference_.empty();
}

// Until all timers that are due have fired.
//   returns   false: the machine went off
bool CommandLives::SettleTimers() {
  while (!IsCrashed() && engine_->Poll(std::chrono::nanoseconds(0)) != 0) {
  }
  return !IsCrashed();
}

// Nobody has work but timers. After a crash in the middle the next life fires the others.
void CommandLives::PassHours() {
  clock_.PassHours(1 + random_.Below(6));
  model_.Tick(kTicksOfHours);
  // Sent again, their timers would be due at once, in the middle of a batch.
  std::erase_if(keyed_, SetsTimers);
  std::erase_if(passed_, SetsTimers);
  if (!SettleTimers()) return;
  const std::uint64_t fired = model_.timers_fired();
  const std::uint64_t refused = model_.timers_refused();
  model_.FireDue(clock_.now_ns());
  tally_.timers_fired += model_.timers_fired() - fired;
  tally_.timers_refused += model_.timers_refused() - refused;
  if (random_.OneIn(4) && TimersOfEngine() != model_.ShownTimers()) {
    Differ("other timers are set than in the model");
  }
}

bool CommandLives::OpenAgainAll(std::uint32_t session) {
  for (std::size_t i = 0; i < kSenders; ++i) {
    if (kWho[i].session == session && !OpenAgain(i)) return false;
  }
  return true;
}

void CommandLives::Tick() {
  clock_.Advance(kTickNs);
  model_.Tick();
}

// A session is closed by its name or by one of its producers, who may have it no more.
bool CommandLives::Close() {
  const std::size_t by = random_.Below(kSenders - 2);
  const CommandModel::Sender& who = senders_[by].who;
  const bool is_by_name = random_.OneIn(2);
  interrupted_closing_ = who.session;
  was_cut_ = false;
  if (end_ != End::kStop && random_.OneIn(4)) ArmCrash(1 + random_.Below(4));
  const absl::Status closed = is_by_name ? engine_->CloseSession(NameOf(who.session))
                                         : senders_[by].producer->CloseSession();
  tally_.interrupted_closings += IsCrashed();
  if (IsCrashed()) return false;
  interrupted_closing_ = 0;
  absl::StatusCode wanted = absl::StatusCode::kOk;
  if (!is_by_name && model_.IsOf(who) && !model_.Has(who)) {
    wanted = absl::StatusCode::kCancelled;
  } else if ((!is_by_name && !model_.IsOf(who)) || !model_.CloseSession(who.session)) {
    wanted = absl::StatusCode::kNotFound;
  }
  if (closed.code() != wanted) {
    Differ(absl::StrCat("closing session ", who.session, ": ", closed.ToString()));
  }
  tally_.closings += closed.ok();
  // Mostly the next commands are those of strangers.
  return difference_.empty() && (!random_.OneIn(3) || OpenAgainAll(who.session));
}

// A session whose producers end is closed if it was not used for long enough; others never.
bool CommandLives::CloseIdle() {
  const auto session = static_cast<std::uint32_t>(1 + random_.Below(2));
  for (Sender& sender : senders_) {
    if (sender.who.session == session) sender.producer.reset();
  }
  for (std::uint64_t ticks = random_.Below(kIdleTicks + 1); ticks != 0; --ticks) Tick();
  // The other one may have lost all its producers to closings, too.
  const std::uint32_t other = 3 - session;
  const bool is_other_held = std::any_of(
      senders_.begin(), senders_.end(),
      [&](const Sender& sender) { return sender.who.session == other && model_.IsOf(sender.who); });
  PAWL_CHECK(is_other_held || !model_.IsIdle(other, 0));
  interrupted_closing_ = model_.IsIdle(session, kIdleTicks) ? session : 0;
  was_cut_ = false;
  if (end_ != End::kStop && random_.OneIn(4)) ArmCrash(1 + random_.Below(4));
  const auto closed = engine_->CloseIdleSessions(BetweenTicks(kIdleTicks));
  tally_.interrupted_closings += IsCrashed();
  if (IsCrashed()) return false;
  interrupted_closing_ = 0;
  const bool is_idle = model_.IsIdle(session, kIdleTicks);
  if (!closed.ok() || *closed != (is_idle ? 1U : 0U)) {
    Differ(absl::StrCat("closing idle sessions: ", closed.status().ToString(), ", ",
                        closed.value_or(0), "; model: ", is_idle));
  }
  if (is_idle) model_.CloseSession(session);
  tally_.idle_closings += is_idle;
  return difference_.empty() && OpenAgainAll(session);
}

void CommandLives::EndLife() {
  take_answers_ = {};
  if (life_ == kLives - 1) {
    tally_.closed += model_.closed(Category::kPurse) + model_.closed(Category::kTally);
  }
  if (end_ == End::kStop && engine_ != nullptr && difference_.empty()) {
    senders_.clear();
    hash_at_stop_ = engine_->StateHash().value().sum;
    if (const absl::Status stopped = engine_->Stop(); !stopped.ok()) {
      Differ(absl::StrCat("does not stop: ", stopped.ToString()));
    }
    model_.Reopen();
    ++tally_.stops;
  }
  senders_.clear();
  engine_.reset();
  for (const std::string& violation : machine_->violations()) Differ(violation);
  if (!IsCrashed()) {
    machine_->set_observer({});
    return;
  }
  ++(end_ == End::kCut ? tally_.cuts : tally_.kills);
  was_cut_ = was_cut_ || end_ == End::kCut;
  machine_ = std::move(next_machine_);
}

// --- commands ---

DrawnCondition CommandLives::DrawCondition(const StreamName& stream) {
  using Kind = DrawnCondition::Kind;
  const auto kind = static_cast<Kind>(random_.Below(5));
  const CommandModel::Stream found = model_.Find(stream);
  std::uint64_t value = 0;
  if (kind == Kind::kExact) value = found.version;
  if (kind == Kind::kUnchangedSince) value = found.last;
  // Mostly what holds, else one off.
  if (random_.OneIn(4)) value = random_.OneIn(2) || value == 0 ? value + 1 : value - 1;
  return {kind, value};
}

// One of the next full hours, or a moment before it.
std::uint64_t CommandLives::DrawDue() {
  return clock_.hour_ns() + (1 + random_.Below(12)) * CampaignClock::kHourNs - random_.Below(3);
}

void CommandLives::DrawTimers(DrawnCommand& drawn) {
  const auto cents = static_cast<std::int64_t>(1 + random_.Below(100));
  const std::uint64_t due_ns = DrawDue();
  switch (random_.Below(5)) {
    case 0: drawn.command = Unpledge{random_.Below(kTimerIds)}; break;
    case 1: drawn.command = Shuffle{due_ns, cents}; break;
    default: {
      const std::uint64_t again_ns =
          random_.OneIn(3) ? due_ns + (1 + random_.Below(4)) * CampaignClock::kHourNs : 0;
      drawn.command = Pledge{due_ns, again_ns, cents, random_.Below(kTimerIds)};
    }
  }
}

DrawnCommand CommandLives::Draw(const Sender& sender) {
  const auto key = [this] { return 1 + random_.Below(kKeys); };
  const auto cents = [this] { return static_cast<std::int64_t>(1 + random_.Below(100)); };
  DrawnCommand drawn;
  drawn.key = key();
  switch (random_.Below(11)) {
    case 8:
    case 9:
    case 10: DrawTimers(drawn); break;
    case 0: drawn.command = TakeOut{cents()}; break;
    case 1: drawn.command = MoveTo{Key(key()), Key(key()), cents()}; break;
    case 2: drawn.command = Look{}; break;
    case 3: {
      Engrave engrave;
      for (std::uint8_t& each : engrave.text) each = static_cast<std::uint8_t>(random_.Next());
      drawn.command = engrave;
      break;
    }
    case 4: drawn.command = CountUp{cents()}; break;
    case 5:
      switch (random_.Below(3)) {
        case 0: drawn.command = Shut{}; break;
        case 1: drawn.command = ShutAndPut{cents()}; break;
        default: drawn.command = HandOver{Key(key()), Key(key())}; break;
      }
      break;
    default: drawn.command = PutIn{cents()}; break;
  }
  if (random_.OneIn(3)) drawn.condition = DrawCondition(drawn.stream());
  while (random_.OneIn(5)) {
    const StreamName other{random_.OneIn(3) ? Category::kTally : Category::kPurse, key()};
    drawn.others.push_back({other, DrawCondition(other)});
  }
  if (random_.OneIn(5)) DrawKey(drawn);
  // Of one of the producer's own sequences, answered a while ago, maybe too long ago.
  const std::uint64_t last = sender.producer->last_sequence().value();
  if (sender.who.session != 0 && last != 0 && random_.OneIn(10)) {
    drawn.resend = last - random_.Below(std::min<std::uint64_t>(last, 2 * kWindow));
  }
  return drawn;
}

// Mostly of a command that was sent with it before, also by others and maybe long ago.
void CommandLives::DrawKey(DrawnCommand& drawn) {
  if (!keyed_.empty() && random_.OneIn(2)) {
    const DrawnCommand& before = keyed_[random_.Below(keyed_.size())];
    drawn.idempotency_key = before.idempotency_key;
    if (random_.OneIn(6)) return;  // another body, mostly
    drawn.command = before.command;
    drawn.key = before.key;
    return;
  }
  drawn.idempotency_key = 1 + random_.Below(1'000'000);
  keyed_.push_back(drawn);
  if (keyed_.size() > 2 * kKeysMax) keyed_.pop_front();
}

bool CommandLives::SendOne(Producer& producer, const DrawnCommand& drawn, Ack ack) {
  std::vector<StreamCondition> others;
  for (const DrawnOther& other : drawn.others) {
    const Key key(other.stream.key);
    const Condition condition = other.condition.ForEngine();
    others.push_back(other.stream.category == Category::kPurse
                         ? ConditionOn<Purse>(key, condition)
                         : ConditionOn<DailyTally>(key, condition));
  }
  const SubmitOptions options{.ack = ack,
                              .resend = Sequence(drawn.resend),
                              .condition = drawn.condition.ForEngine(),
                              .others = others,
                              .idempotency_key = Key(drawn.idempotency_key)};
  const Sent sent = std::visit(
      [&](const auto& command) {
        using C = std::remove_cvref_t<decltype(command)>;
        using A = std::conditional_t<std::is_same_v<C, CountUp>, DailyTally, Purse>;
        return producer.Submit<A>(Key(drawn.key), command, options);
      },
      drawn.command);
  if (!sent && !IsCrashed()) {
    Differ(absl::StrCat("refused at Submit: ", std::string(sent.reason()), ": ", Describe(drawn)));
  }
  return static_cast<bool>(sent);
}

void CommandLives::Send(Sender& sender, Batch& batch) {
  std::size_t sent = 0;
  while (sent < batch.commands.size() &&
         SendOne(*sender.producer, batch.commands[sent], batch.ack)) {
    ++sent;
  }
  batch.commands.resize(sent);
  RunEngine(*sender.producer, batch);
  if (!IsCrashed()) return Judge(batch);
  interrupted_ = std::move(batch);
  was_cut_ = false;
}

// Until nothing is left to do, or the machine went off.
void CommandLives::RunEngine(Producer& producer, Batch& batch) {
  take_answers_ = [&] {
    producer.Poll([&batch](const Completion& c) noexcept { batch.answers.push_back(c); });
  };
  int work = 1;
  while (!IsCrashed() && work != 0) {
    work = engine_->Poll(std::chrono::nanoseconds(0));
    // An engine whose machine went off knows nothing of it: what it says then counts for nothing.
    if (!IsCrashed()) take_answers_();
  }
  take_answers_ = {};
  if (!IsCrashed() && batch.answers.size() != batch.commands.size()) {
    Differ(absl::StrCat(batch.answers.size(), " of ", batch.commands.size(), " answered"));
  }
}

void CommandLives::Judge(const Batch& batch) {
  for (std::size_t i = 0; i < batch.commands.size() && difference_.empty(); ++i) {
    const ModelAnswer wanted = model_.Decide(batch.who, batch.commands[i]);
    JudgeOne(batch, i, wanted);
    Count(batch.commands[i], wanted);
    tally_.bulk += batch.who.lane == SessionLane::kBulk;
  }
}

void CommandLives::JudgeOne(const Batch& batch, std::size_t index, const ModelAnswer& wanted) {
  const ModelAnswer given = AnswerOf(batch.answers[index]);
  if (given == wanted) return;
  Differ(absl::StrCat(Describe(batch.commands[index]), ": engine ", Describe(given), "; model ",
                      Describe(wanted)));
}

void CommandLives::Count(const DrawnCommand& command, const ModelAnswer& answer) {
  ++tally_.commands;
  const bool is_by_key = command.idempotency_key != 0 && command.resend == 0;
  if (is_by_key && answer.is_duplicate) {
    ++tally_.key_duplicates;
    return;
  }
  tally_.key_reuses += answer.kind == VerdictKind::kKeyReused && !answer.is_duplicate;
  tally_.strangers += answer.kind == VerdictKind::kSessionUnknown;
  if (is_by_key && answer.kind == VerdictKind::kAccepted) {
    const auto again = [&](const DrawnCommand& each) {
      return each.idempotency_key == command.idempotency_key;
    };
    // The second time that it was executed.
    tally_.keys_passed += std::any_of(passed_.begin(), passed_.end(), again);
    passed_.push_back(command);
    if (passed_.size() > 4 * kKeysMax) passed_.pop_front();
  }
  if (answer.kind == VerdictKind::kExpired) {
    ++tally_.expired;
    return;
  }
  if (answer.is_duplicate) {
    ++tally_.resends;
    return;
  }
  tally_.accepted += answer.kind == VerdictKind::kAccepted;
  tally_.refused += answer.kind == VerdictKind::kRefused;
  tally_.conflicts += answer.kind == VerdictKind::kConflict;
  tally_.over_limit += answer.kind == VerdictKind::kLimitExceeded;
  tally_.fenced += answer.kind == VerdictKind::kFenced;
}

// --- after a crash ---

// So many first commands of the interrupted batch were answered at a level that survives.
std::size_t CommandLives::CommandsOwed() const {
  const bool survives = !was_cut_ || interrupted_.ack == Ack::kDurable;
  return survives ? interrupted_.answers.size() : 0;
}

// What was replayed is what was live.
void CommandLives::JudgeHash() {
  const auto before = std::exchange(hash_at_stop_, std::nullopt);
  if (before.has_value() && engine_->StateHash().value().sum != *before) {
    Differ("the state replayed after a stop has another hash than the live one");
  }
}

// Some first commands of the batch that was under way are in the log, those that are owed among
// them, or the closing that was under way is or is not: with one of these the model is what the log
// shows.
void CommandLives::JudgeSurvivors() {
  if (interrupted_.commands.empty() && interrupted_closing_ == 0) was_cut_ = false;
  bool is_explained = JudgeSurvivorsOf(model_);
  if (!is_explained && difference_.empty() && interrupted_closing_ != 0) {
    CommandModel closed = model_;
    closed.CloseSession(interrupted_closing_);
    is_explained = JudgeSurvivorsOf(std::move(closed));
  }
  if (!is_explained) {
    Differ(absl::StrCat("of ", interrupted_.commands.size(), " commands under way, ",
                        CommandsOwed(), " of them owed, no first ones explain what the log holds ",
                        "after the ", was_cut_ ? "power cut" : "kill"));
  }
  interrupted_ = {};
  interrupted_closing_ = 0;
}

bool CommandLives::JudgeSurvivorsOf(CommandModel after) {
  const std::size_t owed = CommandsOwed();
  for (std::size_t count = 0; difference_.empty(); ++count) {
    CommandModel reopened = after;
    reopened.Reopen();
    FireOverdue(reopened);
    // Of several numbers that look alike any one does: what tells them apart was refused.
    if (count >= owed && IsLikeEngine(reopened)) {
      tally_.timers_overdue += reopened.timers_fired() != after.timers_fired();
      tally_.timers_fired += reopened.timers_fired() - after.timers_fired();
      tally_.timers_refused += reopened.timers_refused() - after.timers_refused();
      tally_.lost += interrupted_.commands.size() - count;
      model_ = std::move(reopened);
      return true;
    }
    if (count == interrupted_.commands.size()) return false;
    const ModelAnswer wanted = after.Decide(interrupted_.who, interrupted_.commands[count]);
    if (count < owed) JudgeOne(interrupted_, count, wanted);
    ++tally_.commands;
  }
  return true;
}

// Some of what was due fired before the crash, some maybe in lives that ended while they opened:
// each of them began with the record of its epoch.
void CommandLives::FireOverdue(CommandModel& model) const {
  LogReader reader = engine_->log().NewReader();
  while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      const std::uint64_t position = record.position.value();
      if (record.header.kind != RecordKind::kEpochBegan || position < model.next()) return;
      model.FireDue(clock_.now_ns(), position);
      model.SetNextPosition(position + 1);
    });
  }
  model.FireDue(clock_.now_ns());
}

bool CommandLives::IsLikeEngine(const CommandModel& model) {
  if (model.commits() != CommitsIn(*engine_) || model.ShownStreams() != StreamsOfEngine() ||
      model.ShownTimers() != TimersOfEngine() || !HasClosedAsMany(model)) {
    return false;
  }
  // Each opening of a session says where it goes on; only new commands move it.
  return std::all_of(senders_.begin(), senders_.end(), [&model](const Sender& sender) {
    return sender.who.session == 0 ||
           (sender.producer->last_sequence().value() == model.last(sender.who) &&
            sender.who.generation >= model.NextGeneration(sender.who));
  });
}

// What is gone leaves no other trace of when it went, upon which conditions depend.
bool CommandLives::HasClosedAsMany(const CommandModel& model) const {
  const EngineStats stats = engine_->Stats();
  return stats.categories.at(0).closed == model.closed(Category::kPurse) &&
         stats.categories.at(1).closed == model.closed(Category::kTally);
}

CommandModel::Shown CommandLives::StreamsOfEngine() {
  CommandModel::Shown found;
  const auto take = [&found](Category category) {
    return [&found, category](const Key& key, Version version, const auto& state) {
      found[{category, key.low}] = {version.value(), state.sum};
    };
  };
  const absl::Status purses = engine_->VisitAggregates<Purse>(take(Category::kPurse));
  const absl::Status tallies = engine_->VisitAggregates<DailyTally>(take(Category::kTally));
  if (!purses.ok() || !tallies.ok()) Differ("aggregates cannot be visited");
  return found;
}

std::set<CommandModel::ShownTimer> CommandLives::TimersOfEngine() {
  std::set<CommandModel::ShownTimer> found;
  const absl::Status visited = engine_->VisitTimers<Purse, PledgeDue>(
      [&found](const Key& key, std::uint64_t id, std::uint64_t due_ns, const PledgeDue& timer) {
        found.emplace(key.low, id, due_ns, timer.cents);
      });
  if (!visited.ok()) Differ("timers cannot be visited");
  return found;
}

}  // namespace pawl::inline v0
