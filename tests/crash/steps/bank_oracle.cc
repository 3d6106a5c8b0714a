#include <memory>

#include "absl/strings/str_cat.h"
#include "bank.h"
#include "oracle.h"
#include "stepped_storage.h"

namespace pawl::inline v0 {

Judgement BankOracle::Recover(const LiveImage& image, const std::string& root) {
  CopyStorage storage({image.Device("log/manifest"), image.Inode("log/manifest")});
  SteppedClock clock;
  const absl::StatusOr<std::unique_ptr<Engine>> engine =
      Engine::Open(BankOptions(root, &storage, &clock), Aggregates<SteppedAccount>{});
  if (!engine.ok()) return {Finding::kRefused, engine.status().ToString()};
  if (HasJustOpened()) {
    life_ = Told(progress_->life);
    is_opening_ = false;
  }
  const Judgement end = JudgeEnd((*engine)->recovery());
  if (!end.is_good()) return end;
  Balances balances{};
  const absl::Status visited = (*engine)->VisitAggregates<SteppedAccount>(
      [&](const Key& key, Version, const SteppedAccount::State& state) {
        balances[key.low % balances.size()] += state.cents;
      });
  if (!visited.ok()) return {Finding::kWrong, visited.ToString()};
  return Compare(balances);
}

// Command n adds an amount of its own, so balances tell how many took place.
Judgement BankOracle::Compare(const Balances& balances) {
  const std::uint64_t begun = Told(progress_->begun);
  const std::uint64_t owed = Told(progress_->published);
  while (after_.size() <= begun) {
    const PlannedTransfer command = PlannedCommand(seed_, after_.size() - 1);
    Balances next = after_.back();
    if (command.from != 0) next[command.from] -= command.cents;
    next[command.to] += command.cents;
    after_.push_back(next);
  }
  for (std::uint64_t n = begun + 1; n-- > 0;) {
    if (after_[n] != balances) continue;
    if (n >= owed) return {};
    return {Finding::kLost, absl::StrCat(n, " commands recovered, ", owed, " published")};
  }
  return {Finding::kWrong,
          absl::StrCat("balances ", balances[1], ", ", balances[2], ", ", balances[3],
                       " are those after no number of commands up to ", begun)};
}

}  // namespace pawl::inline v0
