#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl {

// An aggregate whose commands go to the limits of what a Decide may do.

struct Probed {  // 8 bytes: a record of 32
  static constexpr EventType kType{"probe.probed", 1};
  std::int64_t value;
};
struct Emptied {
  static constexpr EventType kType{"probe.emptied", 1};
};
template <std::size_t kBytes>
struct Filled {
  static constexpr EventType kType{kBytes % 2 == 0 ? "probe.filled-even" : "probe.filled-odd", 1};
  std::array<std::uint8_t, kBytes> bytes;
};
inline constexpr std::size_t kFilledMax = 256 * 1024;  // = kRecordPayloadBytesMax

struct EmitMany {  // `own` events here, then `other` events on `to`
  std::uint32_t own;
  std::uint32_t other;
  Key to;
};
struct EmitInterleaved {  // here, On(own key), On(to), here, On(to), On(own key)
  Key to;
};
struct EmitNewStreams {  // one event on each of first_key, first_key + 1, …
  std::uint64_t first_key;
  std::uint32_t count;
};
struct EmitThenRefuse {  // two events, `to` among them, then a refusal
  Key to;
};
struct EmitOneThenRefuse {};
struct EmitEmpty {};
struct FillMax {};   // a record as large as one may be
struct FillOver {};  // one byte more
struct AskOthers {   // emits here and on `to`, then records what Others says of both
  Key to;
};

struct Probe {
  using Commands = pawl::Commands<EmitMany, EmitInterleaved, EmitNewStreams, EmitThenRefuse,
                                  EmitOneThenRefuse, EmitEmpty, FillMax, FillOver, AskOthers>;
  using Events = pawl::Events<Probed, Emptied, Filled<kFilledMax>, Filled<kFilledMax + 1>>;
  static constexpr std::string_view kCategory = "probe";
  static constexpr std::uint16_t kRefusal = 65'535;
  static constexpr std::int64_t kNothing = -1;  // what AskOthers records for nullptr
  struct State {
    std::int64_t sum = 0;
    std::int64_t events = 0;
  };

  static Verdict Decide(const State&, const EmitMany& c, Emit<Probe>& emit) noexcept {
    for (std::uint32_t i = 0; i < c.own; ++i) emit(Probed{i});
    for (std::uint32_t i = 0; i < c.other; ++i) emit.On<Probe>(c.to, Probed{i});
    return Accept();
  }
  static Verdict Decide(const State&, const EmitInterleaved& c, Emit<Probe>& emit) noexcept {
    emit(Probed{1});
    emit.On<Probe>(emit.key(), Probed{2});
    emit.On<Probe>(c.to, Probed{3});
    emit(Probed{4});
    emit.On<Probe>(c.to, Probed{5});
    emit.On<Probe>(emit.key(), Probed{6});
    return Accept();
  }
  static Verdict Decide(const State&, const EmitNewStreams& c, Emit<Probe>& emit) noexcept {
    for (std::uint32_t i = 0; i < c.count; ++i) emit.On<Probe>(Key(c.first_key + i), Probed{1});
    return Accept();
  }
  static Verdict Decide(const State&, const EmitThenRefuse& c, Emit<Probe>& emit) noexcept {
    emit(Probed{7});
    emit.On<Probe>(c.to, Probed{7});
    return Refuse(kRefusal);
  }
  static Verdict Decide(const State&, const EmitOneThenRefuse&, Emit<Probe>& emit) noexcept {
    emit(Probed{7});
    return Refuse(kRefusal);
  }
  static Verdict Decide(const State&, const EmitEmpty&, Emit<Probe>& emit) noexcept {
    emit(Emptied{});
    return Accept();
  }
  static Verdict Decide(const State&, const FillMax&, Emit<Probe>& emit) noexcept {
    static constexpr Filled<kFilledMax> kFull{};
    emit(kFull);
    return Accept();
  }
  static Verdict Decide(const State&, const FillOver&, Emit<Probe>& emit) noexcept {
    static constexpr Filled<kFilledMax + 1> kTooFull{};
    emit(kTooFull);
    return Accept();
  }
  static Verdict Decide(const State& s, const AskOthers& c, const Others& others,
                        Emit<Probe>& emit) noexcept {
    emit(Probed{100});
    emit.On<Probe>(c.to, Probed{100});
    const State* other = others.Find<Probe>(c.to);
    const State* own = others.Find<Probe>(emit.key());
    emit(Probed{s.sum});
    emit(Probed{own == nullptr ? kNothing : own->sum});
    emit(Probed{other == nullptr ? kNothing : other->sum});
    return Accept();
  }

  static void Evolve(State& s, const Probed& e) noexcept {
    s.sum += e.value;
    ++s.events;
  }
  static void Evolve(State& s, const Emptied&) noexcept { ++s.events; }
  template <std::size_t kBytes>
  static void Evolve(State& s, const Filled<kBytes>&) noexcept {
    ++s.events;
  }
};

}  // namespace pawl
