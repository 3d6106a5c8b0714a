#include "teller.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <absl/strings/str_cat.h>

namespace bank {
namespace {
// How long nothing may move before a teller gives up. Far above any disk's worst moment.
constexpr std::int64_t kPatienceNs = 30'000'000'000;
// Longest sleep on a full window; short, for visibility is observed between sleeps.
constexpr std::chrono::microseconds kFullWindowWait{100};
}  // namespace

std::int64_t NowNs() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Teller::Teller(pawl::Producer producer, const pawl::View<Balances>& balances,
               const TellerPlan& plan)
    : balances_(balances),
      plan_(plan),
      producer_(std::move(producer)),
      random_(plan.seed),
      pending_(std::bit_ceil(std::size_t{producer_.window()})) {}

void Teller::Work(std::int64_t start_ns, const std::atomic<bool>& stop) {
  if (plan_.interval_ns == 0) {
    WorkSaturated(stop);
  } else {
    WorkOnSchedule(start_ns, stop);
  }
  Drain();
}

std::uint64_t Teller::answered() const noexcept {
  // Relaxed: a number to show; nothing is read on the strength of it.
  return answered_.load(std::memory_order_relaxed);
}

void Teller::WorkSaturated(const std::atomic<bool>& stop) {
  // Relaxed: `stop` says only that the user wants no more.
  while (tally_.sent < plan_.commands && tally_.status.ok() &&
         !stop.load(std::memory_order_relaxed)) {
    switch (DrawKind()) {  // a batch has one kind of command
      case Kind::kDeposit: SendBatch<Deposit>(Kind::kDeposit); break;
      case Kind::kWithdraw: SendBatch<Withdraw>(Kind::kWithdraw); break;
      case Kind::kTransfer: SendBatch<Transfer>(Kind::kTransfer); break;
    }
  }
}

void Teller::WorkOnSchedule(std::int64_t start_ns, const std::atomic<bool>& stop) {
  // Relaxed: as above.
  while (tally_.sent < plan_.commands && tally_.status.ok() &&
         !stop.load(std::memory_order_relaxed)) {
    const double due = plan_.phase_ns + plan_.interval_ns * static_cast<double>(tally_.sent);
    const std::int64_t intended_ns = start_ns + static_cast<std::int64_t>(due);
    while (NowNs() < intended_ns) Collect();
    SendAnyOne(intended_ns);
    Collect();
  }
}

void Teller::Drain() {
  std::int64_t moved_ns = NowNs();
  while ((producer_.in_flight() > 0 || watch_.is_waiting()) && tally_.status.ok()) {
    if (Collect() > 0) moved_ns = NowNs();
    if (producer_.in_flight() == 0 && tally_.finished_ns == 0) tally_.finished_ns = NowNs();
    if (absl::Status view = balances_.status(); !view.ok()) tally_.status = view;
    if (NowNs() - moved_ns > kPatienceNs) {
      tally_.status = absl::DeadlineExceededError(
          absl::StrCat(producer_.in_flight(), " commands were not answered within 30 s"));
    }
  }
  if (tally_.finished_ns == 0) tally_.finished_ns = NowNs();
}

template <class C>
void Teller::SendBatch(Kind kind) {
  std::array<pawl::Addressed<C>, kBatch> batch;
  const std::size_t count = std::min<std::uint64_t>(kBatch, plan_.commands - tally_.sent);
  std::generate_n(batch.begin(), count, [this] { return Draw<C>(); });
  std::span<const pawl::Addressed<C>> left(batch.data(), count);
  while (!left.empty()) {
    const std::int64_t now_ns = NowNs();
    const pawl::SentBatch sent = producer_.SubmitBatch<Account>(left, {.ack = plan_.ack});
    for (std::uint32_t i = 0; i < sent.count; ++i) {
      Note(sent.first.Plus(i), {now_ns, left[i].command.cents, kind, i + 1 == sent.count});
    }
    left = left.subspan(sent.count);
    Collect();
    if (!left.empty() && !MayRetry(sent.fault)) return;
  }
}

template <class C>
void Teller::SendOne(Kind kind, std::int64_t intended_ns) {
  const pawl::Addressed<C> next = Draw<C>();
  while (true) {
    const pawl::Sent sent = producer_.Submit<Account>(next.key, next.command, {.ack = plan_.ack});
    if (sent) return Note(sent.sequence(), {intended_ns, next.command.cents, kind, true});
    if (!MayRetry(sent.fault())) return;
    Collect();
  }
}

void Teller::SendAnyOne(std::int64_t intended_ns) {
  switch (DrawKind()) {
    case Kind::kDeposit: return SendOne<Deposit>(Kind::kDeposit, intended_ns);
    case Kind::kWithdraw: return SendOne<Withdraw>(Kind::kWithdraw, intended_ns);
    case Kind::kTransfer: return SendOne<Transfer>(Kind::kTransfer, intended_ns);
  }
}

void Teller::Note(pawl::Sequence sequence, const Pending& pending) noexcept {
  pending_[sequence.value() & (pending_.size() - 1)] = pending;
  ++tally_.sent;
}

// Back-pressure ends by itself when completions are collected; everything else is final.
bool Teller::MayRetry(pawl::SendFault fault) {
  const pawl::Sent refused(fault);
  if (refused.code() == absl::StatusCode::kResourceExhausted) return true;
  tally_.status = absl::Status(refused.code(),
                               absl::string_view{refused.reason().data(), refused.reason().size()});
  return false;
}

// Takes the completions that arrived; gives the core away if there were none.
std::size_t Teller::Collect() {
  std::size_t count = 0;
  producer_.Poll([&](const pawl::Completion& c) noexcept { arrived_[count++] = c; },
                 arrived_.size());
  const pawl::Position visible = balances_.position();
  const std::int64_t now_ns = NowNs();
  watch_.Observe(visible, now_ns);
  for (std::size_t i = 0; i < count; ++i) Settle(arrived_[i], now_ns);
  if (count == 0 && producer_.in_flight() == producer_.window()) {
    producer_.Wait(kFullWindowWait);  // nothing to send before something is answered
  } else if (count == 0) {
    std::this_thread::yield();
  } else {
    // Relaxed: a number to show.
    answered_.store(tally_.accepted + tally_.refused, std::memory_order_relaxed);
  }
  return count;
}

void Teller::Settle(const pawl::Completion& completion, std::int64_t now_ns) {
  const Pending& pending = pending_[completion.sequence.value() & (pending_.size() - 1)];
  tally_.submit_to_ack.Record(now_ns - pending.sent_ns);
  if (completion.verdict.kind() == pawl::VerdictKind::kRefused) {
    ++tally_.refused;
    return;
  }
  if (!completion.verdict.is_accepted()) {
    const std::string_view kind = pawl::ToString(completion.verdict.kind());
    tally_.status = absl::UnavailableError(
        absl::StrCat("command ", completion.sequence.value(), " ended as ", std::string(kind)));
    return;
  }
  ++tally_.accepted;
  tally_.last_position = completion.receipt.position;
  if (pending.kind == Kind::kDeposit) tally_.deposited_cents += pending.cents;
  if (pending.kind == Kind::kWithdraw) tally_.withdrawn_cents += pending.cents;
  if (pending.is_sampled) watch_.Expect(completion.receipt.position, pending.sent_ns);
}

// Half deposits, so that the bank grows and refusals stay few: 30 % withdrawals, 20 % transfers.
Teller::Kind Teller::DrawKind() {
  const std::uint64_t draw = random_() % 10;
  if (draw < 5) return Kind::kDeposit;
  return draw < 8 ? Kind::kWithdraw : Kind::kTransfer;
}

template <class C>
pawl::Addressed<C> Teller::Draw() {
  const pawl::Key account = DrawAccount();
  const auto cents = static_cast<std::int64_t>(1 + random_() % 10'000);
  if constexpr (std::is_same_v<C, Transfer>) {
    return {account, Transfer{DrawAccount(), cents}};
  } else {
    return {account, C{cents}};
  }
}

pawl::Key Teller::DrawAccount() { return pawl::Key(1 + random_() % plan_.accounts); }

}  // namespace bank
