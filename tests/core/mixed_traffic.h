#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "bank_fixture.h"

namespace pawl {

// Sends commands in every way, at both levels, accepted and refused, and polls all their answers.
class MixedTraffic {
 public:
  static constexpr std::uint64_t kAccounts = 1000;

  explicit MixedTraffic(Producer& producer) : producer_(producer), batch_(200) {}

  // `run_engine` is called while there is nothing to poll.
  template <class RunEngine>
  void Run(std::uint64_t commands, RunEngine&& run_engine) {
    std::uint64_t sent = 0;
    answered_ = 0;
    while (answered_ < commands) {
      if (sent < commands) sent += Send(sent, commands - sent);
      const std::size_t polled = producer_.Poll([this](const Completion& c) noexcept {
        ++answered_;
        is_sound_ =
            is_sound_ && (c.verdict.is_accepted() || c.verdict.kind() == VerdictKind::kRefused);
      });
      if (polled == 0) run_engine();
    }
  }
  void Run(std::uint64_t commands) {
    Run(commands, [] {});
  }
  bool is_sound() const { return is_sound_; }

 private:
  std::uint64_t Send(std::uint64_t sent, std::uint64_t left) {
    const Ack ack = turn_++ % 2 == 0 ? Ack::kPublished : Ack::kDurable;
    const Key key(1 + turn_ % kAccounts);
    switch (turn_ % 8) {
      case 0: return producer_.Submit<Account>(key, Withdraw{1'000'000'000}, {.ack = ack}) ? 1 : 0;
      case 1: return producer_.Submit<Account>(key, Transfer{Key(7), 1}, {.ack = ack}) ? 1 : 0;
      case 2: return producer_.Submit<Account>(key, Look{}, {.ack = ack}) ? 1 : 0;
      case 3: return producer_.Submit<Account>(key, Deposit{1}, {.ack = ack}) ? 1 : 0;
      default: break;
    }
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      batch_[i] = {Key(1 + (sent + i) % kAccounts), {1}};
    }
    const std::span<const Addressed<Deposit>> all(batch_);
    return producer_
        .SubmitBatch<Account>(all.first(std::min<std::size_t>(left, all.size())), {.ack = ack})
        .count;
  }

  Producer& producer_;
  std::vector<Addressed<Deposit>> batch_;
  std::uint64_t turn_ = 0;
  std::uint64_t answered_ = 0;
  bool is_sound_ = true;
};

}  // namespace pawl
