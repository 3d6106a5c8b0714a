// README's example of conditions and of an engine on a thread of the host's: the lines between the
// markers are README's; change both together. Run with the log's directory, it empties an account
// although somebody pays in at the worst moment.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include <pawl/engine.h>
#include <pawl/view.h>

namespace {

using namespace std::chrono_literals;

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

struct Balance {  // of the one account there is
  using Events = pawl::Events<Deposited, Withdrawn>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const Deposited& e, const pawl::Meta&) noexcept { cents += e.cents; }
  void On(const Withdrawn& e, const pawl::Meta&) noexcept { cents -= e.cents; }
};

// Called between the look and the command: somebody else's command comes first, once.
void WorkOfYourOwn(pawl::Engine& engine) {
  static bool is_done = false;
  if (std::exchange(is_done, true)) return;
  auto other = engine.NewProducer();
  if (!other.ok() || !other->Execute<Account>(pawl::Key(1), Deposit{5}).ok()) {
    std::puts("nobody came between");
  }
}

// clang-format off
// [readme]
// Pays out all that a query saw there, unless something happened to the account meanwhile: then
// it looks again. The engine runs on this thread, within Poll(), and nowhere else.
absl::StatusOr<pawl::Receipt> PayOut(pawl::Engine& engine, const pawl::View<Balance>& balance,
                                     pawl::Producer& teller, pawl::Key account) {
  for (;;) {
    const auto [cents, seen] = balance.Read([](const Balance& b, pawl::Position at) noexcept {
      return std::pair(b.cents, at);
    });
    WorkOfYourOwn(engine);
    auto sent = teller.Submit<Account>(account, Withdraw{cents},
                                       {.condition = pawl::UnchangedSince(seen)});
    if (!sent) return absl::Status(sent.code(), "not sent");
    pawl::Completion answer;
    while (teller.in_flight() > 0) {
      engine.Poll(50us);                                  // loop, timers and views, for 50 µs
      teller.Poll([&](const pawl::Completion& c) noexcept { answer = c; });
    }
    if (answer.verdict.kind() != pawl::VerdictKind::kConflict) return pawl::ResultOf(answer);
  }                                                       // receipt: the version that it met
}
// [/readme]
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  auto engine = pawl::Engine::Open(
      {.directory = argc > 1 ? argv[1] : "conditions.log", .threads = pawl::Threads::kHost},
      pawl::Aggregates<Account>{});
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    return 1;
  }
  const pawl::Key account(1);
  bool is_right = false;
  {
    auto balance = pawl::Project<Balance>(**engine);
    auto teller = (*engine)->NewProducer();
    is_right = balance.ok() && teller.ok() && teller->Execute<Account>(account, Deposit{100}).ok();
    const auto paid = is_right ? PayOut(**engine, *balance, *teller, account)
                               : absl::StatusOr<pawl::Receipt>(absl::UnknownError("not opened"));
    // A deposit, another one in between, and one withdrawal of both.
    is_right = paid.ok() && paid->version == pawl::Version(3) &&
               (*engine)->Stats().outcome(pawl::VerdictKind::kConflict) == 1;
    const auto left = is_right ? balance->Read(pawl::AtLeast(*paid, 5s),
                                               [](const Balance& b) noexcept { return b.cents; })
                               : absl::StatusOr<std::int64_t>(-1);
    is_right = left.ok() && *left == 0;
  }
  std::puts(is_right ? "paid out, all of it" : "something is wrong");
  return (*engine)->Stop().ok() && is_right ? 0 : 1;
}
