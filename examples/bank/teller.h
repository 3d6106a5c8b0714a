#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <absl/status/status.h>

#include "bank.h"
#include "visibility_watch.h"
#include <pawl/histogram.h>
#include <pawl/position.h>
#include <pawl/producer.h>
#include <pawl/receipt.h>
#include <pawl/view.h>

namespace bank {

// What one teller is to do.
struct TellerPlan {
  std::uint64_t commands = 0;
  std::uint64_t accounts = 0;
  pawl::Ack ack = pawl::Ack::kDurable;
  double interval_ns = 0;  // between two commands; 0: saturated, in batches
  double phase_ns = 0;     // of the first command after the start
  std::uint64_t seed = 0;
};

// What became of it, counted from the completions alone.
struct Tally {
  std::uint64_t sent = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::int64_t deposited_cents = 0;  // by accepted deposits; transfers move money, no more
  std::int64_t withdrawn_cents = 0;
  pawl::Position last_position;
  std::int64_t finished_ns = 0;
  pawl::Histogram submit_to_ack;
  pawl::Histogram submit_to_visible;
  absl::Status status;  // not Ok: the teller had to stop
};

// Sends commands through one producer, as fast as they are taken or on a schedule, and measures.
//   threads   Work() on one thread; answered() on any
class Teller {
 public:
  Teller(pawl::Producer producer, const pawl::View<Balances>& balances, const TellerPlan& plan);

  // Sends all commands and returns when all are answered and visible, or `stop` became true.
  //   start_ns   of the schedule, on NowNs()'s clock
  void Work(std::int64_t start_ns, const std::atomic<bool>& stop);

  std::uint64_t answered() const noexcept;
  const Tally& tally() const noexcept { return tally_; }

 private:
  enum class Kind : std::uint8_t { kDeposit, kWithdraw, kTransfer };
  struct Pending {
    std::int64_t sent_ns;  // or, on a schedule, when it should have been sent
    std::int64_t cents;
    Kind kind;
    bool is_sampled;  // for submit → visible
  };
  static constexpr std::size_t kBatch = 64;

  void WorkSaturated(const std::atomic<bool>& stop);
  void WorkOnSchedule(std::int64_t start_ns, const std::atomic<bool>& stop);
  void Drain();

  template <class C>
  void SendBatch(Kind kind);
  template <class C>
  void SendOne(Kind kind, std::int64_t intended_ns);
  void SendAnyOne(std::int64_t intended_ns);
  void Note(pawl::Sequence sequence, const Pending& pending) noexcept;
  bool MayRetry(pawl::SendFault fault);

  std::size_t Collect();
  void Settle(const pawl::Completion& completion, std::int64_t now_ns);

  Kind DrawKind();
  template <class C>
  pawl::Addressed<C> Draw();
  pawl::Key DrawAccount();

  const pawl::View<Balances>& balances_;
  const TellerPlan plan_;
  pawl::Producer producer_;
  Tally tally_;
  VisibilityWatch watch_{tally_.submit_to_visible};
  std::mt19937_64 random_;
  std::vector<Pending> pending_;  // by sequence, modulo its size: as large as the window
  std::array<pawl::Completion, 256> arrived_;
  // Written by the teller, read by whoever shows progress; grows only.
  std::atomic<std::uint64_t> answered_{0};
};

// The clock that all of it is measured with.
std::int64_t NowNs() noexcept;

}  // namespace bank
