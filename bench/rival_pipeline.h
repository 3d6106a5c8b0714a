#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "bank_subject.h"
#include "bank_workload.h"
#include "command_feed.h"
#include "core_distance.h"

namespace pawl::inline v0::bench {

// Runs the bank scenario over a database: the same producer, queue, decisions and fold as the
// reference, and a transaction per batch where the reference has a store to its mark.
//
// `Store` is one database, opened and warm:
//   void Begin(); void Append(std::uint64_t position, const BankEvent&); void Commit();   loop
//   void ReadFrom(std::uint64_t position, F fold)   projector: fold(event) for each from there on
//   std::uint64_t Bytes()                           after the threads are joined
template <class Store>
class RivalPipeline {
 public:
  RivalPipeline(const BankOptions& options, Store& store)
      : options_(options),
        store_(store),
        feed_(options),
        decided_(options.accounts),
        projected_(options.accounts) {}

  BankResult Run() {
    const double before_ns = CoreDistanceNs(options_.placement);
    std::thread projector([this] { Project(); });
    std::thread loop([this] { DecideAll(); });
    std::thread producer([this] {
      PinThisThread(options_.placement.producer_core);
      begun_ = Clock::now();
      feed_.Produce();
    });
    producer.join();
    loop.join();
    projector.join();
    const double after_ns = CoreDistanceNs(options_.placement);
    const std::chrono::duration<double> seconds = ended_ - begun_;
    BankOracle oracle(options_.seed, options_.accounts, options_.commands);
    store_.ReadFrom(1, [&oracle](const BankEvent& event) { oracle.ExpectNext(event); });
    const bool is_verified = projected_ == decided_ && oracle.Holds(TotalsOf(projected_));
    return {.seconds = seconds.count(),
            .commands = options_.commands,
            .accepted = oracle.accepted(),
            .log_bytes = store_.Bytes(),
            .core_to_core_ns_before = before_ns,
            .core_to_core_ns_after = after_ns,
            .is_verified = is_verified};
  }

 private:
  using Clock = std::chrono::steady_clock;

  void DecideAll() {
    PinThisThread(options_.placement.loop_core);
    std::array<BankCommand, kFeedBatch> batch;
    std::uint64_t position = 0;
    for (std::uint64_t taken = 0; taken < options_.commands;) {
      const std::size_t count = feed_.Take(batch);
      if (count == 0) {
        IdleOnce(options_.idle);
        continue;
      }
      store_.Begin();
      for (std::size_t i = 0; i < count; ++i) {
        BankEvent event;
        if (Decide(decided_[batch[i].account], batch[i], event)) store_.Append(++position, event);
      }
      store_.Commit();
      taken += count;
      // Release: the transaction before the mark. Pairs with the acquire in Project().
      published_.store(position, std::memory_order_release);
    }
    // Release: the last mark before the end. Pairs with the acquire in Project().
    is_finished_.store(true, std::memory_order_release);
  }

  void Project() {
    PinThisThread(options_.placement.projector_core);
    for (std::uint64_t folded = 0;;) {
      // Acquire: who sees the end sees the last mark. Pairs with the release in DecideAll().
      const bool is_finished = is_finished_.load(std::memory_order_acquire);
      // Acquire: the transactions below the mark. Pairs with the release in DecideAll().
      const std::uint64_t published = published_.load(std::memory_order_acquire);
      if (folded >= published && is_finished) break;
      if (folded >= published) {
        IdleOnce(options_.idle);
        continue;
      }
      store_.ReadFrom(folded + 1, [&](const BankEvent& event) {
        projected_[event.account] += event.delta_cents;
        ++folded;
      });
    }
    ended_ = Clock::now();
  }

  const BankOptions& options_;
  Store& store_;
  CommandFeed feed_;
  std::vector<std::int64_t> decided_;    // Loop only.
  std::vector<std::int64_t> projected_;  // Projector only.
  Clock::time_point begun_;              // Producer only, until joined.
  Clock::time_point ended_;              // Projector only, until joined.
  // Last committed position. Loop writes, projector reads; only grows; spares the reader a
  // transaction when nothing is new.
  alignas(64) std::atomic<std::uint64_t> published_{0};
  alignas(64) std::atomic<bool> is_finished_{false};  // Loop writes once, projector reads.
};

}  // namespace pawl::inline v0::bench
