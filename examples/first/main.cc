// README's example: a test runs it, and compares the lines between the markers with README.md.
// Change both together.
// clang-format off
// [readme]
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include <pawl/engine.h>
#include <pawl/view.h>

struct Deposit   { std::int64_t cents; };
struct Withdraw  { std::int64_t cents; };
struct Transfer  { pawl::Key to; std::int64_t cents; };   // touches a second stream
struct Deposited { static constexpr pawl::EventType kType{"bank.deposited", 1}; std::int64_t cents; };
struct Withdrawn { static constexpr pawl::EventType kType{"bank.withdrawn", 1}; std::int64_t cents; };

struct Account {                                          // write model
  using Commands = pawl::Commands<Deposit, Withdraw, Transfer>;
  using Events = pawl::Events<Deposited, Withdrawn>;      // a missing or throwing Decide/Evolve does not compile
  static constexpr std::string_view kCategory = "account";
  enum Refusal : std::uint16_t { kInsufficientFunds = 1, kNoSuchAccount = 2 };
  struct State { std::int64_t cents = 0; };
  static pawl::Verdict Decide(const State&, const Deposit& c, pawl::Emit<Account>& emit) noexcept {
    emit(Deposited{c.cents});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Withdraw& c, pawl::Emit<Account>& emit) noexcept {
    if (s.cents < c.cents) return pawl::Refuse(kInsufficientFunds);
    emit(Withdrawn{c.cents});
    return pawl::Accept();
  }
  static pawl::Verdict Decide(const State& s, const Transfer& c, const pawl::Others& others,
                              pawl::Emit<Account>& emit) noexcept {
    if (c.to == emit.key() || !others.Find<Account>(c.to)) return pawl::Refuse(kNoSuchAccount);
    if (s.cents < c.cents) return pawl::Refuse(kInsufficientFunds);
    emit(Withdrawn{c.cents});
    emit.On<Account>(c.to, Deposited{c.cents});           // two streams, one commit
    return pawl::Accept();
  }
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
  static void Evolve(State& s, const Withdrawn& e) noexcept { s.cents -= e.cents; }
};

struct Balances {                                         // read model
  using Events = pawl::Events<Deposited, Withdrawn>;      // a misspelt On does not compile
  static constexpr int kVersion = 1;
  absl::flat_hash_map<pawl::Key, std::int64_t> cents;
  void On(const Deposited& e, const pawl::Meta& m) noexcept { cents[m.key] += e.cents; }
  void On(const Withdrawn& e, const pawl::Meta& m) noexcept { cents[m.key] -= e.cents; }
};

int main(int argc, char** argv) {
  using namespace std::chrono_literals;
  const pawl::Key alice(1);
  const pawl::Key bob(2);
  auto engine = pawl::Engine::Open({.directory = argc > 1 ? argv[1] : "bank.log"},
                                   pawl::Aggregates<Account>{}).value();
  auto balances = pawl::Project<Balances>(*engine).value();
  auto producer = engine->NewProducer({.session = "teller-7"}).value();

  // Submit never blocks; the answer comes through Poll.
  auto sent = producer.Submit<Account>(alice, Deposit{1000}, {.ack = pawl::Ack::kPublished});
  if (!sent) return 1;                                    // back-pressure: sent.code(), sent.reason()
  while (producer.in_flight() > 0) {
    producer.Wait(1ms);
    producer.Poll([](const pawl::Completion& c) noexcept {
      std::printf("deposit: accepted %d, position %llu\n", c.verdict.is_accepted(),
                  static_cast<unsigned long long>(c.receipt.position.value()));
    });
  }
  // Execute waits for it; durable, as everything that does not ask for less.
  producer.Execute<Account>(bob, Deposit{1}).value();
  pawl::Receipt receipt = producer.Execute<Account>(alice, Transfer{bob, 300}).value();
  auto refused = producer.Execute<Account>(bob, Withdraw{1'000'000});
  std::printf("withdrawal: refused with code %d\n", pawl::RefusalCode(refused.status()));

  // A query that sees at least that transfer.
  auto cents = balances.Read(pawl::AtLeast(receipt, 5s), [&](const Balances& b) noexcept {
    auto it = b.cents.find(alice);
    return it == b.cents.end() ? 0 : it->second;
  });
  std::printf("alice has %lld cents\n", static_cast<long long>(cents.value()));
  return engine->Stop().ok() ? 0 : 1;
}
// [/readme]
