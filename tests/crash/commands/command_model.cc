#include "command_model.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

std::string Describe(const ModelAnswer& answer) {
  return absl::StrCat(std::string(ToString(answer.kind)), " code ", answer.code, ", version ",
                      answer.version, ", position ", answer.position,
                      answer.is_duplicate ? ", duplicate" : "");
}

void CommandModel::OpenSession(const Sender& sender) {
  ++next_;
  const auto [session, is_new] = sessions_.try_emplace(sender.session);
  if (is_new) session->second.base = closed_generation_;
  session->second.lanes[sender.lane].generation = sender.generation;
  session->second.used = session->second.used_in_log = now_;
}

bool CommandModel::CloseSession(std::uint32_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  ++next_;
  ++commits_;
  for (const auto& [lane, each] : found->second.lanes) {
    closed_generation_ = std::max(closed_generation_, each.generation);
  }
  sessions_.erase(found);
  return true;
}

bool CommandModel::IsIdle(std::uint32_t session, std::uint64_t ticks) const {
  const auto found = sessions_.find(session);
  return found != sessions_.end() && now_ - found->second.used >= ticks;
}

const CommandModel::Lane* CommandModel::Find(const Sender& sender) const {
  const auto session = sessions_.find(sender.session);
  if (session == sessions_.end()) return nullptr;
  const auto lane = session->second.lanes.find(sender.lane);
  return lane == session->second.lanes.end() ? nullptr : &lane->second;
}

std::uint64_t CommandModel::last(const Sender& sender) const {
  const Lane* const lane = Find(sender);
  return lane == nullptr ? 0 : lane->last;
}

std::uint32_t CommandModel::NextGeneration(const Sender& sender) const {
  if (const Lane* const lane = Find(sender)) return lane->generation + 1;
  const auto session = sessions_.find(sender.session);
  return 1 + (session == sessions_.end() ? closed_generation_ : session->second.base);
}

bool CommandModel::IsOf(const Sender& sender) const {
  const auto session = sessions_.find(sender.session);
  return session != sessions_.end() && sender.generation > session->second.base;
}

bool CommandModel::Has(const Sender& sender) const {
  const Lane* const lane = Find(sender);
  return IsOf(sender) && lane != nullptr && lane->generation == sender.generation;
}

CommandModel::Shown CommandModel::ShownStreams() const {
  Shown shown;
  for (const auto& [name, stream] : streams_) {
    if (stream.version != 0) shown[name] = {stream.version, stream.sum};
  }
  return shown;
}

std::set<CommandModel::ShownTimer> CommandModel::ShownTimers() const {
  std::set<ShownTimer> shown;
  for (const auto& [key, timer] : timers_) {
    shown.emplace(key.purse, key.id, timer.due_ns, timer.cents);
  }
  return shown;
}

ModelAnswer CommandModel::Decide(const Sender& sender, const DrawnCommand& command) {
  if (sender.session == 0) return JudgeKey(command, false);
  if (!IsOf(sender)) return {.kind = VerdictKind::kSessionUnknown};
  if (!Has(sender)) return {.kind = VerdictKind::kFenced};
  Session& session = sessions_.at(sender.session);
  Lane& own = session.lanes.at(sender.lane);
  session.used = now_;
  if (command.resend != 0) return Recall(own, command.resend);
  const std::uint64_t commits = commits_;
  const ModelAnswer answer = JudgeKey(command, true);
  if (commits_ != commits) session.used_in_log = now_;
  own.answers[++own.last] = answer;
  own.answers[own.last].is_duplicate = false;
  if (own.answers.size() > 2 * limits_.window) own.answers.erase(own.answers.begin());
  return answer;
}

ModelAnswer CommandModel::Recall(const Lane& lane, std::uint64_t sequence) const {
  if (lane.last - sequence >= limits_.window) {
    return {.kind = VerdictKind::kExpired, .is_duplicate = true};
  }
  ModelAnswer answer = lane.answers.at(sequence);
  answer.is_duplicate = true;
  // Of a conflict the verdict is remembered, not what the stream was like.
  if (answer.kind != VerdictKind::kAccepted) answer.version = answer.position = 0;
  return answer;
}

const CommandModel::UsedKey* CommandModel::Find(std::uint64_t key) const {
  for (auto each = keys_.rbegin(); each != keys_.rend(); ++each) {
    if (each->key == key) return now_ - each->tick < limits_.key_window ? &*each : nullptr;
  }
  return nullptr;
}

ModelAnswer CommandModel::JudgeKey(const DrawnCommand& command, bool has_session) {
  const std::uint64_t key = command.idempotency_key;
  if (key == 0) return Judge(command, has_session);
  if (const UsedKey* const used = Find(key)) {
    if (used->body != BodyOf(command)) return {.kind = VerdictKind::kKeyReused};
    ModelAnswer answer = used->answer;
    answer.is_duplicate = true;
    // A session remembers what it was answered, by a record.
    next_ += has_session ? 1 : 0;
    commits_ += has_session ? 1 : 0;
    return answer;
  }
  const ModelAnswer answer = Judge(command, true);
  if (answer.kind != VerdictKind::kAccepted) return answer;
  keys_.push_back({key, BodyOf(command), answer, now_});
  if (keys_.size() > limits_.keys_max) keys_.pop_front();
  return answer;
}

CommandModel::Stream CommandModel::Find(const StreamName& name) const {
  const auto found = streams_.find(name);
  // Without a version it has had a timer, and nothing more.
  if (found != streams_.end() && found->second.version != 0) return found->second;
  const auto closed = closed_at_.find(name);
  return closed == closed_at_.end() ? Stream{} : Stream{.last = closed->second};
}

bool CommandModel::Holds(const DrawnCondition& condition, const Stream& stream) const {
  using Kind = DrawnCondition::Kind;
  switch (condition.kind) {
    case Kind::kAny: return true;
    case Kind::kNoStream: return stream.version == 0;
    case Kind::kExists: return stream.version != 0;
    case Kind::kExact: return stream.version == condition.value;
    case Kind::kUnchangedSince: return stream.last <= condition.value;
  }
  return false;
}

ModelAnswer CommandModel::ConflictWith(const StreamName& name, std::uint16_t code) const {
  const Stream stream = Find(name);
  return {.kind = VerdictKind::kConflict,
          .code = code,
          .version = stream.version,
          .position = stream.last};
}

ModelAnswer CommandModel::Judge(const DrawnCommand& command, bool leaves_record) {
  std::uint16_t number = 0;
  for (const DrawnOther& other : command.others) {
    ++number;
    if (!Holds(other.condition, Find(other.stream))) return ConflictWith(other.stream, number);
  }
  const StreamName own = command.stream();
  const Stream stream = Find(own);
  if (!Holds(command.condition, stream)) return ConflictWith(own, 0);

  const auto refused = [](std::uint16_t code) {
    return ModelAnswer{.kind = VerdictKind::kRefused, .code = code};
  };
  if (const auto* put = std::get_if<PutIn>(&command.command)) {
    return Apply({{own, put->cents}}, command, leaves_record);
  }
  if (const auto* take = std::get_if<TakeOut>(&command.command)) {
    if (stream.sum < take->cents) return refused(Purse::kTooFewCents);
    return Apply({{own, -take->cents}}, command, leaves_record);
  }
  if (const auto* move = std::get_if<MoveTo>(&command.command)) {
    const StreamName to{Category::kPurse, move->to.low};
    const std::vector<Effect> effects{
        {own, -move->cents}, {{Category::kTally, move->tally.low}, 1}, {to, move->cents}};
    // A limit is met while Decide emits, before it says anything.
    if (AreTooMany(effects)) return {.kind = VerdictKind::kLimitExceeded};
    if (Find(to).version == 0) return refused(Purse::kNoSuchPurse);
    if (stream.sum < move->cents) return refused(Purse::kTooFewCents);
    return Apply(effects, command, leaves_record);
  }
  if (const auto* engrave = std::get_if<Engrave>(&command.command)) {
    return Apply({{own, static_cast<std::int64_t>(SumOf(*engrave))}}, command, leaves_record);
  }
  if (const auto* count = std::get_if<CountUp>(&command.command)) {
    return Apply({{own, count->by}}, command, leaves_record);
  }
  using Kind = Effect::Kind;
  if (std::holds_alternative<Shut>(command.command)) {
    return Apply({{own, 0, Kind::kClose}}, command, leaves_record);
  }
  if (const auto* put = std::get_if<ShutAndPut>(&command.command)) {
    if (streams_.contains(own)) return {.kind = VerdictKind::kLimitExceeded};
    return Apply({{own, put->cents}}, command, leaves_record);
  }
  if (const auto* hand = std::get_if<HandOver>(&command.command)) {
    const StreamName to{Category::kPurse, hand->to.low};
    const std::vector<Effect> effects{{own, -stream.sum},
                                      {to, stream.sum},
                                      {{Category::kTally, hand->tally.low}, 0, Kind::kClose},
                                      {own, 0, Kind::kClose}};
    if (AreTooMany(effects)) return {.kind = VerdictKind::kLimitExceeded};
    if (Find(to).version == 0) return refused(Purse::kNoSuchPurse);
    return Apply(effects, command, leaves_record);
  }
  if (const auto* pledge = std::get_if<Pledge>(&command.command)) {
    return Apply({{own, pledge->cents, Kind::kSet, pledge->id, pledge->due_ns, pledge->again_ns}},
                 command, leaves_record);
  }
  if (const auto* unpledge = std::get_if<Unpledge>(&command.command)) {
    if (!timers_.contains({own.key, unpledge->id})) return Apply({}, command, leaves_record);
    return Apply({{own, 0, Kind::kCancel, unpledge->id}}, command, leaves_record);
  }
  if (const auto* shuffle = std::get_if<Shuffle>(&command.command)) {
    const std::vector<Effect> effects{{own, shuffle->cents},
                                      {own, 0, Kind::kCancel, 0},
                                      {own, shuffle->cents, Kind::kSet, 1, shuffle->due_ns},
                                      {own, shuffle->cents + 1, Kind::kSet, 1, shuffle->due_ns + 1},
                                      {own, shuffle->cents, Kind::kSet, 2, shuffle->due_ns},
                                      {own, 0, Kind::kCancel, 2}};
    if (AreTooMany(effects)) return {.kind = VerdictKind::kLimitExceeded};
    if (shuffle->cents % 2 != 0) return refused(Purse::kOdd);
    return Apply(effects, command, leaves_record);
  }
  return Apply({}, command, leaves_record);
}

bool CommandModel::AreTooMany(const std::vector<Effect>& effects) const {
  if (AreTooManyTimers(effects)) return true;
  std::set<StreamName> added;
  for (const Effect& effect : effects) {
    if (effect.kind == Effect::Kind::kClose || streams_.contains(effect.stream)) continue;
    added.insert(effect.stream);
  }
  return std::any_of(added.begin(), added.end(), [&](const StreamName& each) {
    const auto alike = std::count_if(added.begin(), added.end(), [&](const StreamName& other) {
      return other.category == each.category;
    });
    return CountOf(each.category) + static_cast<std::uint64_t>(alike) > limits_.streams_max;
  });
}

// Counted one after the other: what is cancelled later makes no room for what was set before.
bool CommandModel::AreTooManyTimers(const std::vector<Effect>& effects) const {
  std::set<TimerKey> set;
  for (const auto& [key, timer] : timers_) set.insert(key);
  for (const Effect& effect : effects) {
    const TimerKey key{effect.stream.key, effect.id};
    if (effect.kind == Effect::Kind::kCancel) set.erase(key);
    if (effect.kind == Effect::Kind::kSet) set.insert(key);
    if (set.size() > limits_.timers_max) return true;
  }
  return false;
}

std::uint64_t CommandModel::CountOf(Category category) const {
  return static_cast<std::uint64_t>(
      std::count_if(streams_.begin(), streams_.end(),
                    [category](const auto& each) { return each.first.category == category; }));
}

ModelAnswer CommandModel::Apply(const std::vector<Effect>& effects, const DrawnCommand& command,
                                bool leaves_record) {
  if (AreTooMany(effects)) return {.kind = VerdictKind::kLimitExceeded};
  ModelAnswer answer;
  const std::uint64_t first = next_;
  for (const Effect& effect : effects) {
    if (effect.kind == Effect::Kind::kClose) {
      Close(effect.stream, command, answer);
      continue;
    }
    // A new stream is bound by a record before its first event.
    if (effect.kind == Effect::Kind::kCancel && !timers_.contains({effect.stream.key, effect.id})) {
      continue;
    }
    if (!streams_.contains(effect.stream)) ++next_;
    Stream& stream = streams_[effect.stream];
    if (effect.kind != Effect::Kind::kEvent) {
      ApplyTimer(effect);
      continue;
    }
    ++stream.version;
    stream.sum += effect.by;
    stream.last = next_++;
    if (effect.stream == command.stream()) answer.version = stream.version;
  }
  // A command that leaves nothing else leaves a record of its own, if it has a session or a key.
  if (next_ == first && leaves_record) ++next_;
  if (next_ == first) return answer;
  ++commits_;
  answer.position = next_ - 1;
  return answer;
}

// Nothing, if it is not there.
void CommandModel::Close(const StreamName& name, const DrawnCommand& command, ModelAnswer& answer) {
  const auto found = streams_.find(name);
  if (found == streams_.end()) return;
  if (name == command.stream()) answer.version = found->second.version;
  streams_.erase(found);
  if (name.category == Category::kPurse) {
    std::erase_if(timers_, [&](const auto& each) { return each.first.purse == name.key; });
  }
  closed_at_[name] = next_++;
  ++closed_[name.category];
}

void CommandModel::ApplyTimer(const Effect& effect) {
  const TimerKey key{effect.stream.key, effect.id};
  if (effect.kind == Effect::Kind::kCancel) {
    timers_.erase(key);
  } else {
    timers_[key] = {effect.due_ns, next_, effect.by, effect.again_ns};
  }
  ++next_;
}

void CommandModel::FireDue(std::uint64_t now_ns, std::uint64_t end) {
  for (;;) {
    CommandModel fired = *this;
    if (!fired.FireFirst(now_ns) || fired.next_ > end) return;
    *this = std::move(fired);
  }
}

bool CommandModel::FireFirst(std::uint64_t now_ns) {
  const auto first =
      std::min_element(timers_.begin(), timers_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.second.due_ns, a.second.position) <
               std::pair(b.second.due_ns, b.second.position);
      });
  if (first == timers_.end() || first->second.due_ns > now_ns) return false;
  const auto [key, timer] = *first;
  timers_.erase(first);
  Fire(key, timer, now_ns);
  return true;
}

// Every other timer is due around a full hour: one set for at once comes behind all of them.
void CommandModel::Fire(const TimerKey& key, const Timer& timer, std::uint64_t now_ns) {
  const StreamName own{Category::kPurse, key.purse};
  using Kind = Effect::Kind;
  std::vector<Effect> effects{{own, -timer.cents},
                              {{Category::kTally, Purse::TallyOf(timer.cents).low}, 1}};
  if (timer.again_ns != 0) {
    // Of an hour that has passed too.
    const std::uint64_t due_ns = std::max(timer.again_ns, now_ns);
    effects.push_back({own, timer.cents, Kind::kSet, Purse::kAgainId, due_ns});
  }
  if (timer.cents % 8 == 0) effects.push_back({own, 1, Kind::kSet, Purse::kAtOnceId, now_ns});
  if (timer.cents % 10 == 9) effects.push_back({own, 0, Kind::kClose});
  ++next_;  // the record that it fired
  ++timers_fired_;
  if (AreTooMany(effects) || Find(own).sum < timer.cents) {
    ++timers_refused_;
    return;
  }
  Apply(effects, {}, false);
  --commits_;  // it is no command's
}

void CommandModel::Reopen() {
  for (auto& [number, session] : sessions_) {
    session.used = session.used_in_log;
    for (auto& [lane, each] : session.lanes) Reopen(each);
  }
}

void CommandModel::Reopen(Lane& lane) {
  std::uint64_t last = 0;
  for (auto& [sequence, answer] : lane.answers) {
    if (answer.kind == VerdictKind::kAccepted) {
      last = sequence;
    } else {
      answer = {.kind = VerdictKind::kRefused};
    }
  }
  lane.last = last;
  lane.answers.erase(lane.answers.upper_bound(last), lane.answers.end());
}

}  // namespace pawl::inline v0
