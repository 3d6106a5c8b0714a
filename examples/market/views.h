#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "book.h"
#include "order.h"
#include <pawl/event.h>
#include <pawl/meta.h>

// The read models: what traders, clerks and auditors ask for.
namespace market {

// The best bid and ask, now.
struct TopOfBook {
  using Events = pawl::Events<Quoted>;
  static constexpr int kVersion = 1;

  Quote quote;
  std::uint64_t row = 0;  // messages seen

  void On(const Quoted& event, const pawl::Meta&) noexcept {
    quote = event.quote;
    row = event.row;
  }
};

// The best bid and ask after each message: entry i belongs to message i + 1.
struct Tape {
  using Events = pawl::Events<Quoted>;
  static constexpr int kVersion = 1;

  std::vector<Quoted> quotes;

  void On(const Quoted& event, const pawl::Meta&) noexcept { quotes.push_back(event); }
};

// What was traded.
struct Volume {
  using Events = pawl::Events<Traded>;
  static constexpr int kVersion = 1;

  struct Sum {
    std::uint64_t trades = 0;
    std::int64_t shares = 0;
    std::int64_t notional = 0;  // dollars × 10,000
  };
  Sum visible;
  Sum hidden;

  void On(const Traded& event, const pawl::Meta&) noexcept {
    Sum& sum = event.liquidity == Liquidity::kVisible ? visible : hidden;
    ++sum.trades;
    sum.shares += event.shares;
    sum.notional += event.shares * event.price;
  }
};

// What was traded in each minute of the day.
struct VolumePerMinute {
  using Events = pawl::Events<Traded>;
  static constexpr int kVersion = 1;
  static constexpr std::size_t kMinutes = 24 * 60;

  std::array<std::int64_t, kMinutes> shares{};

  void On(const Traded& event, const pawl::Meta&) noexcept {
    const auto minute = static_cast<std::uint64_t>(event.time_ns) / 60'000'000'000U;
    shares[minute % kMinutes] += event.shares;
  }
};

// How many orders are in which state, and what brought them there.
struct OrdersByState {
  using Events = pawl::Events<Placed, Reduced, Deleted, Executed>;
  static constexpr int kVersion = 1;

  std::uint64_t placed = 0;
  std::uint64_t open = 0;
  std::uint64_t executed = 0;   // ended by an execution
  std::uint64_t cancelled = 0;  // ended by a cancellation or deletion
  std::uint64_t reductions = 0;
  std::uint64_t deletions = 0;
  std::uint64_t executions = 0;
  std::uint64_t of_unknown_orders = 0;  // messages

  void On(const Placed&, const pawl::Meta&) noexcept {
    ++placed;
    ++open;
  }
  void On(const Reduced& event, const pawl::Meta&) noexcept {
    ++reductions;
    Count(event.standing, event.left, cancelled);
  }
  void On(const Deleted& event, const pawl::Meta&) noexcept {
    ++deletions;
    Count(event.standing, event.left, cancelled);
  }
  void On(const Executed& event, const pawl::Meta&) noexcept {
    ++executions;
    Count(event.standing, event.left, executed);
  }

 private:
  void Count(Standing standing, std::int32_t left, std::uint64_t& ended) noexcept {
    if (standing == Standing::kUnknown) {
      ++of_unknown_orders;
    } else if (left == 0) {
      --open;
      ++ended;
    }
  }
};

}  // namespace market
