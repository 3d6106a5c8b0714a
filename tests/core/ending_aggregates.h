#pragma once

#include <cstdint>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl {

// Two aggregates whose commands close, themselves and each other, in every order that a Decide may.

struct Scribbled {
  static constexpr EventType kType{"ending.written", 1};
  std::int64_t value;
};
struct Observed {  // what Decide was told
  static constexpr EventType kType{"ending.observed", 1};
  std::uint64_t version;
  std::int64_t sum;     // of others.Find() of the key; −1: there is none
  std::uint64_t after;  // version behind a Close(), if there was one
};
struct Piled {
  static constexpr EventType kType{"ending.piled", 1};
  std::int64_t value;
};

struct Scribble {
  std::int64_t value;
};
struct End {};
struct EndTwice {};
struct WriteAndEnd {
  std::int64_t value;
};
struct EndAndWrite {};
struct EndOther {  // and itself, if asked
  Key other;
  std::uint64_t with_itself;
};
struct EndOtherAndWriteThere {
  Key other;
};
struct EndPile {
  Key pile;
};
struct EndAllAndRefuse {  // writes here and on `other`, makes `fresh`, closes all three, refuses
  Key other;
  Key fresh;
};
struct EndMany {  // first_key, first_key + 1, …, each written to if asked
  std::uint64_t first_key;
  std::uint32_t count;
  std::uint32_t writes;
};
struct Observe {  // on `on`, what it is told of its own key; closing first, if asked
  Key on;
  std::uint64_t closes;
};
struct MakeMany {
  std::uint64_t first_key;
  std::uint64_t count;
};
struct Pile {
  std::int64_t value;
};

struct Heap {
  using Commands = pawl::Commands<Pile>;
  using Events = pawl::Events<Piled>;
  static constexpr std::string_view kCategory = "heap";
  struct State {
    std::int64_t sum = 0;
  };
  static Verdict Decide(const State&, const Pile& c, Emit<Heap>& emit) noexcept {
    emit(Piled{c.value});
    return Accept();
  }
  static void Evolve(State& s, const Piled& e) noexcept { s.sum += e.value; }
};

struct Sheet {
  using Commands =
      pawl::Commands<Scribble, End, EndTwice, WriteAndEnd, EndAndWrite, EndOther,
                     EndOtherAndWriteThere, EndPile, EndAllAndRefuse, EndMany, Observe, MakeMany>;
  using Events = pawl::Events<Scribbled, Observed>;
  static constexpr std::string_view kCategory = "sheet";
  static constexpr std::uint16_t kRefusal = 77;
  struct State {
    std::int64_t sum = 0;
    std::int64_t events = 0;
  };

  static Verdict Decide(const State&, const Scribble& c, Emit<Sheet>& emit) noexcept {
    emit(Scribbled{c.value});
    return Accept();
  }
  static Verdict Decide(const State&, const End&, Emit<Sheet>& emit) noexcept {
    emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const EndTwice&, Emit<Sheet>& emit) noexcept {
    emit.Close();
    emit.CloseOn<Sheet>(emit.key());
    emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const WriteAndEnd& c, Emit<Sheet>& emit) noexcept {
    emit(Scribbled{c.value});
    emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const EndAndWrite&, Emit<Sheet>& emit) noexcept {
    emit.Close();
    emit(Scribbled{1});
    return Accept();
  }
  static Verdict Decide(const State&, const EndOther& c, Emit<Sheet>& emit) noexcept {
    emit(Scribbled{100});
    emit.CloseOn<Sheet>(c.other);
    if (c.with_itself != 0) emit.Close();
    return Accept();
  }
  static Verdict Decide(const State&, const EndOtherAndWriteThere& c, Emit<Sheet>& emit) noexcept {
    emit.CloseOn<Sheet>(c.other);
    emit.On<Sheet>(c.other, Scribbled{1});
    return Accept();
  }
  static Verdict Decide(const State&, const EndPile& c, Emit<Sheet>& emit) noexcept {
    emit.CloseOn<Heap>(c.pile);
    return Accept();
  }
  static Verdict Decide(const State&, const EndAllAndRefuse& c, Emit<Sheet>& emit) noexcept {
    emit(Scribbled{1});
    emit.On<Sheet>(c.other, Scribbled{2});
    emit.On<Sheet>(c.fresh, Scribbled{3});
    emit.CloseOn<Sheet>(c.other);
    emit.CloseOn<Sheet>(c.fresh);
    emit.Close();
    return Refuse(kRefusal);
  }
  static Verdict Decide(const State&, const EndMany& c, Emit<Sheet>& emit) noexcept {
    for (std::uint32_t i = 0; i < c.count; ++i) {
      if (c.writes != 0) emit.On<Sheet>(Key(c.first_key + i), Scribbled{1});
      emit.CloseOn<Sheet>(Key(c.first_key + i));
    }
    return Accept();
  }
  static Verdict Decide(const State&, const Observe& c, const Others& others,
                        Emit<Sheet>& emit) noexcept {
    const std::uint64_t version = emit.version().value();
    if (c.closes != 0) emit.Close();
    const State* own = others.Find<Sheet>(emit.key());
    emit.On<Sheet>(c.on, Observed{version, own == nullptr ? -1 : own->sum, emit.version().value()});
    return Accept();
  }
  static Verdict Decide(const State&, const MakeMany& c, Emit<Sheet>& emit) noexcept {
    for (std::uint64_t i = 0; i < c.count; ++i) emit.On<Sheet>(Key(c.first_key + i), Scribbled{1});
    return Accept();
  }

  static void Evolve(State& s, const Scribbled& e) noexcept {
    s.sum += e.value;
    ++s.events;
  }
  static void Evolve(State& s, const Observed&) noexcept { ++s.events; }
};

}  // namespace pawl
