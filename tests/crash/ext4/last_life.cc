#include "last_life.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kCommits = 200;

void FlipBitOnDisk(const std::string& path, std::uint64_t offset, unsigned bit) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  PAWL_CHECK(fd >= 0);
  unsigned char byte = 0;
  PAWL_CHECK(::pread(fd, &byte, 1, static_cast<off_t>(offset)) == 1);
  byte = static_cast<unsigned char>(byte ^ (1U << bit));
  PAWL_CHECK(::pwrite(fd, &byte, 1, static_cast<off_t>(offset)) == 1 && ::fdatasync(fd) == 0);
  ::close(fd);
}

}  // namespace

LastLife::LastLife(const LogOptions& options, std::uint32_t life, std::uint64_t seed,
                   const RecordHistory* history, LifeReport* report)
    : options_(options), life_(life), random_(seed), history_(*history), report_(report) {}

void LastLife::Run() {
  Judgement verdict = Live();
  if (verdict.is_good()) verdict = Reopen();
  report_->Tell(verdict);
}

Judgement LastLife::Live() {
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options_);
  if (!log.ok()) return {Finding::kRefused, log.status().ToString()};
  LogReader reader = (*log)->NewReader();
  Judgement verdict = history_.Judge(reader, (*log)->published());
  if (!verdict.is_good()) return verdict;
  // Release: pairs with the acquire of the parent.
  if ((*log)->recovery().cut_bytes > 0) report_->was_torn.store(1, std::memory_order_release);
  history_.Recovered(verdict.kept);
  return Append(**log);
}

Judgement LastLife::Append(Log& log) {
  const RecordScript script(history_.seed(), life_);
  std::uint64_t number = history_.given();
  for (std::uint64_t i = 0; i < kCommits; ++i) {
    while (!log.writer().CanBeginCommit()) {
      if (log.SyncWork() + log.PrepareWork() > 0) continue;
      return {Finding::kBrokenRule, absl::StrCat("no room: ", log.error().ToString())};
    }
    number = script.AppendCommit(log.writer(), number + 1);
    log.writer().Publish();
    if (random_.OneIn(4)) log.SyncWork();
  }
  if (const absl::Status closed = log.Close(); !closed.ok()) {
    return {Finding::kBrokenRule, absl::StrCat("close: ", closed.ToString())};
  }
  history_.Worked(life_, number, number);
  return {};
}

// What Open() did not read, because it has an index, is checked by who reads it.
bool LastLife::FindsDamage(const Log& log) {
  LogReader reader = log.NewReader();
  while (reader.NextFrame(log.published()) != nullptr) {
  }
  return absl::IsDataLoss(reader.status());
}

Judgement LastLife::Reopen() {
  {
    absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options_);
    if (!log.ok()) return {Finding::kRefused, log.status().ToString()};
    LogReader reader = (*log)->NewReader();
    const Address limit = (*log)->published();
    const Judgement verdict = history_.Judge(reader, limit);
    if (!verdict.is_good()) return verdict;
    if ((*log)->recovery().reason != EpochReason::kReopened) {
      return {Finding::kBrokenRule, "a log that was closed was not clean"};
    }
    if (const absl::Status closed = (*log)->Close(); !closed.ok()) {
      return {Finding::kBrokenRule, absl::StrCat("close: ", closed.ToString())};
    }
    const Judgement flipped = FlipOneBit((*log)->NewReader(), limit);
    if (!flipped.is_good()) return flipped;
  }
  const absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options_);
  if (!log.ok() || FindsDamage(**log)) {
    report_->saw_failure.store(1, std::memory_order_release);
  }
  return {};
}

// Any bit of any frame: each frame is as likely as the others.
Judgement LastLife::FlipOneBit(LogReader reader, Address limit) {
  std::uint64_t address = 0;
  std::uint64_t frames = 0;
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    if (!random_.OneIn(++frames)) continue;
    address = frame->address + random_.Below(frame->length);
  }
  if (frames == 0) return {Finding::kBrokenRule, "no frame to flip a bit of"};
  char name[32];
  std::snprintf(name, sizeof name, "/%010llu.seg",
                static_cast<unsigned long long>(address / options_.segment_bytes));
  FlipBitOnDisk(options_.directory + name, address % options_.segment_bytes,
                static_cast<unsigned>(random_.Below(8)));
  return {};
}

}  // namespace pawl::inline v0
