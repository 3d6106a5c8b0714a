#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl::inline v0 {

// The domain of the command campaign: purses, and tallies that are written along with them.
struct PutIn {
  std::int64_t cents;
};
struct TakeOut {
  std::int64_t cents;
};
struct MoveTo {  // two purses and a tally, in one commit
  Key to;
  Key tally;
  std::int64_t cents;
};
struct Look {};   // accepted, changes nothing
struct Engrave {  // does not fit a slot
  std::array<std::uint8_t, 200> text;
};
struct CountUp {
  std::int64_t by;
};
struct Shut {};      // the purse is closed
struct ShutAndPut {  // which is too late, if there is one to be shut
  std::int64_t cents;
};
struct HandOver {  // all of it to another purse; this one and a tally are closed
  Key to;
  Key tally;
};
struct Pledge {  // takes the cents out when the time has come
  std::uint64_t due_ns;
  std::uint64_t again_ns;  // when to do so once more; 0: never
  std::int64_t cents;
  std::uint64_t id;
};
struct Unpledge {
  std::uint64_t id;
};
struct Shuffle {  // several changes of timers; refused in the end if `cents` is odd
  std::uint64_t due_ns;
  std::int64_t cents;
};

struct CentsPut {
  static constexpr EventType kType{"purse.cents-put", 1};
  std::int64_t cents;
};
struct CentsTaken {
  static constexpr EventType kType{"purse.cents-taken", 1};
  std::int64_t cents;
};
struct Engraved {
  static constexpr EventType kType{"purse.engraved", 1};
  std::uint64_t sum;
};
struct Counted {
  static constexpr EventType kType{"tally.counted", 1};
  std::int64_t by;
};

// Timer.
struct PledgeDue {
  static constexpr EventType kType{"purse.pledge-due", 1};
  std::int64_t cents;
  std::uint64_t again_ns;
};

inline std::uint64_t SumOf(const Engrave& command) noexcept {
  return std::accumulate(command.text.begin(), command.text.end(), std::uint64_t{1});
}

struct DailyTally {
  using Commands = pawl::Commands<CountUp>;
  using Events = pawl::Events<Counted>;
  static constexpr std::string_view kCategory = "tally";
  struct State {
    std::int64_t sum = 0;
  };
  static Verdict Decide(const State&, const CountUp& c, Emit<DailyTally>& emit) noexcept {
    emit(Counted{c.by});
    return Accept();
  }
  static void Evolve(State& s, const Counted& e) noexcept { s.sum += e.by; }
};

struct Purse {
  using Commands = pawl::Commands<PutIn, TakeOut, MoveTo, Look, Engrave, Shut, ShutAndPut, HandOver,
                                  Pledge, Unpledge, Shuffle>;
  using Events = pawl::Events<CentsPut, CentsTaken, Engraved>;
  using Timers = pawl::Timers<PledgeDue>;
  static constexpr std::string_view kCategory = "purse";
  enum Refusal : std::uint16_t { kTooFewCents = 7, kNoSuchPurse = 8, kOdd = 9 };
  static constexpr std::uint64_t kAgainId = 3;
  static constexpr std::uint64_t kAtOnceId = 4;
  struct State {
    std::int64_t sum = 0;
  };
  static Verdict Decide(const State&, const PutIn& c, Emit<Purse>& emit) noexcept {
    emit(CentsPut{c.cents});
    return Accept();
  }
  static Verdict Decide(const State& s, const TakeOut& c, Emit<Purse>& emit) noexcept {
    if (s.sum < c.cents) return Refuse(kTooFewCents);
    emit(CentsTaken{c.cents});
    return Accept();
  }
  // Emits before it refuses, so that there is something to take back.
  static Verdict Decide(const State& s, const MoveTo& c, const Others& others,
                        Emit<Purse>& emit) noexcept {
    emit(CentsTaken{c.cents});
    emit.On<DailyTally>(c.tally, Counted{1});
    emit.On<Purse>(c.to, CentsPut{c.cents});
    if (others.Find<Purse>(c.to) == nullptr) return Refuse(kNoSuchPurse);
    return s.sum < c.cents ? Refuse(kTooFewCents) : Accept();
  }
  static Verdict Decide(const State&, const Look&, Emit<Purse>&) noexcept { return Accept(); }
  static Verdict Decide(const State&, const Engrave& c, Emit<Purse>& emit) noexcept {
    emit(Engraved{SumOf(c)});
    return Accept();
  }
  static Verdict Decide(const State&, const Shut&, Emit<Purse>& emit) noexcept {
    emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const ShutAndPut& c, Emit<Purse>& emit) noexcept {
    emit.Close();
    emit(CentsPut{c.cents});
    return Accept();
  }
  // Closes before it refuses.
  static Verdict Decide(const State& s, const HandOver& c, const Others& others,
                        Emit<Purse>& emit) noexcept {
    emit(CentsTaken{s.sum});
    emit.On<Purse>(c.to, CentsPut{s.sum});
    emit.CloseOn<DailyTally>(c.tally);
    emit.Close();
    return others.Find<Purse>(c.to) == nullptr ? Refuse(kNoSuchPurse) : Accept();
  }
  static Verdict Decide(const State&, const Pledge& c, Emit<Purse>& emit) noexcept {
    emit.At(c.due_ns, PledgeDue{c.cents, c.again_ns}, c.id);
    return Accept();
  }
  static Verdict Decide(const State&, const Unpledge& c, Emit<Purse>& emit) noexcept {
    emit.Cancel<PledgeDue>(c.id);
    return Accept();
  }
  static Verdict Decide(const State&, const Shuffle& c, Emit<Purse>& emit) noexcept {
    emit(CentsPut{c.cents});
    emit.Cancel<PledgeDue>(0);
    emit.At(c.due_ns, PledgeDue{c.cents, 0}, 1);
    emit.At(c.due_ns + 1, PledgeDue{c.cents + 1, 0}, 1);
    emit.At(c.due_ns, PledgeDue{c.cents, 0}, 2);
    emit.Cancel<PledgeDue>(2);
    return c.cents % 2 == 0 ? Accept() : Refuse(kOdd);
  }
  // Emits and sets before it refuses, as MoveTo.
  static Verdict Decide(const State& s, const PledgeDue& t, Emit<Purse>& emit) noexcept {
    emit(CentsTaken{t.cents});
    emit.On<DailyTally>(TallyOf(t.cents), Counted{1});
    if (t.again_ns != 0) emit.At(t.again_ns, PledgeDue{t.cents, 0}, kAgainId);
    if (t.cents % 8 == 0) emit.After(std::chrono::nanoseconds(0), PledgeDue{1, 0}, kAtOnceId);
    if (t.cents % 10 == 9) emit.Close();  // with what it set
    return s.sum < t.cents ? Refuse(kTooFewCents) : Accept();
  }
  static Key TallyOf(std::int64_t cents) noexcept {
    return Key(1 + static_cast<std::uint64_t>(cents) % 24);
  }
  static void Evolve(State& s, const CentsPut& e) noexcept { s.sum += e.cents; }
  static void Evolve(State& s, const CentsTaken& e) noexcept { s.sum -= e.cents; }
  static void Evolve(State& s, const Engraved& e) noexcept {
    s.sum += static_cast<std::int64_t>(e.sum);
  }
};

}  // namespace pawl::inline v0
