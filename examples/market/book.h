#pragma once

#include <cstdint>
#include <string_view>

#include <pawl/aggregate.h>
#include <pawl/event.h>
#include <pawl/key.h>

// The book of one instrument: its best ask and its best bid.
namespace market {

enum class Side : std::int32_t { kBuy = 1, kSell = -1 };
enum class Liquidity : std::int64_t { kVisible = 1, kHidden = 2 };

// How the book knows what it quotes.
enum class Source : std::int64_t {
  kFirst = 1,    // told: the book was opened with it
  kTold = 2,     // told: the best level is empty, and only the exchange knew the one behind it
  kDerived = 3,  // from the quote before and the message
};

// Why a message is refused.
enum Refusal : std::uint16_t {
  kNoSuchBook = 1,
  kBookIsOpen = 2,
  kRowSkipped = 3,
  kMoreThanLevel = 4,
  kLevelNotBehind = 5,
  kOrderExists = 6,
  kMoreThanOrder = 7,
  kOtherOrder = 8,
};

constexpr std::string_view ToString(Refusal refusal) noexcept {
  switch (refusal) {
    case kNoSuchBook: return "the instrument has no book";
    case kBookIsOpen: return "the book is open already";
    case kRowSkipped: return "the message before this one is missing";
    case kMoreThanLevel: return "it takes more shares than its price level has";
    case kLevelNotBehind:
      return "it empties its price level, and the level told next is not behind that";
    case kOrderExists: return "the order exists already";
    case kMoreThanOrder: return "it takes more shares than its order has left";
    case kOtherOrder: return "its side or price is not that of its order";
  }
  return "?";
}

struct Level {
  std::int64_t price = 0;  // dollars × 10,000
  std::int64_t shares = 0;

  friend bool operator==(const Level&, const Level&) = default;
};

struct Quote {
  Level ask;
  Level bid;

  friend bool operator==(const Quote&, const Quote&) = default;
};

// What a message of the exchange says; each command has one.
struct Movement {
  pawl::Key instrument;
  std::uint64_t row = 0;     // number of the message, 1, 2, 3…
  std::int64_t time_ns = 0;  // since midnight
  std::int64_t price = 0;
  std::int32_t shares = 0;
  Side side = Side::kBuy;
  Level behind;  // what the exchange shows next on this side; used only if the best level empties
};

struct OpenBook {
  Quote quote;
};
struct ExecuteHidden {
  Movement movement;
};

// After every message, also if it changed nothing: the book as it is now.
struct Quoted {
  static constexpr pawl::EventType kType{"market.quoted", 1};
  Quote quote;
  std::uint64_t row;
  Source source;
};
struct Traded {
  static constexpr pawl::EventType kType{"market.traded", 1};
  std::int64_t time_ns;
  std::int64_t price;
  std::int32_t shares;
  Side side;  // of the order that rested
  Liquidity liquidity;
};

// What a message does to the shares at its price.
enum class Effect : std::uint8_t { kAdds, kTakes, kNone };

struct Book {
  using Commands = pawl::Commands<OpenBook, ExecuteHidden>;
  using Events = pawl::Events<Quoted, Traded>;
  static constexpr std::string_view kCategory = "book";

  struct State {
    Quote quote;
    std::uint64_t row = 0;  // of the newest message
  };

  // The quote that follows from a message, or why the message cannot be.
  struct Next {
    pawl::Verdict verdict;
    Quoted quoted;
  };
  static Next After(const State& state, const Movement& m, Effect effect) noexcept {
    Next next{pawl::Accept(), {state.quote, m.row, Source::kDerived}};
    if (m.row <= state.row) {  // the first message: the book was opened with what follows from it
      next.quoted = {state.quote, state.row, Source::kFirst};
      return next;
    }
    if (m.row > state.row + 1) next.verdict = pawl::Refuse(kRowSkipped);
    const bool is_buy = m.side == Side::kBuy;
    Level& best = is_buy ? next.quoted.quote.bid : next.quoted.quote.ask;
    const bool is_better = is_buy ? m.price > best.price : m.price < best.price;
    if (effect == Effect::kAdds && is_better) {
      best = {m.price, m.shares};
    } else if (effect == Effect::kAdds && m.price == best.price) {
      best.shares += m.shares;
    } else if (effect == Effect::kTakes && m.price == best.price) {
      if (m.shares > best.shares) next.verdict = pawl::Refuse(kMoreThanLevel);
      best.shares -= m.shares;
      if (best.shares == 0) Reveal(m, best, next);
    }
    return next;
  }

  static pawl::Verdict Decide(const State& state, const OpenBook& command,
                              pawl::Emit<Book>& emit) noexcept {
    if (state.row != 0) return pawl::Refuse(kBookIsOpen);
    emit(Quoted{command.quote, 1, Source::kFirst});
    return pawl::Accept();
  }

  // Shares that nobody saw change hands: the quote stays.
  static pawl::Verdict Decide(const State& state, const ExecuteHidden& command,
                              pawl::Emit<Book>& emit) noexcept {
    const Movement& m = command.movement;
    if (state.row == 0) return pawl::Refuse(kNoSuchBook);
    const Next next = After(state, m, Effect::kNone);
    if (!next.verdict.is_accepted()) return next.verdict;
    emit(Traded{m.time_ns, m.price, m.shares, m.side, Liquidity::kHidden});
    if (next.quoted.source != Source::kFirst) emit(next.quoted);
    return pawl::Accept();
  }

  static void Evolve(State& state, const Quoted& event) noexcept {
    state.quote = event.quote;
    state.row = event.row;
  }
  static void Evolve(State&, const Traded&) noexcept {}

 private:
  // The best level is empty: what the exchange shows next takes its place, if it lies behind.
  static void Reveal(const Movement& m, Level& best, Next& next) noexcept {
    const bool is_behind =
        m.side == Side::kBuy ? m.behind.price < best.price : m.behind.price > best.price;
    if (!is_behind) next.verdict = pawl::Refuse(kLevelNotBehind);
    best = m.behind;
    next.quoted.source = Source::kTold;
  }
};

}  // namespace market
