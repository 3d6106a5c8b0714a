#include "cut_campaign.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "last_life.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kDiskBytes = std::uint64_t{64} << 20;
constexpr int kDeadlineMs = 60'000;
// One in so many file systems is looked at by e2fsck after each cut.
constexpr std::uint64_t kCheckOneIn = 8;

void Wipe(const std::string& path) {
  std::error_code ignored;  // what cannot be removed makes the next mkdir fail, loudly
  std::filesystem::remove_all(path, ignored);
}

// Lets a random part of a millisecond pass without a system call.
void PassTime(SimRandom& random) {
  volatile std::uint64_t turns = random.OneIn(2) ? 0 : random.Below(400'000);
  while (turns > 0) turns = turns - 1;
}

}  // namespace

CutCampaign::CutCampaign(const CutOptions& options, const PrivateGround* ground, CutTally* tally,
                         Failure failure)
    : options_(options), ground_(ground), tally_(tally), failure_(std::move(failure)) {}

void CutCampaign::Fail(std::uint64_t& counter, const std::string& what) {
  ++counter;
  failure_(number_, what);
}

absl::Status CutCampaign::RunDisk(std::uint64_t number, std::uint64_t cuts) {
  number_ = number;
  random_ = SimRandom::For(options_.seed, number, 1);
  history_.emplace(random_.Next());
  log_ = {.directory = ground_->Path("disk/log"),
          .hot_directory = ground_->Path("hot"),
          .segment_bytes = kSegmentBytesMin << (random_.Below(3) * 2),
          .segments_ahead = 1 + static_cast<std::uint32_t>(random_.Below(2))};
  if (options_.images_on_disk) log_.hot_directory = log_.directory;
  log_.undurable_bytes_max = log_.segment_bytes * (2 + random_.Below(6));
  disk_.reset();
  absl::StatusOr<LoopExt4> made =
      LoopExt4::Make(ground_->Path("image"), ground_->Path("disk"), kDiskBytes);
  if (!made.ok()) return made.status();
  disk_ = *std::move(made);
  ++tally_->file_systems;
  for (std::uint32_t life = 0; life < cuts; ++life) {
    if (absl::Status lived = RunLife(life); !lived.ok()) return lived;
  }
  if (absl::Status lived = RunLastLife(static_cast<std::uint32_t>(cuts)); !lived.ok()) return lived;
  tally_->events_owed += history_->owed();
  return disk_->Unmount();
}

VictimOrders CutCampaign::DrawOrders(std::uint32_t life) {
  VictimOrders orders{.log = log_, .life = life, .seed = random_.Next()};
  orders.has_threads = random_.OneIn(2);
  // Within open, soon after it, or in full work: a life has thousands of operations.
  const std::uint64_t reach[] = {60, 200, 700};
  orders.trigger = 1 + random_.Below(reach[random_.Below(3)]);
  orders.lies = options_.lies;
  orders.acks_published = options_.acks_published;
  return orders;
}

absl::Status CutCampaign::RunLife(std::uint32_t life) {
  int trigger[2];
  PAWL_CHECK(::pipe2(trigger, O_CLOEXEC) == 0);
  VictimOrders orders = DrawOrders(life);
  orders.trigger_fd = trigger[1];
  SharedReport<LifeReport> report;
  Child child([&] {
    Victim(orders, &*history_, &*report).Run();
    return 0;
  });
  ::close(trigger[1]);
  const absl::Status cut = CutWhenTriggered(trigger[0], *report);
  const ChildEnd end = child.Wait(kDeadlineMs);
  ::close(trigger[0]);
  if (!cut.ok()) return cut;
  ++tally_->cuts;
  if (Count(end, *report)) {
    // Acquire: pairs with the release of the child.
    tally_->victims_saw_failure += report->saw_failure.load(std::memory_order_acquire);
    tally_->torn_tails += report->was_torn.load(std::memory_order_acquire);
  }
  if (report->has_recovered.load(std::memory_order_acquire) != 0) {
    history_->Recovered(report->kept.load(std::memory_order_acquire));
    history_->Worked(life, report->given.load(std::memory_order_acquire),
                     report->acked.load(std::memory_order_acquire));
  } else {
    ++tally_->cuts_in_open;
  }
  return Remount();
}

// The parent cuts while the victim works on: the moment is the trigger, and then chance.
absl::Status CutCampaign::CutWhenTriggered(int trigger_fd, LifeReport& report) {
  pollfd trigger{.fd = trigger_fd, .events = POLLIN, .revents = 0};
  int rc = 0;
  do {
    rc = ::poll(&trigger, 1, kDeadlineMs);
  } while (rc < 0 && errno == EINTR);
  PassTime(random_);
  if (random_.OneIn(2)) WriteSomeRanges();
  // Release: pairs with the acquire in the victim.
  report.is_cut.store(1, std::memory_order_release);
  return disk_->ShutDown(random_.OneIn(2) ? ShutdownMode::kLogFlush : ShutdownMode::kNoLogFlush);
}

// What the page cache has of some ranges reaches the disk, out of order.
void CutCampaign::WriteSomeRanges() {
  std::error_code ignored;  // the victim removes files meanwhile
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator at(log_.directory, ignored), end; !ignored && at != end;
       at.increment(ignored)) {
    files.push_back(at->path());
  }
  if (files.empty()) return;
  std::sort(files.begin(), files.end());
  for (std::uint64_t i = random_.Below(6); i > 0; --i) {
    const int fd = ::open(files[random_.Below(files.size())].c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const auto from = static_cast<off_t>(random_.OneIn(2) ? 0 : random_.Below(1 << 20));
    static_cast<void>(::sync_file_range(fd, from, static_cast<off_t>(1 + random_.Below(1 << 18)),
                                        SYNC_FILE_RANGE_WRITE));
    ::close(fd);
  }
}

// The machine comes up again: the journal is replayed, memory is empty.
absl::Status CutCampaign::Remount() {
  Wipe(ground_->Path("hot"));
  if (absl::Status done = disk_->Unmount(); !done.ok()) return done;
  if (absl::Status done = disk_->Mount(); !done.ok()) return done;
  if (number_ % kCheckOneIn != 0) return absl::OkStatus();
  // The journal was replayed by the mount; e2fsck sees the file system as the log will.
  if (absl::Status done = disk_->Unmount(); !done.ok()) return done;
  ++tally_->checks;
  if (absl::Status sound = disk_->Check(); !sound.ok()) {
    Fail(tally_->check_failures, sound.ToString());
  }
  return disk_->Mount();
}

// True if the child ended as it should.
bool CutCampaign::Count(const ChildEnd& end, const LifeReport& report) {
  if (end.was_hung) {
    Fail(tally_->hung, "a life did not end");
  } else if (end.signal != 0) {
    Fail(tally_->signals, absl::StrCat("signal ", end.signal, ": ", ::strsignal(end.signal)));
  } else if (end.exit_status != 0) {
    Fail(tally_->broken_rules, absl::StrCat("exit status ", end.exit_status));
  } else {
    switch (report.finding) {
      case Finding::kGood: return true;
      case Finding::kLost: Fail(tally_->lost, absl::StrCat("lost: ", report.what)); break;
      case Finding::kWrong: Fail(tally_->wrong_reads, absl::StrCat("wrong: ", report.what)); break;
      case Finding::kRefused:
        Fail(tally_->refused_torn, absl::StrCat("refused: ", report.what));
        break;
      case Finding::kBrokenRule:
        Fail(tally_->broken_rules, absl::StrCat("rule: ", report.what));
        break;
    }
  }
  return false;
}

absl::Status CutCampaign::RunLastLife(std::uint32_t life) {
  SharedReport<LifeReport> report;
  const std::uint64_t seed = random_.Next();
  Child child([&] {
    LastLife(log_, life, seed, &*history_, &*report).Run();
    return 0;
  });
  const ChildEnd end = child.Wait(kDeadlineMs);
  if (Count(end, *report)) {
    ++tally_->flips;
    tally_->torn_tails += report->was_torn.load(std::memory_order_acquire);
    if (report->saw_failure.load(std::memory_order_acquire) == 0) {
      Fail(tally_->accepted_damage, "a flipped bit below closing evidence was accepted");
    }
  }
  Wipe(ground_->Path("hot"));
  return absl::OkStatus();
}

}  // namespace pawl::inline v0
