// README's example of waiting for answers: the lines between the markers are README's; change both
// together. Run with the log's directory, it makes deposits, a hundred at once, in an event loop of
// its own.

#include <poll.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string_view>

#include <pawl/awaiting.h>
#include <pawl/engine.h>

namespace {

struct Deposit {
  std::int64_t cents;
};
struct Deposited {
  static constexpr pawl::EventType kType{"bank.deposited", 1};
  std::int64_t cents;
};

struct Account {
  using Commands = pawl::Commands<Deposit>;
  using Events = pawl::Events<Deposited>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
  };
  static pawl::Verdict Decide(const State&, const Deposit& c, pawl::Emit<Account>& emit) noexcept {
    emit(Deposited{c.cents});
    return pawl::Accept();
  }
  static void Evolve(State& s, const Deposited& e) noexcept { s.cents += e.cents; }
};

// Starts at once, belongs to nobody. Any coroutine type may await: applications bring their own.
struct Task {
  struct promise_type {
    Task get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

int accepted = 0;

// clang-format off
// [readme]
// Two commands, one behind the other; each suspends until its answer is there.
Task Save(pawl::AwaitingProducer& teller, pawl::Key account, std::int64_t cents) {
  pawl::Completion first = co_await teller.Call<Account>(account, Deposit{cents});
  if (!first.verdict.is_accepted()) co_return;            // refused, or the engine ended
  pawl::Completion second = co_await teller.Call<Account>(account, Deposit{cents},
                                                          {.ack = pawl::Ack::kPublished});
  accepted += pawl::ResultOf(second).ok() ? 2 : 1;        // or absl::StatusOr<Receipt>, as of Execute
}

// An event loop of its own: sleeps in poll(2), resumes coroutines on this thread.
void Serve(pawl::AwaitingProducer& teller) {
  pollfd answers{.fd = teller.EventFd().value(), .events = POLLIN, .revents = 0};
  for (std::uint64_t i = 1; i <= 100; ++i) Save(teller, pawl::Key(i), 500);   // all under way at once
  while (teller.suspended() > 0) {
    if (teller.Run() == 0 && teller.ArmEventFd()) ::poll(&answers, 1, -1);
  }
}
// [/readme]
// clang-format on

}  // namespace

int main(int argc, char** argv) {
  auto engine = pawl::Engine::Open({.directory = argc > 1 ? argv[1] : "awaiting.log"},
                                   pawl::Aggregates<Account>{});
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", engine.status().ToString().c_str());
    return 1;
  }
  {
    pawl::AwaitingProducer teller((*engine)->NewProducer({.session = "teller-7"}).value());
    Serve(teller);
  }
  std::printf("%d of 200 deposits accepted\n", accepted);
  return (*engine)->Stop().ok() && accepted == 200 ? 0 : 1;
}
