#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pawl/aggregate.h"

namespace pawl {

// An aggregate whose handlers end the process, as long as they are told to. (Switches like these
// are what a pure handler must not have: they stand for a program that is mended.)
struct FuseSwitches {
  bool decide_kills = false;
  bool evolve_kills = false;
  bool decide_hangs = false;  // until somebody from outside ends the process
  int told_fd = -1;           // written to before it hangs
  void (*on_evolve)() = nullptr;
};
inline FuseSwitches fuse_switches;

struct Light {
  std::int64_t value;
};
struct Blow {
  std::uint64_t tag;
};
struct BlowLarge {  // does not fit a slot
  std::array<std::uint64_t, 25> tags;
};
struct Smoulder {  // what it emits ends the process
  std::uint64_t tag;
};
struct SetFuse {  // sets a timer that is due at once
  std::uint64_t tag;
};
struct Lit {
  static constexpr EventType kType{"fuse.lit", 1};
  std::int64_t value;
};
struct Smouldered {
  static constexpr EventType kType{"fuse.smouldered", 1};
  std::uint64_t tag;
};

// Timer.
struct BurntDown {
  static constexpr EventType kType{"fuse.burnt-down", 1};
  std::uint64_t tag;
};

struct Fuse {
  using Commands = pawl::Commands<Light, Blow, BlowLarge, Smoulder, SetFuse>;
  using Events = pawl::Events<Lit, Smouldered>;
  using Timers = pawl::Timers<BurntDown>;
  static constexpr std::string_view kCategory = "fuse";
  struct State {
    std::int64_t sum = 0;
  };
  static void EndOrHang() noexcept {
    if (fuse_switches.decide_hangs) {
      const char told = 1;
      static_cast<void>(!::write(fuse_switches.told_fd, &told, 1));
      for (;;) ::pause();
    }
    if (fuse_switches.decide_kills) std::abort();
  }
  static Verdict Decide(const State&, const Light& c, Emit<Fuse>& emit) noexcept {
    emit(Lit{c.value});
    return Accept();
  }
  static Verdict Decide(const State&, const Blow&, Emit<Fuse>& emit) noexcept {
    EndOrHang();
    emit(Lit{1000});
    return Accept();
  }
  static Verdict Decide(const State&, const BlowLarge&, Emit<Fuse>& emit) noexcept {
    EndOrHang();
    emit(Lit{1000});
    return Accept();
  }
  static Verdict Decide(const State&, const Smoulder& c, Emit<Fuse>& emit) noexcept {
    emit(Smouldered{c.tag});
    return Accept();
  }
  static Verdict Decide(const State&, const SetFuse& c, Emit<Fuse>& emit) noexcept {
    emit.After(std::chrono::nanoseconds(0), BurntDown{c.tag}, c.tag);
    return Accept();
  }
  static Verdict Decide(const State&, const BurntDown& t, Emit<Fuse>& emit) noexcept {
    // Only the first one of them, as a command of its own would.
    if (t.tag == 1) EndOrHang();
    emit(Lit{static_cast<std::int64_t>(t.tag)});
    return Accept();
  }
  static void Evolve(State& s, const Lit& e) noexcept {
    if (fuse_switches.on_evolve != nullptr) fuse_switches.on_evolve();
    s.sum += e.value;
  }
  static void Evolve(State& s, const Smouldered&) noexcept {
    if (fuse_switches.evolve_kills) std::abort();
    s.sum += 7;
  }
};

}  // namespace pawl
