#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/aggregate.h"
#include "pawl/domain_case.h"
#include "pawl/engine.h"
#include "pawl/layout_lock.h"

// Tests of a user's aggregates with GoogleTest: what happened, what is asked, what is to come of
// it.
//
//   TEST(Account, IsNotOverdrawn) {
//     pawl::testing::Given<Account>(Deposited{500})
//         .When(Withdraw{600})
//         .ThenRefused(Account::kInsufficientFunds);
//   }
//
// Decide and Evolve run as in the engine, by its own code: Decide sees the state before the
// command, a refusal or a limit exceeded leaves nothing behind, events are evolved in order. What
// is missing is only the log. Failures are non-fatal and carry the caller's line. Link
// pawl::testing.
namespace pawl::inline v0::testing {

// The aggregate of a Given without a key.
inline constexpr Key kKey{1};

// Beside events in Given and Then: a timer that was set, as by emit.After(delay, timer, id) or
// emit.At(time_ns, timer, id), and one that was cancelled.
template <class T>
TimerSetOf<T> TimerSet(std::chrono::nanoseconds delay, const T& timer = {}, std::uint64_t id = 0) {
  return {timer, id, true, static_cast<std::uint64_t>(std::max(delay.count(), std::int64_t{0}))};
}
template <class T>
TimerSetOf<T> TimerSetAt(std::uint64_t time_ns, const T& timer = {}, std::uint64_t id = 0) {
  return {timer, id, false, time_ns};
}
template <class T>
TimerCancelledOf<T> TimerCancelled(std::uint64_t id = 0) {
  return {id};
}

namespace case_detail {

inline void Report(const std::string& problem, const std::source_location& where) {
  if (problem.empty()) return;
  ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << problem;
}

}  // namespace case_detail

// An event of B, of whichever type, and the line that names it.
template <class B>
class EventOf {
 public:
  template <class E>
  // Not explicit: events are written where an EventOf<B> is asked for.
  EventOf(const E& event, std::source_location where = std::source_location::current())
      : fact_(MakeFact<B>(kKey, event)), where_(where) {}

  Fact On(const Key& key) const {
    Fact fact = fact_;
    fact.key = key;
    return fact;
  }
  const std::source_location& where() const noexcept { return where_; }

 private:
  Fact fact_;
  std::source_location where_;
};

// A key, or the first event of kKey.
template <class B>
class KeyOrEventOf {
 public:
  KeyOrEventOf(const Key& key, std::source_location where = std::source_location::current())
      : key_(key), where_(where) {}
  template <class E>
  KeyOrEventOf(const E& event, std::source_location where = std::source_location::current())
      : key_(kKey), where_(where) {
    facts_.push_back(MakePastFact<B>(kKey, event));
  }

  const Key& key() const noexcept { return key_; }
  const std::vector<Fact>& facts() const noexcept { return facts_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  Key key_;
  std::vector<Fact> facts_;
  std::source_location where_;
};

// What a command is refused with: a value of an enum, or a number.
class Refused {
 public:
  template <class Code>
  explicit Refused(Code code) noexcept : code_(pawl::Refuse(code).code()) {
    const auto names = EnumeratorsOf<Code>();
    if (code_ < names.size()) name_ = names[code_];
  }

  std::uint16_t code() const noexcept { return code_; }
  std::string_view name() const noexcept { return name_; }

 private:
  std::uint16_t code_;
  std::string_view name_;
};

// One case about the aggregate `key` of type A, written as a chain. A chain may go on with another
// When: what the first one emitted has then happened. A case that checks nothing fails; so does one
// that names some events of a command and not those on its other streams.
//   threads   one at a time
template <class A>
class [[nodiscard]] Case {
 public:
  template <class... Es>
  explicit Case(const KeyOrEventOf<A>& first, const Es&... more)
      : key_(first.key()), where_(first.where()) {
    AndGiven<A>(first, more...);
  }
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;
  // May throw where GoogleTest is told to throw upon failures.
  ~Case() noexcept(false) { case_detail::Report(case_.EndCase(), where_); }

  // What else happened: to the aggregate `key` of type B, or to kKey of it if the first is an
  // event. Older versions of events happened too, and are upcast as in an engine.
  template <class B, class... Es>
  Case& AndGiven(const KeyOrEventOf<B>& first, const Es&... more) {
    EndCommand();
    case_.Open(AggregateFormatOf<B>());
    for (const Fact& fact : first.facts()) {
      case_detail::Report(case_.AddFact(fact), first.where());
    }
    (case_detail::Report(case_.AddFact(MakePastFact<B>(first.key(), more)), first.where()), ...);
    return *this;
  }
  // The types that the engine is opened with; those that the case names are known anyway.
  template <class... Bs>
  Case& With(Aggregates<Bs...> /*aggregates*/) {
    (case_.Open(AggregateFormatOf<Bs>()), ...);
    return *this;
  }
  // Options of the engine that a command may exceed.
  Case& Within(const Limits& limits) {
    case_.SetLimits(limits);
    return *this;
  }
  // Engine time of the commands from here on; it begins at kStartOfTime and never goes back. Timers
  // that become due on the way, 1,000 at most, fire, each at its time and in the engine's order;
  // what all of them did is checked as a command's: Then(…), ThenNothing(), or ThenRefused(…) of
  // the first that was refused.
  Case& At(std::chrono::sys_time<std::chrono::nanoseconds> time,
           std::source_location where = std::source_location::current()) {
    const std::int64_t ns = std::max(time.time_since_epoch().count(), std::int64_t{0});
    return SetTime(static_cast<std::uint64_t>(ns), where);
  }
  // Time passes; After(0s) fires what is due right behind a command.
  Case& After(std::chrono::nanoseconds time,
              std::source_location where = std::source_location::current()) {
    const std::uint64_t now_ns = case_.now_ns();
    const auto ns = static_cast<std::uint64_t>(time.count());
    const bool is_back_beyond_1970 = time.count() < 0 && now_ns + ns > now_ns;
    return SetTime(is_back_beyond_1970 ? 0 : now_ns + ns, where);
  }

  // Decides a command to the aggregate, or to another one.
  template <class C>
  Case& When(const C& command, std::source_location where = std::source_location::current()) {
    return WhenOn<A>(key_, command, where);
  }
  template <class B, class C>
  Case& WhenOn(const Key& key, const C& command,
               std::source_location where = std::source_location::current()) {
    static_assert(B::Commands::template kHas<C>,
                  "pawl: this command is not in the aggregate's Commands");
    EndCommand();
    where_ = where;
    std::string text(TypeName<C>());
    if constexpr (PlainStruct<C>) {
      AppendValue(text, FormatOf<C>(), reinterpret_cast<const std::byte*>(&command));
    }
    Report(case_.Decide({&AggregateFormatOf<B>(), key, std::move(text),
                         [key, command](DecisionStage& stage, std::uint64_t now_ns) {
                           return stage.Decide<B, C>(key, command, now_ns);
                         }}));
    return *this;
  }

  // It was accepted, and these are its events on the aggregate, in order, or on another one; timers
  // that it set and cancelled stand among them.
  template <class... Es>
  Case& Then(const EventOf<A>& first, const Es&... more) {
    return CheckEvents<A>(key_, first, more...);
  }
  template <class B, class... Es>
  Case& ThenOn(const Key& key, const EventOf<B>& first, const Es&... more) {
    return CheckEvents<B>(key, first, more...);
  }
  // It was accepted and emitted nothing at all.
  Case& ThenNothing(std::source_location where = std::source_location::current()) {
    where_ = where;
    return Report(case_.CheckNothing());
  }
  Case& Then(const Refused& refused, std::source_location where = std::source_location::current()) {
    where_ = where;
    return Report(case_.CheckRefused(refused.code(), refused.name()));
  }
  template <class Code>
  Case& ThenRefused(Code code, std::source_location where = std::source_location::current()) {
    return Then(Refused(code), where);
  }
  Case& ThenLimitExceeded(std::source_location where = std::source_location::current()) {
    where_ = where;
    return Report(case_.CheckLimitExceeded());
  }
  // Calls f(const State&), which holds expectations: the state after the command, or after what is
  // given. Of an aggregate to which nothing happened: State{}, as Decide sees it.
  template <class F>
  Case& ThenState(F&& f, std::source_location where = std::source_location::current()) {
    return ThenStateOf<A>(key_, std::forward<F>(f), where);
  }
  template <class B, class F>
  Case& ThenStateOf(const Key& key, F&& f,
                    std::source_location where = std::source_location::current()) {
    static_assert(std::invocable<F&, const typename B::State&>,
                  "pawl: ThenState takes a function of (const State&)");
    where_ = where;
    case_.Open(AggregateFormatOf<B>());
    Report(case_.CheckState());
    const ::testing::ScopedTrace trace(where.file_name(), static_cast<int>(where.line()),
                                       "the state of the case");
    const typename B::State* state = case_.stage().template Find<B>(key);
    f(state == nullptr ? internal::kNothing<B> : *state);
    return *this;
  }

  // What became of the last command, for tests that compare it themselves.
  const Decision& decision() noexcept { return case_.decision(); }

 private:
  template <class B, class... Es>
  Case& CheckEvents(const Key& key, const EventOf<B>& first, const Es&... more) {
    where_ = first.where();
    const std::vector<Fact> expected{first.On(key), MakeFact<B>(key, more)...};
    return Report(case_.CheckEvents(AggregateFormatOf<B>(), key, expected));
  }
  Case& SetTime(std::uint64_t now_ns, const std::source_location& where) {
    EndCommand();
    case_detail::Report(case_.SetTime(now_ns), where);
    return *this;
  }
  void EndCommand() { Report(case_.EndCommand()); }
  Case& Report(const std::string& problem) {
    case_detail::Report(problem, where_);
    return *this;
  }

  const Key key_;
  std::source_location where_;  // of the newest When or Then
  DomainCase case_;
};

// Begins a case about an aggregate of type A: one to which nothing happened, or its key (kKey if
// not given) and its events in order.
template <class A>
Case<A> Given(std::source_location where = std::source_location::current()) {
  return Case<A>(KeyOrEventOf<A>(kKey, where));
}
template <class A, class... Es>
Case<A> Given(const KeyOrEventOf<A>& first, const Es&... more) {
  return Case<A>(first, more...);
}

// The layouts of all events of the aggregates are those that the file `path` holds: see
// pawl/layout_lock.h. With PAWL_UPDATE_LAYOUTS=1 in the environment new events are added to it.
//   Aggregates  pawl::Aggregates<…>, the ones that the engine is opened with
template <class Aggregates>
void ExpectLayouts(const std::string& path,
                   std::source_location where = std::source_location::current()) {
  case_detail::Report(CheckLayouts(Aggregates::Traits(), path, LayoutUpdateFromEnvironment()),
                      where);
}

}  // namespace pawl::inline v0::testing
