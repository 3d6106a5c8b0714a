#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pawl/aggregate.h"
#include "pawl/state_hash.h"

namespace pawl {

struct Put {
  std::int64_t item;
  std::int64_t count;
};
struct PutIn {
  static constexpr EventType kType{"hashed.put-in", 1};
  std::int64_t item;
  std::int64_t count;
};

// What the aggregates below have in common.
template <class A>
struct HashedAggregate {
  using Commands = pawl::Commands<Put>;
  using Events = pawl::Events<PutIn>;
  template <class State>
  static Verdict Decide(const State&, const Put& c, Emit<A>& emit) noexcept {
    emit(PutIn{c.item, c.count});
    return Accept();
  }
};

// Fields with padding between and behind them.
struct Padded : HashedAggregate<Padded> {
  static constexpr std::string_view kCategory = "padded";
  struct Inner {
    std::uint8_t small;
    std::int64_t large;
  };
  struct State {
    std::uint8_t puts = 0;
    Inner newest{};
    std::array<std::uint16_t, 3> items{};
    bool is_full = false;
  };
  static void Evolve(State& s, const PutIn& e) noexcept {
    ++s.puts;
    s.newest = {static_cast<std::uint8_t>(e.item), e.count};
    s.items[s.puts % 3] = static_cast<std::uint16_t>(e.item);
    s.is_full = s.puts > 3;
  }
};

// A State with containers, hashed by a function beside it.
struct Basket : HashedAggregate<Basket> {
  static constexpr std::string_view kCategory = "basket";
  struct State {
    std::string label;
    std::vector<std::int64_t> order;
    std::unordered_map<std::int64_t, std::int64_t> counts;
  };
  static void Evolve(State& s, const PutIn& e) noexcept {
    s.label = std::to_string(e.item);
    s.order.push_back(e.item);
    s.counts[e.item] += e.count;
  }
};
inline void HashState(StateHasher& into, const Basket::State& state) noexcept {
  into.Add(state.label);
  into.AddRange(state.order);
  into.AddUnordered(state.counts);
}

// A State that nothing says how to hash.
struct Sealed : HashedAggregate<Sealed> {
  static constexpr std::string_view kCategory = "sealed";
  struct State {
    std::unique_ptr<int> secret;
  };
  static void Evolve(State&, const PutIn&) noexcept {}
};

// Not a function of State and event: it counts the calls of this process.
struct Forgetful : HashedAggregate<Forgetful> {
  static constexpr std::string_view kCategory = "forgetful";
  struct State {
    std::int64_t count = 0;
  };
  static inline std::int64_t calls = 0;
  static void Evolve(State& s, const PutIn& e) noexcept { s.count += e.count + ++calls; }
};

}  // namespace pawl
