#include <algorithm>
#include <cstring>

#include "clock_record.h"
#include "command_loop.h"
#include "pawl/check.h"

// What the loop does because time passes.
namespace pawl::inline v0 {

// --- clocks ---

void CommandLoop::BeginTime() noexcept {
  clock_.Tick();
  unpublished_ = writer_.next_position();
  if (clock_.is_step_due() && HasRoom()) [[unlikely]]
    AdoptClockStep();
  writer_.SetTime(clock_.now_ns());
  builder_.SetTime(clock_.now_ns());
}

// Again, in the middle of a turn. What is staged has the time that its handlers saw, which is its
// frame's.
void CommandLoop::SetTurnTime() noexcept {
  PublishInTurn();
  clock_.Tick();
  writer_.SetTime(clock_.now_ns());
  builder_.SetTime(clock_.now_ns());
}

// Between two frames: nothing is staged.
void CommandLoop::AdoptClockStep() noexcept {
  const ClockAdopted adopted = clock_.Adopt();
  writer_.SetTime(adopted.adopted_ns);
  writer_.BeginCommit();
  std::byte* const room = writer_.AppendRecord({.kind = RecordKind::kClockAdopted}, sizeof adopted);
  PAWL_CHECK(room != nullptr);
  std::memcpy(room, &adopted, sizeof adopted);
  static_cast<void>(writer_.EndCommit({.cause = CommitCause::kControl}));
}

// --- timers ---

// Also when all that there is to do is to follow the wall clock: what timers are for comes closer.
bool CommandLoop::TimersNeedTurn() noexcept {
  const TimerTable& table = timers_->table();
  if (table.is_empty()) return false;
  clock_.Tick();
  return table.wake_ns() <= clock_.now_ns() || table.has_dropped() || clock_.is_step_due();
}

std::int64_t CommandLoop::TimerDelayNs() noexcept {
  if (timers_ == nullptr || is_failed_ || is_draining_ || timers_->table().is_empty()) return -1;
  if (timers_->table().has_dropped()) return 0;
  clock_.Tick();
  const std::uint64_t left_ns = clock_.BootNsUntil(timers_->table().wake_ns());
  return static_cast<std::int64_t>(std::min(left_ns, static_cast<std::uint64_t>(kTimerLookNs)));
}

// Fires timers that are due: one at least, if there is room, and no more once the deadline is over.
//   returns   the work done
int CommandLoop::FireTimers(const Deadline* deadline) noexcept {
  TimerTable& table = timers_->table();
  const std::uint64_t now_ns = clock_.now_ns();
  std::uint32_t clears = kTurnClearsMax;
  int work = table.Advance(now_ns, kTurnMovesMax) != 0 ? 1 : 0;
  std::uint64_t looked_ns = 0;
  timers_go_first_ = timers_wait_for_room_ = false;
  for (int fired = 0; fired < kTurnFiresMax; ++fired) {
    const std::uint32_t timer = table.FirstDue(now_ns, clears);
    if (timer == kNoTimer) break;
    if (!HasRoom()) {
      timers_go_first_ = timers_wait_for_room_ = true;
      break;
    }
    // By the record that set it a timer is known if it ends the process: first that is in the log.
    if (Position(table.At(timer).order) >= unpublished_) PublishInTurn();
    if (looked_ns == 0) looked_ns = clock_.source().BootNs();
    looked_ns = FireTimer(timer, looked_ns);
    ++work;
    if (deadline != nullptr && looked_ns >= deadline->end_ns()) break;
  }
  if (clears != 0 && table.ClearDropped(clears) != 0) ++work;
  return work;
}

void CommandLoop::PublishInTurn() noexcept {
  const Address before = writer_.published();
  if (writer_.Publish() != before) meter_.CountFrame();
  unpublished_ = writer_.next_position();
}

//   returns   what the boot clock says behind it
std::uint64_t CommandLoop::FireTimer(std::uint32_t timer, std::uint64_t began_ns) noexcept {
  const TimerName name = timers_->table().At(timer).name;
  const std::uint64_t due_ns = timers_->table().At(timer).due_ns;
  const Address before = writer_.published();
  const Position set(timers_->table().At(timer).order);
  static_cast<void>(timers_->Fire(timer, builder_));
  if (guard_.is_watching_timers()) [[unlikely]]
    guard_.NoteFired(set);
  // At most one, as behind a run of commands.
  if (writer_.published() != before) [[unlikely]]
    meter_.CountFrame();
  const std::uint64_t ended_ns = clock_.source().BootNs();
  const std::uint64_t took_ns = ended_ns > began_ns ? ended_ns - began_ns : 0;
  meter_.Fired(clock_.now_ns() - due_ns, took_ns);
  const auto store = std::find(stores_.begin(), stores_.end(), name.store) - stores_.begin();
  pace_.TakeTimer(took_ns, static_cast<std::uint16_t>(store), name.type);
  return ended_ns;
}

}  // namespace pawl::inline v0
