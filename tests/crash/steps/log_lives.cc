// The lives of the memlog scenario.

#include <algorithm>
#include <memory>

#include "pawl/check.h"
#include "pawl/log.h"
#include "plan.h"
#include "scenario.h"

namespace pawl::inline v0 {
namespace {

enum Phase : std::uint32_t {
  kCreate = 1,
  kPublish,
  kPrepare,
  kSync,
  kFullFrame,
  kRoll,
  kSyncRoll,
  kEvidence,
  kClose,
  kReopen,
  kKilledPublish,
  kKilledRoll,
  kRecovery,
};
constexpr const char* kPhases[] = {
    "create",   "publish", "prepare", "sync",           "full_frame",  "roll",    "sync_roll",
    "evidence", "close",   "reopen",  "killed_publish", "killed_roll", "recovery"};

constexpr std::uint64_t kIdleNs = 20'000'000;
// No planned commit is as large, with its frame.
constexpr std::uint64_t kFrameRoom = 1024;

// What a program that embeds the log does, one call after the other.
class LogVictim {
 public:
  explicit LogVictim(const VictimOrders& orders)
      : orders_(orders), number_(Told(orders.progress->begun)) {}

  void Open(Phase phase) {
    At(phase);
    absl::StatusOr<std::unique_ptr<Log>> log =
        Log::Open({.directory = orders_.root + "/log",
                   .hot_directory = orders_.root + "/hot",
                   .segment_bytes = kSegmentBytesMin,
                   .undurable_bytes_max = 4 * kSegmentBytesMin,
                   .storage = orders_.storage});
    PAWL_CHECK(log.ok());
    log_ = *std::move(log);
    Tell(orders_.progress->first_commit, number_);
    Tell(orders_.progress->frame_ends, 0);
    Tell(orders_.progress->life, Told(orders_.progress->life) + 1);
    At(Phase{kPhaseUnstepped});
  }
  void At(Phase phase) { Mark(*orders_.progress, phase); }

  void Append() {
    LogWriter& writer = log_->writer();
    const std::vector<PlannedRecord> records = PlannedCommit(orders_.seed, number_);
    Tell(orders_.progress->begun, ++number_);
    writer.BeginCommit();
    for (const PlannedRecord& record : records) AppendRecord(record);
    writer.EndCommit({.sequence = Sequence(number_)});
  }
  void Abandon() {
    log_->writer().BeginCommit();
    AppendRecord({.fields = {.type = 9}, .payload = std::vector<std::byte>(40)});
    log_->writer().AbandonCommit();
  }
  void EndsFrame() {
    Progress& progress = *orders_.progress;
    const std::uint32_t count = Told(progress.frame_ends);
    PAWL_CHECK(count < Progress::kFrameEndsMax);
    Tell(progress.frame_end[count], number_);
    Tell(progress.frame_ends, count + 1);
  }
  void Publish(int commits = 1) {
    for (int i = 0; i < commits; ++i) Append();
    EndsFrame();
    log_->writer().Publish();
    Tell(orders_.progress->published, number_);
  }
  // A full frame publishes itself, and the writer chooses where it ends.
  void FillFrame() {
    const Address before = log_->published();
    while (log_->published() == before) {
      Append();
      EndsFrame();
    }
    log_->writer().Publish();
    Tell(orders_.progress->published, number_);
  }
  std::uint64_t room() const {
    return kSegmentBytesMin - log_->published().value() % kSegmentBytesMin;
  }
  void FillSegment() {
    while (room() > 2 * kFrameRoom) {
      Prepare();
      Publish();
    }
  }
  void Roll() {
    while (room() <= 2 * kFrameRoom) Publish();
  }
  void Prepare() {
    while (log_->HasPrepareWork()) PAWL_CHECK(log_->PrepareWork() > 0);
  }
  void Sync() {
    while (log_->durable() < log_->published()) PAWL_CHECK(log_->SyncWork() > 0);
    Tell(orders_.progress->durable, number_);
  }
  void WriteEvidence() {
    orders_.storage->AdvanceClock(kIdleNs);
    while (log_->HasSyncWork()) PAWL_CHECK(log_->SyncWork() > 0);
  }
  void Close() { PAWL_CHECK(log_->Close().ok()); }

 private:
  void AppendRecord(const PlannedRecord& record) {
    std::byte* const payload = log_->writer().AppendRecord(
        record.fields, static_cast<std::uint32_t>(record.payload.size()));
    PAWL_CHECK(payload != nullptr);
    std::copy(record.payload.begin(), record.payload.end(), payload);
  }

  const VictimOrders& orders_;
  std::uint64_t number_;  // of the next commit
  std::unique_ptr<Log> log_;
};

void FirstLife(LogVictim& victim) {
  victim.Open(kCreate);
  victim.At(kPublish);
  victim.Publish();
  victim.Abandon();
  victim.Publish(3);
  for (int i = 0; i < 6; ++i) victim.Publish();
  victim.At(kPrepare);
  victim.Prepare();
  victim.At(kSync);
  victim.Sync();
  victim.At(kFullFrame);
  victim.FillFrame();
  victim.At(Phase{kPhaseUnstepped});
  victim.FillSegment();
  victim.At(kRoll);
  victim.Roll();
  victim.At(kSyncRoll);
  victim.Sync();
  victim.Prepare();
  victim.At(kEvidence);
  victim.WriteEvidence();
  victim.At(kPublish);
  victim.Publish(2);
  victim.At(kClose);
  victim.Close();
}

// Dies with a segment and more that no file has, in the middle of a frame.
void SecondLife(LogVictim& victim) {
  victim.Open(kReopen);
  victim.FillSegment();
  victim.Roll();
  victim.Publish();
  victim.At(kKilledPublish);
  victim.Publish(3);
}

// Dies at the border of two segments.
void ThirdLife(LogVictim& victim) {
  victim.Open(kRecovery);
  victim.At(kPublish);
  victim.Publish(2);
  victim.At(Phase{kPhaseUnstepped});
  victim.FillSegment();
  victim.At(kKilledRoll);
  victim.Roll();
}

void LastLife(LogVictim& victim) {
  victim.Open(kRecovery);
  victim.At(kPublish);
  victim.Publish();
  victim.At(kClose);
  victim.Close();
}

void Live(std::uint32_t life, const VictimOrders& orders) {
  constexpr void (*kLives[])(LogVictim&) = {FirstLife, SecondLife, ThirdLife, LastLife};
  LogVictim victim(orders);
  kLives[life](victim);
  Mark(*orders.progress, kPhaseOver);
}

}  // namespace

const Scenario kLogScenario = {.name = "log", .phases = kPhases, .lives = 4, .live = Live};

}  // namespace pawl::inline v0
