#include "life.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

constexpr char kDirectory[] = "/disk/log";

FrameSeen Seen(const SimOp& op) {
  FrameHeader header;
  std::memcpy(&header, op.head.data(), sizeof header);
  return {.address = header.address,
          .length = header.length,
          .end_position = header.first_position + header.records - 1,
          .durable_address = header.durable_address,
          .digest = DigestOf(op.head)};
}

}  // namespace

Conduct Conduct::Drawn(SimRandom& random, std::uint32_t steps_max) {
  Conduct conduct;
  conduct.steps = static_cast<std::uint32_t>(random.Below(steps_max + 1));
  conduct.publish_weight = 2 + static_cast<std::uint32_t>(random.Below(4));
  conduct.sync_weight = 1 + static_cast<std::uint32_t>(random.Below(7 - conduct.publish_weight));
  const std::uint32_t commits[] = {1, 4, 12, 40};
  conduct.commits_max = commits[random.Below(4)];
  const std::uint32_t payloads[] = {8, 64, 200, 1500};
  conduct.payload_max = payloads[random.Below(4)];
  if (conduct.payload_max == 1500) conduct.commits_max = std::min(conduct.commits_max, 4U);
  conduct.reads_along = random.OneIn(3);
  conduct.closes = random.OneIn(3);
  return conduct;
}

Life::Life(SimStorage* machine, LogHistory given, std::uint64_t seed)
    : machine_(machine), history_(std::move(given)), random_(seed) {}

void Life::Prepare(SimStorage& machine) {
  PAWL_CHECK(machine.CreateDirectory("/disk").ok());
  PAWL_CHECK(machine.SyncDirectory("").ok());
}

LogOptions Life::Options(SimStorage* machine) {
  LogOptions options;
  options.directory = kDirectory;
  options.segment_bytes = kSegmentBytesMin;
  options.undurable_bytes_max = 4 * kSegmentBytesMin;
  options.storage = machine;
  return options;
}

Judgement Life::Begin(std::uint64_t owed) {
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(Options(machine_));
  if (!log.ok()) return {Finding::kRefused, log.status().ToString()};
  std::vector<std::uint64_t> records;
  std::vector<bool> is_epoch;
  Judgement verdict = ReadAll((*log)->NewReader(), (*log)->published(), records, is_epoch);
  if (!verdict.is_good()) return verdict;
  if ((*log)->durable() != (*log)->published()) {
    return {Finding::kWrong, "the epoch is not durable after Open()"};
  }
  verdict = Judge(history_, owed, records, is_epoch);
  const std::uint64_t count = records.size();
  history_.records = std::move(records);
  history_.frames.clear();
  history_.owed = {.durable = count, .published = count};
  history_.unseen_epochs = 0;
  log_ = *std::move(log);
  recovery_ = log_->recovery();
  has_images_with_log_ = log_->hot_directory() == kDirectory;
  has_begun_ = true;
  follower_.emplace(log_->NewReader());
  return verdict;
}

void Life::Watch(const SimOp& op) {
  if (op.kind == SimOpKind::kStoreFrame) history_.frames.push_back(Seen(op));
}

Owed Life::OwedNow() const {
  Owed owed = history_.owed;
  if (log_ == nullptr) return owed;
  const std::uint64_t durable = log_->durable().value();
  const std::uint64_t published = log_->published().value();
  for (const FrameSeen& frame : history_.frames) {
    const std::uint64_t end = frame.address + frame.length;
    if (end <= durable) owed.durable = std::max(owed.durable, frame.end_position);
    if (end <= published) owed.published = std::max(owed.published, frame.end_position);
  }
  if (acks_published_) owed.durable = owed.published;
  return owed;
}

LogHistory Life::Now() const {
  LogHistory now = history_;
  now.owed = OwedNow();
  if (!has_begun_) ++now.unseen_epochs;
  return now;
}

void Life::AppendCommit(const Conduct& conduct) {
  LogWriter& writer = log_->writer();
  writer.BeginCommit();
  const std::uint64_t records = 1 + random_.Below(conduct.records_max);
  for (std::uint64_t i = 0; i < records; ++i) {
    const RecordFields fields{.type = static_cast<std::uint16_t>(random_.Below(9)),
                              .stream = static_cast<std::uint32_t>(random_.Below(1000)),
                              .version = Version(random_.Below(kVersionMax)),
                              .back_link = Position(random_.Below(1 + history_.records.size()))};
    const Position position = writer.next_position();
    const auto bytes = static_cast<std::uint32_t>(random_.Below(conduct.payload_max + 1));
    std::byte* const payload = writer.AppendRecord(fields, bytes);
    PAWL_CHECK(payload != nullptr);
    for (std::uint32_t at = 0; at < bytes; at += 8) {
      const std::uint64_t word = random_.Next();
      std::memcpy(payload + at, &word, std::min<std::size_t>(8, bytes - at));
    }
    RecordHeader header;
    std::memcpy(&header, payload - sizeof header, sizeof header);
    history_.records.push_back(DigestOf(position, header, payload));
  }
  writer.EndCommit({.sequence = Sequence(history_.records.size())});
}

void Life::PublishSome(const Conduct& conduct) {
  LogWriter& writer = log_->writer();
  time_ns_ = std::max(time_ns_, machine_->WallClockNs());
  writer.SetTime(time_ns_);
  for (std::uint64_t i = 1 + random_.Below(conduct.commits_max); i > 0; --i) {
    if (!writer.CanBeginCommit()) break;
    AppendCommit(conduct);
  }
  writer.Publish();
}

void Life::RunDiskAgents(std::uint64_t dice, const Conduct& conduct) {
  if (dice < conduct.publish_weight + conduct.sync_weight) {
    log_->SyncWork();
    return;
  }
  log_->PrepareWork();
  // The clock jumps now and then, so that the log counts as idle.
  if (random_.OneIn(8)) machine_->AdvanceClock(20'000'000);
}

Judgement Life::Work(const Conduct& conduct) {
  for (std::uint32_t step = 0; step < conduct.steps; ++step) {
    const std::uint64_t dice = random_.Below(8);
    const bool is_full = log_->published() - log_->durable() > 2 * kSegmentBytesMin;
    if (dice < conduct.publish_weight && !is_full && log_->health() != LogHealth::kFailed) {
      PublishSome(conduct);
    } else {
      RunDiskAgents(is_full ? conduct.publish_weight : dice, conduct);
    }
    if (!log_->writer().CanBeginCommit()) log_->PrepareWork();
    if (conduct.reads_along && random_.OneIn(4)) {
      const Judgement verdict = ReadAlong();
      if (!verdict.is_good()) return verdict;
    }
    const Judgement verdict = CheckMarks();
    if (!verdict.is_good()) return verdict;
  }
  return conduct.closes ? Close() : Judgement{};
}

Judgement Life::Close() {
  const bool was_failed = log_->health() == LogHealth::kFailed;
  const Owed before = OwedNow();
  const absl::Status closed = log_->Close();
  history_.owed = before;
  follower_.reset();
  log_.reset();
  if (!closed.ok()) return {};
  if (was_failed) return {Finding::kBrokenRule, "Close() of a failed log is Ok", 0};
  history_.owed = {.durable = history_.records.size(), .published = history_.records.size()};
  return {};
}

Judgement Life::CheckMarks() const {
  if (log_->durable() > log_->published()) return {Finding::kWrong, "durable > published"};
  return {};
}

// A reader that follows the live log, over rolled segments and retired images.
Judgement Life::ReadAlong() {
  while (const FrameHeader* frame = follower_->NextFrame(log_->published())) {
    bool is_equal = true;
    ForEachRecord(*frame, [&](const RecordView& record) {
      is_equal =
          is_equal && record.position.value() == followed_ + 1 &&
          history_.records[followed_] == DigestOf(record.position, record.header, record.payload());
      ++followed_;
    });
    if (!is_equal) {
      return {Finding::kWrong,
              absl::StrCat("a live reader saw another record at or before ", followed_)};
    }
  }
  if (!follower_->status().ok()) {
    return {Finding::kWrong, absl::StrCat("live reader: ", follower_->status().ToString())};
  }
  return {};
}

}  // namespace pawl::inline v0
