// README's example of sessions, lanes and idempotency keys: the lines between the markers are
// README's; change both together. Run with the log's directory, it pays for an order twice and
// imports a hundred deposits beside a correction.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include <pawl/engine.h>

namespace {

struct Deposit {
  std::int64_t cents;
};
struct Withdraw {
  std::int64_t cents;
};
struct Deposited {
  static constexpr pawl::EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};
struct Withdrawn {
  static constexpr pawl::EventType kType{"bank.withdrawn", 1};
  std::int64_t cents;
};

struct Account {
  using Commands = pawl::Commands<Deposit, Withdraw>;
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr std::string_view kCategory = "account";
  enum Refusal : std::uint16_t { kInsufficientFunds = 1 };
  struct State {
    std::int64_t cents = 0;
  };
  static pawl::Verdict Decide(const State&, const Deposit& c, pawl::Emit<Account>& emit) noexcept {
    emit(Deposited{c.cents});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Withdraw& c,
                              pawl::Emit<Account>& emit) noexcept {
    if (s.cents < c.cents) return pawl::Refuse(kInsufficientFunds);
    emit(Withdrawn{c.cents});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
  static void Evolve(State& s, const Withdrawn& e) noexcept { s.cents -= e.cents; }
};

// clang-format off
// [readme]
// Pays once for each order, whoever asks, and however often.
absl::StatusOr<pawl::Receipt> Pay(pawl::Producer& teller, pawl::Key order, pawl::Key account,
                                  std::int64_t cents) {
  auto paid = teller.Execute<Account>(account, Withdraw{cents}, {.idempotency_key = order});
  if (paid.ok() && paid->is_duplicate) std::puts("paid before");
  if (absl::IsAlreadyExists(paid.status())) std::puts("that order was for something else");
  return paid;                                            // a refusal leaves no key: ask again
}

// Two producers of one session: corrections wait behind nothing but corrections.
absl::Status Import(pawl::Engine& engine, pawl::Key account) {
  auto urgent = engine.NewProducer({.session = "branch-12"});
  auto bulk = engine.NewProducer({.session = "branch-12", .lane = pawl::SessionLane::kBulk});
  if (!urgent.ok()) return urgent.status();
  if (!bulk.ok()) return bulk.status();
  const pawl::Sequence next = bulk->last_sequence().Next();   // what the log does not have yet
  for (std::uint64_t i = next.value(); i <= 100; ++i) {
    while (!bulk->Submit<Account>(account, Deposit{1})) bulk->Poll([](const auto&) noexcept {});
  }
  auto corrected = urgent->Execute<Account>(account, Deposit{50});
  if (!corrected.ok()) return corrected.status();
  while (bulk->in_flight() > 0) {
    bulk->Wait(std::chrono::milliseconds(1));
    bulk->Poll([](const auto&) noexcept {});
  }
  return urgent->CloseSession();                          // both lanes; durable when it returns
}
// [/readme]
// clang-format on

std::int64_t CentsOf(pawl::Engine& engine, pawl::Key key) {
  std::int64_t cents = -1;
  const absl::Status visited = engine.VisitAggregates<Account>(
      [&](const pawl::Key& each, pawl::Version, const Account::State& state) {
        if (each == key) cents = state.cents;
      });
  return visited.ok() ? cents : -1;
}

}  // namespace

int main(int argc, char** argv) {
  auto engine = pawl::Engine::Open({.directory = argc > 1 ? argv[1] : "sessions.log"},
                                   pawl::Aggregates<Account>{});
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    return 1;
  }
  const pawl::Key account(1);
  bool is_right = Import(**engine, account).ok();
  {
    auto teller = (*engine)->NewProducer();
    const pawl::Key order(2024, 17);
    is_right = is_right && teller.ok() && Pay(*teller, order, account, 100).ok() &&
               Pay(*teller, order, account, 100).ok() && !Pay(*teller, order, account, 99).ok();
  }
  is_right = is_right && CentsOf(**engine, account) == 50;
  std::puts(is_right ? "paid once, imported once" : "something is wrong");
  return (*engine)->Stop().ok() && is_right ? 0 : 1;
}
