#pragma once

#include <cstdint>
#include <string_view>

#include "book.h"
#include <pawl/aggregate.h>
#include <pawl/event.h>

// One order of the exchange, from its placing to its end. Every message about it also moves the
// book of its instrument: two streams, one commit.
namespace market {

struct Place {
  Movement movement;
};
struct Reduce {  // cancel a part
  Movement movement;
};
struct Delete {
  Movement movement;
};
struct Execute {
  Movement movement;
};

// Whether a message names an order that we saw being placed. Others rested below the best level
// when the day began to be recorded, and what they have left is not known.
enum class Standing : std::int64_t { kKnown = 1, kUnknown = 2 };

struct Placed {
  static constexpr pawl::EventType kType{"market.order_placed", 1};
  std::int64_t price;
  std::int32_t shares;
  Side side;
};
struct Reduced {
  static constexpr pawl::EventType kType{"market.order_reduced", 1};
  std::int32_t shares;
  std::int32_t left;
  Standing standing;
};
struct Deleted {
  static constexpr pawl::EventType kType{"market.order_deleted", 1};
  std::int32_t shares;
  std::int32_t left;  // 0
  Standing standing;
};
struct Executed {
  static constexpr pawl::EventType kType{"market.order_executed", 1};
  std::int32_t shares;
  std::int32_t left;
  Standing standing;
};

struct Order {
  using Commands = pawl::Commands<Place, Reduce, Delete, Execute>;
  using Events = pawl::Events<Placed, Reduced, Deleted, Executed>;
  static constexpr std::string_view kCategory = "order";

  enum class Phase : std::uint8_t { kUnseen, kOpen, kEnded };
  struct State {
    std::int64_t price = 0;
    std::int32_t left = 0;
    Side side = Side::kBuy;
    Phase phase = Phase::kUnseen;
  };

  static pawl::Verdict Decide(const State&, const Place& command, const pawl::Others& others,
                              pawl::Emit<Order>& emit) noexcept {
    const Movement& m = command.movement;
    if (emit.version() != pawl::Version()) return pawl::Refuse(kOrderExists);
    const pawl::Verdict verdict = MoveBook(m, Effect::kAdds, others, emit);
    if (verdict.is_accepted()) emit(Placed{m.price, m.shares, m.side});
    return verdict;
  }

  static pawl::Verdict Decide(const State& state, const Reduce& command, const pawl::Others& others,
                              pawl::Emit<Order>& emit) noexcept {
    return Take<Reduced>(state, command.movement, others, emit);
  }

  static pawl::Verdict Decide(const State& state, const Delete& command, const pawl::Others& others,
                              pawl::Emit<Order>& emit) noexcept {
    return Take<Deleted>(state, command.movement, others, emit);
  }

  static pawl::Verdict Decide(const State& state, const Execute& command,
                              const pawl::Others& others, pawl::Emit<Order>& emit) noexcept {
    const Movement& m = command.movement;
    emit.On<Book>(m.instrument, Traded{m.time_ns, m.price, m.shares, m.side, Liquidity::kVisible});
    return Take<Executed>(state, m, others, emit);  // a refusal takes the trade back, too
  }

  static void Evolve(State& state, const Placed& event) noexcept {
    state = {event.price, event.shares, event.side, Phase::kOpen};
  }
  static void Evolve(State& state, const Reduced& event) noexcept { Shrink(state, event.left); }
  static void Evolve(State& state, const Deleted& event) noexcept { Shrink(state, event.left); }
  static void Evolve(State& state, const Executed& event) noexcept { Shrink(state, event.left); }

 private:
  // Takes shares from the order, if we know it, and from the book.
  template <class E>
  static pawl::Verdict Take(const State& state, const Movement& m, const pawl::Others& others,
                            pawl::Emit<Order>& emit) noexcept {
    const bool is_known = state.phase == Phase::kOpen;
    if (is_known && (m.price != state.price || m.side != state.side)) {
      return pawl::Refuse(kOtherOrder);
    }
    if (is_known && m.shares > state.left) return pawl::Refuse(kMoreThanOrder);
    const bool is_deleted = std::is_same_v<E, Deleted>;
    const std::int32_t left = is_known && !is_deleted ? state.left - m.shares : 0;
    const pawl::Verdict verdict = MoveBook(m, Effect::kTakes, others, emit);
    if (verdict.is_accepted()) {
      emit(E{m.shares, left, is_known ? Standing::kKnown : Standing::kUnknown});
    }
    return verdict;
  }

  static pawl::Verdict MoveBook(const Movement& m, Effect effect, const pawl::Others& others,
                                pawl::Emit<Order>& emit) noexcept {
    const Book::State* book = others.Find<Book>(m.instrument);
    if (book == nullptr) return pawl::Refuse(kNoSuchBook);
    const Book::Next next = Book::After(*book, m, effect);
    if (next.verdict.is_accepted() && next.quoted.source != Source::kFirst) {
      emit.On<Book>(m.instrument, next.quoted);
    }
    return next.verdict;
  }

  static void Shrink(State& state, std::int32_t left) noexcept {
    state.left = left;
    if (state.phase == Phase::kOpen && left == 0) state.phase = Phase::kEnded;
  }
};

}  // namespace market
