#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "pawl/engine.h"
#include "test_directory.h"

namespace pawl {

struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct Transfer {
  Key to;
  std::int64_t cents;
};
struct Look {};  // accepted, changes nothing

struct Deposited {
  static constexpr EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};
struct Withdrawn {
  static constexpr EventType kType{"bank.withdrawn", 1};
  std::int64_t cents;
};

struct Account {
  using Commands = pawl::Commands<Deposit, Withdraw, Transfer, Look>;
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr std::string_view kCategory = "account";
  enum Refusal : std::uint16_t { kInsufficientFunds = 1, kNoSuchAccount = 2 };
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State&, const Deposit& c, Emit<Account>& emit) noexcept {
    emit(Deposited{c.cents});
    return Accept();
  }
  static Verdict Decide(const State& s, const Withdraw& c, Emit<Account>& emit) noexcept {
    if (s.cents < c.cents) return Refuse(kInsufficientFunds);
    emit(Withdrawn{c.cents});
    return Accept();
  }
  static Verdict Decide(const State& s, const Transfer& c, const Others& others,
                        Emit<Account>& emit) noexcept {
    if (c.to == emit.key() || !others.Find<Account>(c.to)) return Refuse(kNoSuchAccount);
    if (s.cents < c.cents) return Refuse(kInsufficientFunds);
    emit(Withdrawn{c.cents});
    emit.On<Account>(c.to, Deposited{c.cents});
    return Accept();
  }
  static Verdict Decide(const State&, const Look&, Emit<Account>&) noexcept { return Accept(); }
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
  static void Evolve(State& s, const Withdrawn& e) noexcept { s.cents -= e.cents; }
};

// A budget for Engine::Poll() that ends no turn in its middle, however slow the machine is.
inline constexpr std::chrono::hours kWholeTurns{1};

// Waits until `is_done()` or a deadline that no healthy run comes near. Many look thousands of
// times, and a yield beside busy neighbours takes milliseconds: only some looks end with one.
template <class IsDone>
[[nodiscard]] bool Await(IsDone&& is_done) {
  constexpr std::uint64_t kLooksPerYield = 64;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(4);
  for (std::uint64_t looks = 1; !is_done(); ++looks) {
    if (looks % kLooksPerYield != 0) continue;
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// One engine with the bank, opened when asked.
class BankTest : public ::testing::Test {
 protected:
  // Before the members of a derived fixture, among which the engine's storage may be.
  void TearDown() override { engine_.reset(); }

  void Open(const EngineOptions& options) {
    auto opened = Engine::Open(options, Aggregates<Account>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  void Open(Threads threads = Threads::kOwn) { Open(directory_.Options(threads)); }
  void Reopen(Threads threads = Threads::kOwn) {
    engine_.reset();
    Open(threads);
  }

  Producer NewProducer(std::string_view session = "") {
    auto made = engine_->NewProducer({.session = std::string(session)});
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }

  // Polls until `count` completions came.
  std::vector<Completion> Collect(Producer& producer, std::size_t count) {
    std::vector<Completion> got;
    EXPECT_TRUE(Await([&] {
      producer.Poll([&got](const Completion& c) noexcept { got.push_back(c); }, count - got.size());
      if (got.size() < count && engine_->threads() != Threads::kOwn) engine_->Poll();
      return got.size() >= count;
    })) << "only "
        << got.size() << " of " << count << " completions came";
    return got;
  }

  std::vector<std::pair<Key, std::int64_t>> Balances() {
    std::vector<std::pair<Key, std::int64_t>> all;
    const absl::Status visited = engine_->VisitAggregates<Account>(
        [&all](const Key& key, Version, const auto& state) { all.emplace_back(key, state.cents); });
    EXPECT_TRUE(visited.ok()) << visited;
    std::sort(all.begin(), all.end());
    return all;
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace pawl
