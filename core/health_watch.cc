#include "health_watch.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace pawl::inline v0 {

namespace {

constexpr std::int64_t kPeriodMaxNs = 250'000'000;
constexpr std::int64_t kPeriodMinNs = 1'000'000;

std::uint64_t ValueOf(const StatsWord& word) noexcept {
  // Relaxed: words that guard nothing.
  return word.load(std::memory_order_relaxed);
}

void Set(StatsWord& word, std::uint64_t value) noexcept {
  // Relaxed: one writer, guards nothing.
  word.store(value, std::memory_order_relaxed);
}

std::int64_t PeriodFor(std::uint64_t stall_after_ns) noexcept {
  if (stall_after_ns == 0) return kPeriodMaxNs;
  return std::clamp(static_cast<std::int64_t>(stall_after_ns / 4), kPeriodMinNs, kPeriodMaxNs);
}

std::string NameOf(const AgentWords& words) {
  std::array<char, 2 * sizeof(StatsWord) + 1> text{};
  for (std::size_t i = 0; i < words.name.size(); ++i) {
    const std::uint64_t word = ValueOf(words.name[i]);
    std::memcpy(text.data() + i * sizeof word, &word, sizeof word);
  }
  return text.data();
}

}  // namespace

HealthWatch::HealthWatch(const Setup& setup)
    : log_(*setup.log),
      block_(*setup.block),
      clock_(*setup.clock),
      stall_after_ns_(setup.stall_after_ns),
      period_ns_(PeriodFor(setup.stall_after_ns)),
      can_rest_(KernelParking::Register()),
      on_health_(setup.on_health),
      on_notice_(setup.on_notice),
      rounds_(setup.block->header.agents),
      looked_ns_(setup.clock->BootNs()),
      holds_engine_(setup.block->header.agents) {
  for (const std::size_t row : {kLoop, kSync, kPreparer}) UseRow(row, true);
  // Before anybody reads them.
  static_cast<void>(LookAtDisk());  // whether it is quiet
}

int HealthWatch::DoWork() noexcept {
  LookAtTime();
  bool is_quiet_look = LookAtDisk();
  const std::size_t rows = rows_used();
  for (std::size_t row = 0; row < rows; ++row) {
    is_quiet_look = LookAtAgent(row) && is_quiet_look;
  }
  quiet_looks_ = is_quiet_look ? std::min(quiet_looks_ + 1, 2) : 0;
  // Relaxed: before the barrier in Doorbell::Wait(), see NoteRound().
  if (is_quiet() != is_resting_.load(std::memory_order_relaxed)) [[unlikely]]
    is_resting_.store(is_quiet(), std::memory_order_relaxed);
  const EngineHealth now = Judge();
  // Relaxed: guards nothing.
  judged_.store(now, std::memory_order_relaxed);
  Set(block_.health.health, static_cast<std::uint64_t>(now));
  if (now != told_) [[unlikely]]
    Tell(now);
  return 0;
}

// Between two looks nobody watched: a machine that was suspended, or a host that did something
// else, is no agent that hangs. So a gap counts as half of what makes a stall at most.
void HealthWatch::LookAtTime() noexcept {
  const std::uint64_t now_ns = clock_.BootNs();
  const std::uint64_t gap_ns = now_ns > looked_ns_ ? now_ns - looked_ns_ : 0;
  looked_ns_ = now_ns;
  watched_ns_ += std::min(gap_ns, stall_after_ns_ / 2);
}

// Returns whether nothing happens there.
bool HealthWatch::LookAtAgent(std::size_t row) {
  AgentWords& words = block_.agents()[row];
  Seen& seen = rounds_[row];
  const std::uint64_t pulse = ValueOf(words.pulse);
  const bool is_in_round = pulse % 2 != 0;
  const bool has_moved = pulse != seen.value;
  if (has_moved || !is_in_round) {
    if (seen.is_stalled) [[unlikely]]
      Set(words.is_stalled, 0);
    seen = {pulse, watched_ns_, false};
  } else if (IsTooLong(seen) && !seen.is_stalled) {
    seen.is_stalled = true;
    Set(words.is_stalled, 1);
    AddTo(words.stalls, 1);
    if (on_notice_) {
      on_notice_(NameOf(words) + " (agent " + std::to_string(row) + ") is in one round for " +
                 std::to_string((watched_ns_ - seen.since_ns) / 1'000'000) + " ms");
    }
  }
  return !has_moved && !is_in_round;
}

bool HealthWatch::LookAtDisk() noexcept {
  const Address published = log_.published();
  const Address durable = log_.durable();
  Set(block_.health.published, published.value());
  Set(block_.health.durable, durable.value());
  const bool has_work = durable < published && log_.health() != LogHealth::kFailed;
  const bool has_moved = durable.value() != durable_.value;
  if (has_moved || !has_work || !has_disk_work_) durable_ = {durable.value(), watched_ns_, false};
  has_disk_work_ = has_work;
  durable_.is_stalled = has_work && IsTooLong(durable_);
  return !has_moved && !has_work;
}

bool HealthWatch::HasPulseMoved() const noexcept {
  const std::size_t rows = rows_used();
  for (std::size_t row = 0; row < rows; ++row) {
    // Acquire: as Doorbell asks. Pairs with the release in AgentWords::BeginRound().
    const std::uint64_t pulse = block_.agents()[row].pulse.load(std::memory_order_acquire);
    if (pulse != rounds_[row].value) return true;
  }
  return false;
}

EngineHealth HealthWatch::health() const noexcept {
  const LogHealth log = log_.health();
  if (log == LogHealth::kFailed) return EngineHealth::kFailed;
  // Relaxed: guards nothing.
  if (judged_.load(std::memory_order_relaxed) == EngineHealth::kStalled) {
    return EngineHealth::kStalled;
  }
  return log == LogHealth::kDiskLow ? EngineHealth::kDiskLow : EngineHealth::kOpen;
}

EngineHealth HealthWatch::Judge() const noexcept {
  const LogHealth log = log_.health();
  if (log == LogHealth::kFailed) return EngineHealth::kFailed;
  if (StalledRow() != rounds_.size() || durable_.is_stalled) return EngineHealth::kStalled;
  return log == LogHealth::kDiskLow ? EngineHealth::kDiskLow : EngineHealth::kOpen;
}

// The first agent that hangs and makes the engine do so; as many as there are rows: none.
std::size_t HealthWatch::StalledRow() const noexcept {
  const std::size_t rows = rows_used();
  for (std::size_t row = 0; row < rows; ++row) {
    // Relaxed: guards nothing.
    const bool holds_engine = holds_engine_[row].load(std::memory_order_relaxed);
    if (rounds_[row].is_stalled && holds_engine) return row;
  }
  return rounds_.size();
}

std::string HealthWatch::WhyStalled() const {
  const std::string limit = std::to_string(stall_after_ns_ / 1'000'000) + " ms";
  if (const std::size_t row = StalledRow(); row != rounds_.size()) {
    const std::string_view because = row == kLoop           ? ": a handler does not return"
                                     : row < kFirstAttached ? ": the disk does not answer"
                                                            : ": it shares an engine's thread";
    return NameOf(block_.agents()[row]) + " is in one round for more than " + limit +
           std::string(because);
  }
  return "nothing became durable for more than " + limit + ", although " +
         std::to_string(log_.published() - log_.durable()) + " bytes wait for it";
}

void HealthWatch::Tell(EngineHealth now) {
  const EngineHealth from = told_;
  told_ = now;
  AddTo(block_.health.changes, 1);
  if (!on_health_) return;
  switch (now) {
    case EngineHealth::kOpen: return on_health_(from, now, "all goes on");
    case EngineHealth::kStalled: return on_health_(from, now, WhyStalled());
    case EngineHealth::kDiskLow:
    case EngineHealth::kFailed: return on_health_(from, now, std::string(log_.error().message()));
  }
}

}  // namespace pawl::inline v0
