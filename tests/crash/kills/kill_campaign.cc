#include "kill_campaign.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"

namespace pawl::inline v0 {
namespace {

// No healthy life comes near it.
constexpr auto kDeadline = std::chrono::minutes(2);
constexpr auto kLookEvery = std::chrono::microseconds(50);
// The moment of a kill: up to 2^14 µs behind, each power of two as likely as the next.
constexpr std::uint64_t kDelayBits = 14;

std::string NewRoot() {
  const std::string place = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : "/tmp";
  std::string root = place + "/pawl-kills-XXXXXX";
  PAWL_CHECK(::mkdtemp(root.data()) != nullptr);
  return root;
}

}  // namespace

void KillTally::Add(const KillTally& other) noexcept {
  kills += other.kills;
  with_commands += other.with_commands;
  kills_in_open += other.kills_in_open;
  clean_stops += other.clean_stops;
  readers_killed += other.readers_killed;
  lost += other.lost;
  wrong_reads += other.wrong_reads;
  refused += other.refused;
  broken_rules += other.broken_rules;
  signals += other.signals;
  hung += other.hung;
  logs += other.logs;
  events += other.events;
  reads += other.reads;
  from_files += other.from_files;
}

KillCampaign::KillCampaign(const KillOptions& options, KillTally* tally, Failure failure)
    : options_(options), tally_(tally), failure_(std::move(failure)), random_(options.seed) {}
KillCampaign::~KillCampaign() = default;

void KillCampaign::RunLog(std::uint64_t number, std::uint64_t kills) {
  random_ = SimRandom::For(options_.seed, number, 1);
  log_ = number;
  has_failed_ = false;
  root_ = NewRoot();
  victim_.emplace();
  for (std::size_t i = 0; i < kReaders; ++i) StartReader(i);
  const std::uint64_t end = tally_->kills + kills;
  while (tally_->kills < end && !has_failed_) RunLife(false);
  if (!has_failed_) RunLife(true);
  // Acquire: pairs with the release of the last life, which is over.
  tally_->events += (*victim_)->given.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < kReaders; ++i) EndReader(i);
  ++tally_->logs;
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

void KillCampaign::StartReader(std::size_t index) {
  Reader& reader = readers_[index];
  reader.orders = {.root = root_,
                   .mark = index == 0 ? LogMark::kPublished : LogMark::kDurable,
                   .sees_images = index != 2};
  reader.report.emplace();
  ReaderReport* const report = &**reader.report;
  reader.process = std::make_unique<Child>([orders = reader.orders, report] {
    KillReader(orders, report).Run();
    return 0;
  });
}

void KillCampaign::EndReader(std::size_t index) {
  Reader& reader = readers_[index];
  if (reader.process == nullptr) return;
  const ChildEnd end = reader.process->Wait(0);
  Count(end, **reader.report, end.was_hung);
  // Relaxed: the process is gone.
  tally_->reads += (*reader.report)->reads.load(std::memory_order_relaxed);
  tally_->from_files += (*reader.report)->from_files.load(std::memory_order_relaxed);
  reader.process = nullptr;
}

void KillCampaign::RunLife(bool stops) {
  const bool is_stop = stops || random_.OneIn(16);
  const bool is_in_open = !is_stop && random_.OneIn(8);
  // Acquire, here and below: pairs with the releases of the processes that write these words.
  const std::uint32_t lives = (*victim_)->lives.load(std::memory_order_acquire);
  VictimReport* const report = &**victim_;
  const VictimOrders orders{
      .root = root_, .seed = random_.Next(), .stops = is_stop, .fault = options_.fault};
  Child victim([orders, report] {
    KillVictim(orders, report).Run();
    return 0;
  });
  bool is_seen = true;
  if (is_in_open) {
    victim.EndsWithin(std::chrono::microseconds(random_.Below(4000)));
  } else if (is_stop) {
    Await(victim, [] { return false; });
  } else {
    is_seen = Await(victim, [&] {
      return report->lives.load(std::memory_order_acquire) > lives && HaveAllSeenMore();
    });
    const std::uint64_t delay_us = std::uint64_t{1} << random_.Below(kDelayBits);
    if (is_seen) victim.EndsWithin(std::chrono::microseconds(delay_us));
  }
  const ChildEnd end = victim.Wait(is_stop ? 20'000 : 0);
  Count(end, *report, end.was_hung && !is_stop);
  for (std::size_t i = 0; i < kReaders; ++i) {
    // One that ended by itself has found something.
    if ((*readers_[i].report)->finding != Finding::kGood) EndReader(i);
  }
  if (!is_seen && !has_failed_) {
    Fail(tally_->hung, "readers do not see what the engine writes: " + Progress());
  }
  if (is_stop && end.was_hung) Fail(tally_->hung, "an engine that was told to stop goes on");
  if (has_failed_) return;
  const std::uint64_t told = std::max(report->published.load(std::memory_order_acquire),
                                      report->durable.load(std::memory_order_acquire));
  if (is_stop) {
    ++tally_->clean_stops;
    AwaitTheEnd(told);
  } else if (is_in_open) {
    ++tally_->kills_in_open;
  } else {
    ++tally_->kills;
    if (report->given.load(std::memory_order_acquire) > told) ++tally_->with_commands;
  }
  if (!has_failed_ && random_.OneIn(10)) {
    const std::size_t index = random_.Below(kReaders);
    EndReader(index);
    ++tally_->readers_killed;
    StartReader(index);
  }
}

std::string KillCampaign::Progress() const {
  // Acquire, all: pairs with the releases of the processes that write these words.
  const VictimReport& victim = **victim_;
  std::string text =
      absl::StrCat("recovered ", victim.kept.load(std::memory_order_acquire), ", given ",
                   victim.given.load(std::memory_order_acquire), ", acknowledged as published ",
                   victim.published.load(std::memory_order_acquire), " and as durable ",
                   victim.durable.load(std::memory_order_acquire), ", seen");
  for (const Reader& reader : readers_) {
    absl::StrAppend(&text, " ", (*reader.report)->seen.load(std::memory_order_acquire));
  }
  return text;
}

// All readers come to the end of a log that was closed.
void KillCampaign::AwaitTheEnd(std::uint64_t number) {
  const auto have_all = [&] {
    return std::all_of(readers_.begin(), readers_.end(), [&](const Reader& reader) {
      // Acquire: pairs with the release of the reader.
      return (*reader.report)->seen.load(std::memory_order_acquire) == number;
    });
  };
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!have_all() && std::chrono::steady_clock::now() < deadline) {
    if (readers_.front().process->EndsWithin(kLookEvery)) break;
  }
  if (!have_all()) {
    Fail(tally_->hung, "readers do not reach the end of a log that was closed: " + Progress());
  }
}

// Records of the life that runs.
bool KillCampaign::HaveAllSeenMore() const {
  const std::uint64_t kept = (*victim_)->kept.load(std::memory_order_acquire);
  return std::all_of(readers_.begin(), readers_.end(), [&](const Reader& reader) {
    return (*reader.report)->seen.load(std::memory_order_acquire) > kept;
  });
}

//   returns   false: the victim ended, a reader found something, or the time is over
template <class IsDone>
bool KillCampaign::Await(Child& victim, IsDone is_done) {
  std::array<const Child*, kReaders + 1> children{};
  for (std::size_t i = 0; i < kReaders; ++i) children[i] = readers_[i].process.get();
  children.back() = &victim;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!is_done()) {
    if (Child::OneEnds(children, kLookEvery)) return false;
    if (std::chrono::steady_clock::now() > deadline) return false;
  }
  return true;
}

void KillCampaign::Count(const ChildEnd& end, const TellReport& report, bool was_killed) {
  if (report.finding == Finding::kLost) return Fail(tally_->lost, report.what);
  if (report.finding == Finding::kWrong) return Fail(tally_->wrong_reads, report.what);
  if (report.finding == Finding::kRefused) return Fail(tally_->refused, report.what);
  if (report.finding == Finding::kBrokenRule) return Fail(tally_->broken_rules, report.what);
  if (end.signal != 0 && !was_killed) {
    Fail(tally_->signals, absl::StrCat("a process died of signal ", end.signal));
  }
}

void KillCampaign::Fail(std::uint64_t& counter, const std::string& what) {
  ++counter;
  has_failed_ = true;
  failure_(log_, what);
}

}  // namespace pawl::inline v0
