#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

#include <pawl/aggregate.h>
#include <pawl/engine.h>

// A lending library, as an example of an application's own aggregates. Two of them: a copy of a
// book, which is lent and given back, and a member, who may have three copies at a time.
namespace library {

// Text in commands and events is an array of char; zeros fill it up.
using Title = std::array<char, 32>;
constexpr Title TitleOf(std::string_view text) noexcept {
  Title title{};
  std::copy_n(text.begin(), std::min(text.size(), title.size()), title.begin());
  return title;
}

// Commands ask for something and may be refused. They are named as orders.
struct Join {};
enum class Language : std::uint8_t { kUnknown, kEnglish, kFrench };

struct Acquire {
  Title title;
  Language language;
};
struct Lend {
  pawl::Key member;
  std::uint32_t days;
};
struct TakeBack {};
struct Reserve {  // for three days, of a copy that stands on its shelf
  pawl::Key member;
};

enum class Condition : std::uint8_t { kNew, kUsed };

// Events say what happened. They are kept for ever: a changed field is a new version, which the
// test of layouts.txt insists on. Bytes between or behind the fields are not allowed: add fields.
struct Joined {
  static constexpr pawl::EventType kType{"library.joined", 1};
};
// [readme]
// As logs hold it that are older than `language`; stays as it is.
struct AcquiredV1 {
  static constexpr pawl::EventType kType{"library.acquired", 1};
  Title title;
  Condition condition;
};
// What Decide emits, and what Evolve, views and readers see, whatever the log holds.
struct Acquired {
  static constexpr pawl::EventType kType{"library.acquired", 2};
  using Older = AcquiredV1;
  Title title;
  Condition condition;
  Language language;
};
inline Acquired Upcast(const AcquiredV1& e) noexcept {
  return {e.title, e.condition, Language::kUnknown};
}
// [/readme]
struct Lent {
  static constexpr pawl::EventType kType{"library.lent", 1};
  pawl::Key member;
  std::uint64_t due_ns;  // nanoseconds since 1970
};
struct TakenBack {
  static constexpr pawl::EventType kType{"library.taken-back", 1};
  std::int64_t fee_cents;
};
struct Borrowed {
  static constexpr pawl::EventType kType{"library.borrowed", 1};
  pawl::Key copy;
};
struct GivenBack {
  static constexpr pawl::EventType kType{"library.given-back", 1};
  pawl::Key copy;
};

struct Reserved {
  static constexpr pawl::EventType kType{"library.reserved", 1};
  pawl::Key member;
};
struct Released {  // nobody came for it
  static constexpr pawl::EventType kType{"library.released", 1};
};

// Timers are set along with events, and come back to Decide when they are due.
struct ReservationOver {
  static constexpr pawl::EventType kType{"library.reservation-over", 1};
};

constexpr std::uint64_t kDayNs = std::chrono::nanoseconds(std::chrono::days(1)).count();
constexpr std::uint32_t kLoanDaysMax = 28;
constexpr std::chrono::days kReservation{3};
constexpr std::uint32_t kLoansMax = 3;        // of one member
constexpr std::int64_t kFeePerDayCents = 20;  // for each day begun after the due time

struct Member {
  using Commands = pawl::Commands<Join>;
  using Events = pawl::Events<Joined, Borrowed, GivenBack>;
  static constexpr std::string_view kCategory = "member";
  enum Refusal : std::uint16_t { kIsMember = 1 };
  struct State {
    bool has_joined = false;
    std::uint32_t loans = 0;
  };

  static pawl::Verdict Decide(const State& s, const Join&, pawl::Emit<Member>& emit) noexcept {
    if (s.has_joined) return pawl::Refuse(kIsMember);
    emit(Joined{});
    return pawl::Accept();
  }

  static void Evolve(State& s, const Joined&) noexcept { s.has_joined = true; }
  static void Evolve(State& s, const Borrowed&) noexcept { ++s.loans; }
  static void Evolve(State& s, const GivenBack&) noexcept { --s.loans; }
};

struct Copy {
  using Commands = pawl::Commands<Acquire, Lend, TakeBack, Reserve>;
  using Events = pawl::Events<Acquired, Lent, TakenBack, Reserved, Released>;
  using Timers = pawl::Timers<ReservationOver>;
  static constexpr std::string_view kCategory = "copy";
  enum Refusal : std::uint16_t {
    kIsThere = 1,
    kIsNotThere,
    kIsLent,
    kIsNotLent,
    kNoSuchMember,
    kTooManyLoans,
    kTooLong,
    kIsReserved,
  };
  struct State {
    bool is_there = false;
    Language language = Language::kUnknown;
    pawl::Key member;        // zero: it stands on its shelf
    pawl::Key reserved_for;  // zero: for nobody
    std::uint64_t due_ns = 0;
  };

  static pawl::Verdict Decide(const State& s, const Acquire& c, pawl::Emit<Copy>& emit) noexcept {
    if (s.is_there) return pawl::Refuse(kIsThere);
    emit(Acquired{c.title, Condition::kNew, c.language});
    return pawl::Accept();
  }
  // Touches two aggregates: all events of one command are in the log together or not at all.
  static pawl::Verdict Decide(const State& s, const Lend& c, const pawl::Others& others,
                              pawl::Emit<Copy>& emit) noexcept {
    if (!s.is_there) return pawl::Refuse(kIsNotThere);
    if (!s.member.is_zero()) return pawl::Refuse(kIsLent);
    const auto* member = others.Find<Member>(c.member);
    if (member == nullptr || !member->has_joined) return pawl::Refuse(kNoSuchMember);
    if (member->loans >= kLoansMax) return pawl::Refuse(kTooManyLoans);
    if (c.days > kLoanDaysMax) return pawl::Refuse(kTooLong);
    if (!s.reserved_for.is_zero() && s.reserved_for != c.member) return pawl::Refuse(kIsReserved);
    emit(Lent{c.member, emit.now_ns() + c.days * kDayNs});  // the only clock that Decide may read
    emit.On<Member>(c.member, Borrowed{emit.key()});
    emit.Cancel<ReservationOver>();  // if there is one
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const TakeBack&, pawl::Emit<Copy>& emit) noexcept {
    if (s.member.is_zero()) return pawl::Refuse(kIsNotLent);
    emit(TakenBack{Fee(s.due_ns, emit.now_ns())});
    emit.On<Member>(s.member, GivenBack{emit.key()});
    return pawl::Accept();
  }

  static pawl::Verdict Decide(const State& s, const Reserve& c, pawl::Emit<Copy>& emit) noexcept {
    if (!s.is_there) return pawl::Refuse(kIsNotThere);
    if (!s.member.is_zero()) return pawl::Refuse(kIsLent);
    if (!s.reserved_for.is_zero()) return pawl::Refuse(kIsReserved);
    emit(Reserved{c.member});
    emit.After(kReservation, ReservationOver{});
    return pawl::Accept();
  }
  // Three days later, once, also if the program did not run then.
  static pawl::Verdict Decide(const State&, const ReservationOver&,
                              pawl::Emit<Copy>& emit) noexcept {
    emit(Released{});
    return pawl::Accept();
  }

  static void Evolve(State& s, const Acquired& e) noexcept {
    s.is_there = true;
    s.language = e.language;
  }
  static void Evolve(State& s, const Reserved& e) noexcept { s.reserved_for = e.member; }
  static void Evolve(State& s, const Released&) noexcept { s.reserved_for = {}; }
  static void Evolve(State& s, const Lent& e) noexcept {
    s.reserved_for = {};
    s.member = e.member;
    s.due_ns = e.due_ns;
  }
  static void Evolve(State& s, const TakenBack&) noexcept { s.member = {}; }

 private:
  static std::int64_t Fee(std::uint64_t due_ns, std::uint64_t now_ns) noexcept {
    if (now_ns <= due_ns) return 0;
    return static_cast<std::int64_t>((now_ns - due_ns + kDayNs - 1) / kDayNs) * kFeePerDayCents;
  }
};

// What the engine is opened with, and what the test of the layouts looks at.
using Aggregates = pawl::Aggregates<Copy, Member>;

}  // namespace library
