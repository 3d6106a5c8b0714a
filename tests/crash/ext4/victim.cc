#include "victim.h"

#include <unistd.h>

#include <functional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

// A life that wrote so much is cut although its trigger did not come: the disk is small.
constexpr std::uint64_t kLifeBytesMax = std::uint64_t{14} << 20;
constexpr std::uint64_t kCommitsMax = 12;
// How long a writer that can do nothing waits before it looks again.
constexpr std::int64_t kLookAgainNs = 50'000'000;

// Each life is another boot: what a memory file system showed before is not believed.
BootId BootOf(std::uint32_t life) {
  BootId id{};
  id[0] = 1;
  id[1] = static_cast<std::uint8_t>(life);
  return id;
}

}  // namespace

Victim::Victim(const VictimOrders& orders, const RecordHistory* history, LifeReport* report)
    : orders_(orders),
      history_(history),
      report_(report),
      random_(orders.seed),
      storage_(orders.lies, BootOf(orders.life)) {
  storage_.on_operation = [this] { Hear(); };
}

void Victim::Hear() {
  // Relaxed: a count.
  if (operations_.fetch_add(1, std::memory_order_relaxed) + 1 == orders_.trigger) FireTrigger();
}

void Victim::FireTrigger() {
  const char byte = 1;
  PAWL_CHECK(::write(orders_.trigger_fd, &byte, 1) == 1);
}

bool Victim::IsCut() const noexcept {
  // Acquire: pairs with the release of the parent.
  return report_->is_cut.load(std::memory_order_acquire) != 0;
}

void Victim::Run() {
  LogOptions options = orders_.log;
  options.storage = &storage_;
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options);
  if (!log.ok()) return OpenFailed(log.status());
  log_ = *std::move(log);
  if (!Recover()) return;
  if (orders_.has_threads) {
    WorkWithThreads();
  } else {
    WorkAlone();
  }
  CheckTheEnd();
}

// The disk that died explains an error, but not that the log calls it damage.
void Victim::OpenFailed(const absl::Status& why) {
  if (!IsCut() || absl::IsDataLoss(why)) {
    return report_->Tell({Finding::kRefused, why.ToString()});
  }
  // Release, here and below: pairs with the acquire of the parent, which waits for our end anyway.
  report_->saw_failure.store(1, std::memory_order_release);
}

// False: there is nothing to go on with.
bool Victim::Recover() {
  LogReader reader = log_->NewReader();
  const Judgement verdict = history_->Judge(reader, log_->published());
  if (!verdict.is_good()) {
    // Sealed segments cannot be entered any more on a dead disk.
    if (IsCut() && absl::IsUnknown(reader.status())) {
      report_->saw_failure.store(1, std::memory_order_release);
    } else {
      report_->Tell(verdict);
    }
    return false;
  }
  writer_.emplace(log_.get(), RecordScript(history_->seed(), orders_.life), verdict.kept);
  writer_->set_acks_published(orders_.acks_published);
  start_ = log_->published();
  if (log_->recovery().cut_bytes > 0) report_->was_torn.store(1, std::memory_order_release);
  report_->given.store(verdict.kept, std::memory_order_release);
  report_->acked.store(verdict.kept, std::memory_order_release);
  report_->kept.store(verdict.kept, std::memory_order_release);
  report_->has_recovered.store(1, std::memory_order_release);
  return true;
}

bool Victim::CanAppend() const {
  return log_->health() == LogHealth::kOpen && log_->writer().CanBeginCommit() &&
         log_->published() - log_->durable() < orders_.log.undurable_bytes_max / 2;
}

void Victim::AppendSome() {
  for (std::uint64_t i = 1 + random_.Below(kCommitsMax); i > 0 && CanAppend(); --i) {
    // Before the commit can be in the log.
    report_->given.store(writer_->next_given(), std::memory_order_release);
    writer_->Append();
  }
  const Address before = log_->published();
  writer_->Publish();
  if (before - start_ < kLifeBytesMax && log_->published() - start_ >= kLifeBytesMax) FireTrigger();
  Acknowledge();
}

void Victim::Acknowledge() { report_->acked.store(writer_->Acked(), std::memory_order_release); }

void Victim::WorkAlone() {
  const std::uint64_t append_weight = 1 + random_.Below(5);
  while (log_->health() != LogHealth::kFailed) {
    const std::uint64_t dice = random_.Below(8);
    if (dice < append_weight && CanAppend()) {
      AppendSome();
    } else if (dice < 7) {
      log_->SyncWork();
      Acknowledge();
    } else {
      log_->PrepareWork();
      // Now and then the log counts as idle, and says on the disk what is durable; and a full
      // disk is tried again.
      storage_.AdvanceClock(random_.OneIn(4) ? 20'000'000 : 0);
    }
    if (!log_->writer().CanBeginCommit()) log_->PrepareWork();
  }
}

void Victim::WorkWithThreads() {
  std::atomic<bool> is_stopping{false};
  Doorbell bell;
  log_->set_durable_bell(&bell);
  const auto run = [&](Doorbell& own, auto work, auto has_work, auto delay_ns) {
    // Acquire: pairs with the release below.
    const auto is_over = [&] { return is_stopping.load(std::memory_order_acquire); };
    while (!is_over()) {
      if (work() == 0) own.Wait([&]() noexcept { return is_over() || has_work(); }, delay_ns());
    }
  };
  Log& log = *log_;
  std::thread sync([&] {
    run(
        log.sync_bell(), [&] { return log.SyncWork(); }, [&] { return log.HasSyncWork(); },
        [&] { return log.sync_delay_ns(); });
  });
  std::thread preparer([&] {
    run(
        log.prepare_bell(), [&] { return log.PrepareWork(); }, [&] { return log.HasPrepareWork(); },
        [&] { return log.prepare_delay_ns(); });
  });
  while (log.health() != LogHealth::kFailed) {
    if (CanAppend()) AppendSome();
    Acknowledge();
    bell.Wait([&]() noexcept { return CanAppend() || log.health() == LogHealth::kFailed; },
              kLookAgainNs);
  }
  // Release: pairs with the acquire of the agents.
  is_stopping.store(true, std::memory_order_release);
  log.sync_bell().Ring();
  log.prepare_bell().Ring();
  sync.join();
  preparer.join();
  Acknowledge();
}

// The log has failed: it says why, nothing moves any more, and the disk is left alone.
void Victim::CheckTheEnd() {
  const Address durable = log_->durable();
  // Relaxed, both: the agents' threads are gone.
  const std::uint64_t operations = operations_.load(std::memory_order_relaxed);
  int work = 0;
  for (int i = 0; i < 10; ++i) {
    storage_.AdvanceClock(1'000'000'000);
    work += log_->SyncWork() + log_->PrepareWork();
  }
  const absl::Status error = log_->error();
  const bool is_frozen = work == 0 && log_->durable() == durable &&
                         operations_.load(std::memory_order_relaxed) == operations;
  const absl::Status closed = log_->Close();
  if (!IsCut() || error.ok() || closed.ok() || !is_frozen) {
    return report_->Tell({Finding::kBrokenRule,
                          absl::StrCat("a failed log, ", IsCut() ? "cut" : "not cut", ", ",
                                       is_frozen ? "frozen" : "that goes on", ", says ",
                                       error.ToString(), " and closes with ", closed.ToString())});
  }
  report_->saw_failure.store(1, std::memory_order_release);
}

}  // namespace pawl::inline v0
