#include "record_oracle.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "pawl/check.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

constexpr std::uint64_t kPayloadBytesMax = 1600;

enum Purpose : std::uint64_t { kFields = 1, kRecords, kBytes, kPayload };

}  // namespace

std::uint64_t RecordScript::WordOf(std::uint64_t number, std::uint64_t purpose) const noexcept {
  return SimRandom::For(seed_ + life_, number, purpose).Next();
}

std::uint32_t RecordScript::CommitRecords(std::uint64_t first) const noexcept {
  const std::uint64_t word = WordOf(first, kRecords);
  return word % 4 == 0 ? 1 + static_cast<std::uint32_t>(word / 4 % 5) : 1;
}

// Mostly small ones; each life has its own size of large ones.
std::uint32_t RecordScript::PayloadBytes(std::uint64_t number) const noexcept {
  const std::uint64_t word = WordOf(number, kBytes);
  const std::uint64_t large = kPayloadBytesMax >> (WordOf(0, kBytes) % 4);
  return static_cast<std::uint32_t>(word / 4 % (word % 4 == 0 ? large : 100));
}

void RecordScript::Fill(std::byte* payload, std::uint32_t bytes,
                        std::uint64_t number) const noexcept {
  SimRandom words = SimRandom::For(seed_ + life_, number, kPayload);
  for (std::uint32_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = words.Next();
    std::memcpy(payload + at, &word, std::min<std::size_t>(8, bytes - at));
  }
}

std::uint64_t RecordScript::AppendCommit(LogWriter& writer, std::uint64_t first) const {
  writer.BeginCommit();
  const std::uint64_t end = first + CommitRecords(first);
  for (std::uint64_t number = first; number < end; ++number) {
    const std::uint32_t bytes = PayloadBytes(number);
    std::byte* const payload =
        writer.AppendRecord({.type = static_cast<std::uint16_t>(WordOf(number, kFields) % 99),
                             .stream = life_,
                             .version = Version(number)},
                            bytes);
    PAWL_CHECK(payload != nullptr);
    Fill(payload, bytes, number);
  }
  writer.EndCommit({.session = 1, .sequence = Sequence(first)});
  return end - 1;
}

bool RecordScript::IsEvent(const RecordView& record, std::uint64_t number) const {
  const RecordHeader& header = record.header;
  const std::uint32_t bytes = PayloadBytes(number);
  if (header.kind != RecordKind::kEvent || header.version() != number || header.stream != life_ ||
      header.type != WordOf(number, kFields) % 99 || header.payload_bytes() != bytes) {
    return false;
  }
  std::array<std::byte, kPayloadBytesMax> expected;
  Fill(expected.data(), bytes, number);
  return std::memcmp(expected.data(), record.payload(), bytes) == 0;
}

void RecordHistory::Recovered(std::uint64_t kept) {
  PAWL_CHECK(kept <= given() && kept >= owed_);
  life_of_.resize(kept);
  owed_ = kept;
}

void RecordHistory::Worked(std::uint32_t life, std::uint64_t given, std::uint64_t acked) {
  PAWL_CHECK(given >= life_of_.size() && acked <= given);
  life_of_.resize(given, life);
  owed_ = std::max(owed_, acked);
}

// One walk over the log.
class RecordHistory::Reading {
 public:
  explicit Reading(const RecordHistory& history) noexcept : history_(history) {}

  void Take(const RecordView& record) {
    if (!wrong_.empty()) return;
    if (record.position.value() != ++position_) Wrong("is at another position");
    if (record.header.kind == RecordKind::kEpochBegan) {
      if (left_in_commit_ != 0) Wrong("is an epoch within a commit");
      return;
    }
    ++number_;
    if (number_ > history_.given()) return Wrong("was never given to the log");
    const RecordScript script(history_.seed_, history_.life_of_[number_ - 1]);
    if (!script.IsEvent(record, number_)) return Wrong("has other bytes than were given");
    if (left_in_commit_ == 0) left_in_commit_ = script.CommitRecords(number_);
    if (commit_ != &record.commit && record.commit.records != left_in_commit_) {
      return Wrong("begins a commit of another size");
    }
    commit_ = &record.commit;
    --left_in_commit_;
  }

  Judgement Result(const absl::Status& reader) const {
    const std::string counts = absl::StrCat("recovered ", number_, " events of ", history_.given(),
                                            " given, ", history_.owed_, " owed");
    if (!reader.ok()) return {Finding::kWrong, absl::StrCat(counts, ": ", reader.ToString())};
    if (!wrong_.empty()) return {Finding::kWrong, absl::StrCat(counts, ": ", wrong_)};
    if (left_in_commit_ != 0) return {Finding::kWrong, counts + ": the last commit is not whole"};
    if (number_ < history_.owed_) return {Finding::kLost, counts, number_};
    return {Finding::kGood, {}, number_};
  }

 private:
  void Wrong(const char* what) {
    wrong_ = absl::StrCat("the record at position ", position_, ", event ", number_, ", ", what);
  }

  const RecordHistory& history_;
  std::uint64_t position_ = 0;
  std::uint64_t number_ = 0;
  std::uint32_t left_in_commit_ = 0;
  const CommitHeader* commit_ = nullptr;
  std::string wrong_;
};

Judgement RecordHistory::Judge(LogReader& reader, Address limit) const {
  Reading reading(*this);
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    ForEachRecord(*frame, [&](const RecordView& record) { reading.Take(record); });
  }
  return reading.Result(reader.status());
}

}  // namespace pawl::inline v0
