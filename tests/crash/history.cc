#include "history.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

std::uint64_t Mix(std::uint64_t digest, std::uint64_t word) noexcept {
  digest = (digest ^ word) * 0x9FB21C651E98DF25ULL;
  return digest ^ (digest >> 32);
}

}  // namespace

std::uint64_t DigestOf(std::span<const std::byte> bytes) {
  std::uint64_t digest = bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    digest = Mix(digest, word);
    bytes = bytes.subspan(8);
  }
  std::uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  return Mix(digest, rest);
}

std::uint64_t DigestOf(Position position, const RecordHeader& header, const std::byte* payload) {
  std::uint64_t digest = Mix(position.value(), header.version());
  digest = Mix(digest, header.back_link);
  digest = Mix(digest, (std::uint64_t{header.stream} << 32) | (std::uint64_t{header.type} << 16) |
                           static_cast<std::uint64_t>(header.kind));
  return Mix(digest, DigestOf(std::span(payload, header.payload_bytes())));
}

const char* NameOf(Finding finding) noexcept {
  switch (finding) {
    case Finding::kGood: return "good";
    case Finding::kLost: return "lost";
    case Finding::kWrong: return "wrong_read";
    case Finding::kRefused: return "refused_torn";
    case Finding::kBrokenRule: return "violation";
  }
  return "unknown";
}

Judgement ReadAll(LogReader reader, Address limit, std::vector<std::uint64_t>& records,
                  std::vector<bool>& is_epoch) {
  while (const FrameHeader* frame = reader.NextFrame(limit)) {
    if (frame->first_position != records.size() + 1) {
      return {Finding::kWrong,
              absl::StrCat("frame at address ", frame->address, " begins with ",
                           frame->first_position, " after position ", records.size())};
    }
    ForEachRecord(*frame, [&](const RecordView& record) {
      records.push_back(DigestOf(record.position, record.header, record.payload()));
      is_epoch.push_back(record.header.kind == RecordKind::kEpochBegan);
    });
  }
  if (!reader.status().ok()) {
    // Damage of a sealed segment that has an index is found when it is read, not by Open().
    const bool is_refusal = absl::IsDataLoss(reader.status());
    return {is_refusal ? Finding::kRefused : Finding::kWrong,
            absl::StrCat("reader: ", reader.status().ToString())};
  }
  return {Finding::kGood, {}, records.size()};
}

Judgement Judge(const LogHistory& given, std::uint64_t owed,
                const std::vector<std::uint64_t>& records, const std::vector<bool>& is_epoch) {
  const auto differs =
      std::mismatch(given.records.begin(), given.records.end(), records.begin(), records.end());
  const auto kept = static_cast<std::uint64_t>(differs.second - records.begin());
  const auto epochs = static_cast<std::uint64_t>(
      std::find(is_epoch.begin() + static_cast<std::ptrdiff_t>(kept), is_epoch.end(), false) -
      is_epoch.begin() - static_cast<std::ptrdiff_t>(kept));
  const std::string counts =
      absl::StrCat("recovered ", records.size(), " records, ", kept, " of the ",
                   given.records.size(), " given, ", owed, " owed");
  if (kept + epochs < records.size()) {
    return {Finding::kWrong,
            absl::StrCat(counts, ": position ", kept + epochs + 1, " was never written so"), kept};
  }
  if (kept < owed) return {Finding::kLost, counts, kept};
  if (epochs == 0 || epochs > 1 + given.unseen_epochs) {
    return {Finding::kWrong,
            absl::StrCat(counts, ": ", epochs, " epoch records behind, ", given.unseen_epochs,
                         " lives unseen"),
            kept};
  }
  const bool is_frame_end =
      kept <= given.owed.durable ||
      std::any_of(given.frames.begin(), given.frames.end(),
                  [&](const FrameSeen& frame) { return frame.end_position == kept; });
  if (!is_frame_end) return {Finding::kWrong, counts + ": not at the end of a frame", kept};
  return {Finding::kGood, {}, kept};
}

}  // namespace pawl::inline v0
