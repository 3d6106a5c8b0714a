#include "crash_prover.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "bank.h"
#include "log_audit.h"
#include <pawl/engine.h>
#include <pawl/view.h>

namespace bank {
namespace {

// Answered commands that are sent again at each reopening, beside all unanswered ones.
constexpr std::uint64_t kResendsOfAnswered = 256;

class Prover {
 public:
  Prover(CrashOracle& oracle, pawl::Engine& engine, pawl::Producer producer)
      : oracle_(oracle),
        findings_(oracle.findings),
        engine_(engine),
        producer_(std::move(producer)),
        last_(producer_.last_sequence().value()),
        audit_(engine.log(), CrashOracle::kSession) {}

  bool Prove() {
    if (!ReadLog()) return false;
    IndexCommits();
    for (std::uint64_t sequence = 1; sequence <= last_; ++sequence) Decide(sequence);
    for (std::uint64_t sequence = last_ + 1; IsChosen(sequence); ++sequence) Miss(sequence);
    CompareBalances();
    return Resend();
  }

  // What was sent, not answered, and is not in the log gets the next sequences; the rest behind
  // them, which is refusals, is forgotten.
  void PrepareNext() {
    std::uint64_t to = last_;
    std::uint64_t from = last_ + 1;
    for (; IsChosen(from); ++from) {
      OracleEntry& entry = oracle_.At(from);
      if (StageOf(entry) == Stage::kAnswered) continue;
      OracleEntry& next = oracle_.At(++to);
      next.kind = entry.kind;
      next.ack = entry.ack;
      next.cents = entry.cents;
      next.key = entry.key;
      next.to = entry.to;
      SetStage(next, Stage::kChosen);
    }
    for (++to; to < from; ++to) SetStage(oracle_.At(to), Stage::kNone);
  }

 private:
  // Acquire and release: with the victims before and after; see OracleEntry.
  static Stage StageOf(const OracleEntry& entry) {
    return entry.stage.load(std::memory_order_acquire);
  }
  static void SetStage(OracleEntry& entry, Stage stage) {
    entry.stage.store(stage, std::memory_order_release);
  }
  bool IsChosen(std::uint64_t sequence) {
    return sequence < CrashOracle::kEntriesMax && StageOf(oracle_.At(sequence)) != Stage::kNone;
  }
  static bool IsAcknowledged(const OracleEntry& entry) {
    return StageOf(entry) == Stage::kAnswered && entry.verdict.is_accepted();
  }

  bool ReadLog() {
    const absl::Status read = audit_.ReadOn();
    if (!read.ok()) std::fprintf(stderr, "bank: prover: %s\n", read.ToString().c_str());
    return read.ok();
  }

  void Find(std::uint64_t& counter, std::uint64_t sequence, const std::string& what) {
    ++counter;
    if (counter > 5) return;  // the first ones say what is wrong
    std::fprintf(stderr, "bank: log position %llu, sequence %llu: %s\n",
                 static_cast<unsigned long long>(engine_.recovery().last_position.value()),
                 static_cast<unsigned long long>(sequence), what.c_str());
  }

  void IndexCommits() {
    by_sequence_.assign(last_ + 1, nullptr);
    for (const AuditCommit& commit : audit_.commits()) {
      const std::uint64_t sequence = commit.sequence;
      if (sequence == 0 || sequence > last_ || !IsChosen(sequence)) {
        Find(findings_.unexpected, sequence, "the log holds a command that nobody sent");
      } else if (by_sequence_[sequence] != nullptr) {
        Find(findings_.duplicated, sequence, "the log holds a command twice");
      } else {
        by_sequence_[sequence] = &commit;
      }
    }
  }

  // Decides the command again, in the session's order, and compares with log and answer.
  void Decide(std::uint64_t sequence) {
    OracleEntry& entry = oracle_.At(sequence);
    const AuditCommit* commit = by_sequence_[sequence];
    const std::vector<AuditEvent> events = EventsOf(entry);
    const bool is_accepted = !events.empty();
    const bool is_answered = StageOf(entry) == Stage::kAnswered;
    if (is_answered && entry.verdict.is_accepted() != is_accepted) {
      Find(findings_.wrong_receipts, sequence, "a command was answered as it must not be decided");
    }
    for (const AuditEvent& event : events) balances_[event.key] += event.cents;
    if (commit == nullptr) {
      if (is_accepted) Find(findings_.lost, sequence, "a command before the last one is missing");
      return;
    }
    if (!is_accepted || commit->events != events) {
      Find(findings_.unexpected, sequence, "the log holds other events than the command has");
    }
    if (!is_answered) ++findings_.unacked_present;
    if (IsAcknowledged(entry) &&
        (entry.receipt.position != commit->position || entry.receipt.epoch != commit->epoch)) {
      Find(findings_.wrong_receipts, sequence,
           "the log holds a command elsewhere than its receipt");
    }
  }

  // A command behind the last one of the log: it may have been refused, or not have come so far.
  void Miss(std::uint64_t sequence) {
    if (IsAcknowledged(oracle_.At(sequence))) {
      Find(findings_.lost, sequence, "an acknowledged command is not in the log");
    }
  }

  // The bank's rules once more, on the oracle's own balances. Empty: refused.
  std::vector<AuditEvent> EventsOf(const OracleEntry& entry) const {
    const auto own = balances_.find(entry.key);
    const std::int64_t funds = own == balances_.end() ? 0 : own->second;
    if (entry.kind == Kind::kDeposit) return {{entry.key, entry.cents}};
    if (funds < entry.cents) return {};
    if (entry.kind == Kind::kWithdraw) return {{entry.key, -entry.cents}};
    if (entry.to == entry.key || !balances_.contains(entry.to)) return {};
    return {{entry.key, -entry.cents}, {entry.to, entry.cents}};
  }

  void CompareBalances() {
    absl::flat_hash_map<pawl::Key, std::int64_t> aggregates;
    const absl::Status visited = engine_.VisitAggregates<Account>(
        [&](const pawl::Key& key, pawl::Version, const Account::State& state) {
          aggregates[key] = state.cents;
        });
    CompareBalances("the aggregates' balances", visited.ok()
                                                    ? absl::StatusOr<bool>(aggregates == balances_)
                                                    : absl::StatusOr<bool>(visited));
    const auto view = pawl::Project<Balances>(engine_);
    const absl::StatusOr<bool> is_equal =
        !view.ok()
            ? absl::StatusOr<bool>(view.status())
            : view->Read(pawl::AtLeast(engine_.recovery().last_position, std::chrono::seconds(30)),
                         [&](const Balances& b) { return b.cents == balances_; });
    CompareBalances("the view's balances", is_equal);
  }

  void CompareBalances(const std::string& name, const absl::StatusOr<bool>& is_equal) {
    if (is_equal.ok() && *is_equal) return;
    Find(findings_.wrong_balances, last_,
         name + (is_equal.ok() ? " differ from what the log adds up to"
                               : " cannot be read: " + is_equal.status().ToString()));
  }

  // Sends again what nobody answered and the newest that was: an accepted command must return its
  // first receipt, a refused one be refused, and none be executed.
  bool Resend() {
    const std::size_t commits = audit_.commits().size();
    for (std::uint64_t sequence = 1; sequence <= last_; ++sequence) {
      const bool is_new = sequence + kResendsOfAnswered > last_;
      if (is_new || StageOf(oracle_.At(sequence)) == Stage::kChosen) {
        if (!ResendOne(sequence)) return false;
      }
    }
    while (producer_.in_flight() > 0) PollAnswers();
    if (!ReadLog()) return false;
    if (audit_.commits().size() != commits) {
      Find(findings_.duplicated, last_, "a resend was executed");
    }
    return true;
  }

  bool ResendOne(std::uint64_t sequence) {
    const OracleEntry& entry = oracle_.At(sequence);
    const pawl::SubmitOptions options{.ack = entry.ack, .resend = pawl::Sequence(sequence)};
    while (true) {
      const pawl::Sent sent =
          entry.kind == Kind::kDeposit
              ? producer_.Submit<Account>(entry.key, Deposit{entry.cents}, options)
          : entry.kind == Kind::kWithdraw
              ? producer_.Submit<Account>(entry.key, Withdraw{entry.cents}, options)
              : producer_.Submit<Account>(entry.key, Transfer{entry.to, entry.cents}, options);
      if (sent) return true;
      if (sent.code() != absl::StatusCode::kResourceExhausted) {
        std::fprintf(stderr, "bank: prover: resend of sequence %llu: %.*s\n",
                     static_cast<unsigned long long>(sequence),
                     static_cast<int>(sent.reason().size()), sent.reason().data());
        return false;
      }
      PollAnswers();
    }
  }

  void PollAnswers() {
    if (producer_.Poll([this](const pawl::Completion& c) noexcept { CheckAnswer(c); }) == 0) {
      producer_.Wait(std::chrono::milliseconds(1));
    }
  }

  void CheckAnswer(const pawl::Completion& completion) {
    const std::uint64_t sequence = completion.sequence.value();
    const AuditCommit* commit = by_sequence_[sequence];
    OracleEntry& entry = oracle_.At(sequence);
    // While a durable answer is waited for, thousands of published ones overtake it: what was under
    // way may be older than what the session remembers.
    const bool is_expired = sequence + CrashOracle::kWindow <= last_;
    if (is_expired) {
      if (completion.verdict.kind() != pawl::VerdictKind::kExpired) {
        Find(findings_.wrong_receipts, sequence,
             "a resend older than the window has no such answer");
      }
    } else if (commit == nullptr) {
      if (completion.verdict.kind() != pawl::VerdictKind::kRefused) {
        Find(findings_.wrong_receipts, sequence, "a resend of a refused command was not refused");
      }
    } else if (!completion.verdict.is_accepted() || !completion.receipt.is_duplicate ||
               completion.receipt.position != commit->position ||
               completion.receipt.epoch != commit->epoch) {
      Find(findings_.wrong_receipts, sequence, "a resend did not return the first receipt");
    } else if (IsAcknowledged(entry) && completion.receipt.version != entry.receipt.version) {
      Find(findings_.wrong_receipts, sequence, "a resend returned another version");
    }
    if (StageOf(entry) == Stage::kChosen) NoteAnswer(entry, commit, completion.receipt.version);
  }

  // From now on the command counts as answered: as the log says, which the answer agreed with.
  static void NoteAnswer(OracleEntry& entry, const AuditCommit* commit, pawl::Version version) {
    entry.verdict = commit == nullptr ? pawl::Refuse(Account::kInsufficientFunds) : pawl::Accept();
    entry.receipt = {};
    if (commit != nullptr) {
      entry.receipt.position = commit->position;
      entry.receipt.version = version;
      entry.receipt.epoch = commit->epoch;
    }
    SetStage(entry, Stage::kAnswered);
  }

  CrashOracle& oracle_;
  CrashResult& findings_;
  pawl::Engine& engine_;
  pawl::Producer producer_;
  const std::uint64_t last_;  // newest sequence that the log holds
  LogAudit audit_;
  std::vector<const AuditCommit*> by_sequence_;
  absl::flat_hash_map<pawl::Key, std::int64_t> balances_;  // that the log adds up to
};

}  // namespace

bool Prove(CrashOracle& oracle, const std::string& directory, bool is_last) {
  auto engine = pawl::Engine::Open(CrashEngineOptions(directory), pawl::Aggregates<Account>{});
  auto producer =
      engine.ok() ? OpenTeller(**engine) : absl::StatusOr<pawl::Producer>(engine.status());
  if (!producer.ok()) {
    std::fprintf(stderr, "bank: prover: %s\n", producer.status().ToString().c_str());
    return false;
  }
  Prover prover(oracle, **engine, *std::move(producer));
  if (!prover.Prove()) return false;
  prover.PrepareNext();
  if (!is_last) return true;  // and the process ends without closing the bank
  const absl::Status stopped = (*engine)->Stop();
  if (!stopped.ok()) std::fprintf(stderr, "bank: prover: %s\n", stopped.ToString().c_str());
  return stopped.ok();
}

}  // namespace bank
