#pragma once

#include <cstdint>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include <pawl/aggregate.h>
#include <pawl/event.h>
#include <pawl/key.h>
#include <pawl/meta.h>

// The whole bank: what can be asked of an account, what can happen to it, how it decides, and two
// ways to look at all accounts. Nothing here knows of threads, files or queues.
namespace bank {

// Commands: requests that may be refused.
struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct Transfer {
  pawl::Key to;
  std::int64_t cents;
};

// Events: facts. They are stored as they lie in memory, under a name that outlives the C++ one.
struct Deposited {
  static constexpr pawl::EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};
struct Withdrawn {
  static constexpr pawl::EventType kType{"bank.withdrawn", 1};
  std::int64_t cents;
};

// The write model. Decide sees the state before the command and changes nothing; what it emits is
// applied by Evolve, now and at every reopening. All of it is pure: no clock, no I/O, no throwing.
struct Account {
  using Commands = pawl::Commands<Deposit, Withdraw, Transfer>;
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr std::string_view kCategory = "account";
  enum Refusal : std::uint16_t {
    kInsufficientFunds = 1,
    kNoSuchAccount = 2,
    kAmountNotPositive = 3,
  };
  struct State {
    std::int64_t cents = 0;
  };

  // An account begins with its first deposit.
  static pawl::Verdict Decide(const State&, const Deposit& command,
                              pawl::Emit<Account>& emit) noexcept {
    if (command.cents <= 0) return pawl::Refuse(kAmountNotPositive);
    emit(Deposited{command.cents});
    return pawl::Accept();
  }

  static pawl::Verdict Decide(const State& state, const Withdraw& command,
                              pawl::Emit<Account>& emit) noexcept {
    if (command.cents <= 0) return pawl::Refuse(kAmountNotPositive);
    if (state.cents < command.cents) return pawl::Refuse(kInsufficientFunds);
    emit(Withdrawn{command.cents});
    return pawl::Accept();
  }

  // Touches two accounts in one commit: readers and recovery see both events or none.
  static pawl::Verdict Decide(const State& state, const Transfer& command,
                              const pawl::Others& others, pawl::Emit<Account>& emit) noexcept {
    if (command.cents <= 0) return pawl::Refuse(kAmountNotPositive);
    if (command.to == emit.key() || others.Find<Account>(command.to) == nullptr) {
      return pawl::Refuse(kNoSuchAccount);
    }
    if (state.cents < command.cents) return pawl::Refuse(kInsufficientFunds);
    emit(Withdrawn{command.cents});
    emit.On<Account>(command.to, Deposited{command.cents});
    return pawl::Accept();
  }

  static void Evolve(State& state, const Deposited& event) noexcept { state.cents += event.cents; }
  static void Evolve(State& state, const Withdrawn& event) noexcept { state.cents -= event.cents; }
};

// A read model: the balance of every account.
struct Balances {
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;

  absl::flat_hash_map<pawl::Key, std::int64_t> cents;

  void On(const Deposited& event, const pawl::Meta& meta) noexcept {
    cents[meta.key] += event.cents;
  }
  void On(const Withdrawn& event, const pawl::Meta& meta) noexcept {
    cents[meta.key] -= event.cents;
  }
};

// Another one, from the same events: what went through the bank. A transfer counts on both sides.
struct Totals {
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;

  std::uint64_t deposits = 0;
  std::uint64_t withdrawals = 0;
  std::int64_t deposited_cents = 0;
  std::int64_t withdrawn_cents = 0;

  void On(const Deposited& event, const pawl::Meta&) noexcept {
    ++deposits;
    deposited_cents += event.cents;
  }
  void On(const Withdrawn& event, const pawl::Meta&) noexcept {
    ++withdrawals;
    withdrawn_cents += event.cents;
  }
};

}  // namespace bank
