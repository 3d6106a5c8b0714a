#include "crash_victim.h"

#include <cstdio>
#include <random>
#include <thread>
#include <utility>

#include "bank.h"
#include <pawl/engine.h>
#include <pawl/producer.h>

namespace bank {
namespace {

class Victim {
 public:
  Victim(CrashOracle& oracle, pawl::Producer producer, std::uint64_t seed)
      : oracle_(oracle), producer_(std::move(producer)), random_(seed) {}

  void Work() {
    std::uint64_t sequence = producer_.last_sequence().value() + 1;
    while (true) {
      if (sequence < CrashOracle::kEntriesMax && SendAs(sequence)) ++sequence;
      const std::size_t polled =
          producer_.Poll([this](const pawl::Completion& c) noexcept { NoteAnswer(c); });
      if (polled == 0 && producer_.in_flight() == producer_.window()) std::this_thread::yield();
      if (has_failed_) return;
    }
  }

 private:
  bool SendAs(std::uint64_t sequence) {
    OracleEntry& entry = oracle_.At(sequence);
    // Acquire: pairs with the release of whoever chose the command: a victim before this one, or
    // the prover, or this one a moment ago when there was no room.
    if (entry.stage.load(std::memory_order_acquire) == Stage::kNone) Choose(entry);
    const pawl::Sent sent = Submit(entry);
    if (!sent) {
      if (sent.code() != absl::StatusCode::kResourceExhausted) {
        Fail("a command was not taken", sequence, sent.reason());
      }
      return false;
    }
    if (sent.sequence().value() != sequence) Fail("the sequence is not dense", sequence, "");
    // Release: the entry before the count. Pairs with the parent's acquire.
    oracle_.sent.fetch_add(1, std::memory_order_release);
    return true;
  }

  pawl::Sent Submit(const OracleEntry& entry) noexcept {
    const pawl::SubmitOptions options{.ack = entry.ack};
    switch (entry.kind) {
      case Kind::kDeposit:
        return producer_.Submit<Account>(entry.key, Deposit{entry.cents}, options);
      case Kind::kWithdraw:
        return producer_.Submit<Account>(entry.key, Withdraw{entry.cents}, options);
      case Kind::kTransfer: break;
    }
    return producer_.Submit<Account>(entry.key, Transfer{entry.to, entry.cents}, options);
  }

  void Choose(OracleEntry& entry) {
    const std::uint64_t draw = random_() % 10;
    entry.kind = draw < 5 ? Kind::kDeposit : draw < 8 ? Kind::kWithdraw : Kind::kTransfer;
    entry.ack = random_() % 2 == 0 ? pawl::Ack::kPublished : pawl::Ack::kDurable;
    entry.cents = static_cast<std::int64_t>(1 + random_() % 1'000);
    entry.key = pawl::Key(1 + random_() % CrashOracle::kAccounts);
    entry.to = pawl::Key(1 + random_() % CrashOracle::kAccounts);
    // Release: the command before its stage. Pairs with every acquire of `stage`.
    entry.stage.store(Stage::kChosen, std::memory_order_release);
  }

  void NoteAnswer(const pawl::Completion& completion) noexcept {
    const bool is_accepted = completion.verdict.is_accepted();
    if (!is_accepted && completion.verdict.kind() != pawl::VerdictKind::kRefused) {
      return Fail("a command ended as", completion.sequence.value(),
                  pawl::ToString(completion.verdict.kind()));
    }
    OracleEntry& entry = oracle_.At(completion.sequence.value());
    entry.verdict = completion.verdict;
    entry.receipt = completion.receipt;
    // Release: the answer before its stage. Pairs with the prover's acquire.
    entry.stage.store(Stage::kAnswered, std::memory_order_release);
    // Release: the stage before the counts. Pairs with the parent's acquire.
    if (is_accepted) oracle_.acknowledged.fetch_add(1, std::memory_order_release);
    oracle_.answered.fetch_add(1, std::memory_order_release);
  }

  void Fail(const char* what, std::uint64_t sequence, std::string_view why) noexcept {
    std::fprintf(stderr, "bank: victim: %s (sequence %llu) %.*s\n", what,
                 static_cast<unsigned long long>(sequence), static_cast<int>(why.size()),
                 why.data());
    has_failed_ = true;
  }

  CrashOracle& oracle_;
  pawl::Producer producer_;
  std::mt19937_64 random_;
  bool has_failed_ = false;
};

}  // namespace

void BeVictim(CrashOracle& oracle, const std::string& directory, std::uint64_t seed) {
  auto engine = pawl::Engine::Open(CrashEngineOptions(directory), pawl::Aggregates<Account>{});
  if (!engine.ok()) {
    std::fprintf(stderr, "bank: victim: %s\n", engine.status().ToString().c_str());
    return;
  }
  auto producer = OpenTeller(**engine);
  if (!producer.ok()) {
    std::fprintf(stderr, "bank: victim: %s\n", producer.status().ToString().c_str());
    return;
  }
  Victim(oracle, *std::move(producer), seed).Work();
}

}  // namespace bank
