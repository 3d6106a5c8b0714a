#include "session_table.h"

#include <bit>
#include <random>

#include "pawl/check.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace pawl::inline v0 {

namespace {

std::uint64_t NewSeed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

std::uint32_t PagesFor(std::uint32_t sessions_max, std::uint32_t window,
                       std::uint64_t receipts_max) {
  // A window seldom begins where a page does.
  const std::uint64_t of_lane = std::max(window / ReceiptPages::kReceipts, std::uint32_t{1}) + 1;
  const std::uint64_t all = of_lane * kSessionLanes * sessions_max;
  const std::uint64_t most =
      (receipts_max == 0 ? SessionTable::kReceiptsDefault : receipts_max) / ReceiptPages::kReceipts;
  return static_cast<std::uint32_t>(std::clamp(most, std::uint64_t{1}, all));
}

}  // namespace

SessionTable::SessionTable(std::uint32_t sessions_max, std::uint32_t window,
                           std::uint64_t receipts_max)
    : window_(window),
      window_pages_(std::max(window / kReceipts, std::uint32_t{1})),
      name_seed_(NewSeed()),
      sessions_(std::size_t{sessions_max} * kSessionLanes),
      rows_(sessions_max),
      names_(std::make_unique_for_overwrite<Name[]>(sessions_max)),
      buckets_(std::bit_ceil(std::size_t{sessions_max})),
      pages_(PagesFor(sessions_max, window, receipts_max)) {
  PAWL_CHECK(std::has_single_bit(window) && sessions_max <= kSessionsMaxMax);
  free_.reserve(sessions_max);
}

// --- names and numbers ---

std::size_t SessionTable::BucketOf(std::string_view name) const noexcept {
  return XXH3_64bits_withSeed(name.data(), name.size(), name_seed_) & (buckets_.size() - 1);
}

std::string_view SessionTable::NameOf(std::uint32_t number) const noexcept {
  return {names_[number - 1].data(), rows_[number - 1].name_bytes};
}

std::uint32_t SessionTable::Find(std::string_view name) const noexcept {
  std::uint32_t number = buckets_[BucketOf(name)];
  while (number != 0 && NameOf(number) != name) number = rows_[number - 1].next;
  return number;
}

std::uint32_t SessionTable::FreeNumber() noexcept {
  // Replay opens closed numbers without asking.
  while (!free_.empty() && rows_[free_.back() - 1].is_open) {
    rows_[free_.back() - 1].is_listed = false;
    free_.pop_back();
  }
  if (!free_.empty()) return free_.back();
  return numbers_ == rows_.size() ? 0 : numbers_ + 1;
}

std::uint32_t SessionTable::NextGeneration(std::uint32_t number, SessionLane lane) const noexcept {
  std::uint32_t newest = closed_generation_;
  if (number != 0) newest = std::max(rows_[number - 1].base, At(number, lane).generation());
  return newest + 1;  // 0: over the end
}

std::uint32_t SessionTable::NewestGeneration(std::uint32_t number) const noexcept {
  return std::max(At(number, SessionLane::kControl).generation(),
                  At(number, SessionLane::kBulk).generation());
}

void SessionTable::Open(std::uint32_t number, std::string_view name, SessionLane lane,
                        std::uint32_t generation) noexcept {
  PAWL_CHECK(number >= 1 && number <= rows_.size() && number <= numbers_ + 1);
  PAWL_CHECK(name.size() <= kSessionNameBytesMax);
  numbers_ = std::max(numbers_, number);
  Row& row = rows_[number - 1];
  if (!row.is_open) {
    ++open_;
    row.is_open = true;
    row.base = closed_generation_;
    row.name_bytes = static_cast<std::uint8_t>(name.size());
    std::memcpy(names_[number - 1].data(), name.data(), name.size());
    std::uint32_t& bucket = buckets_[BucketOf(name)];
    row.next = bucket;
    bucket = number;
  }
  Session& session = At(number, lane);
  PAWL_CHECK(generation > std::max(row.base, session.generation_));
  session.generation_ = generation;
}

std::uint32_t SessionTable::Close(std::uint32_t number) noexcept {
  PAWL_CHECK(IsOpen(number));
  std::uint32_t looks = 0;
  Row& row = rows_[number - 1];
  closed_generation_ = std::max(closed_generation_, NewestGeneration(number));
  for (const SessionLane lane : {SessionLane::kControl, SessionLane::kBulk}) {
    looks += FreePages(At(number, lane));
    At(number, lane) = {};
  }
  std::uint32_t* at = &buckets_[BucketOf(NameOf(number))];
  while (*at != number) at = &rows_[*at - 1].next;
  *at = row.next;
  row.is_open = false;
  --open_;
  if (!row.is_listed) free_.push_back(number);  // within the reserved room
  row.is_listed = true;
  return looks;
}

// --- answers ---

void SessionTable::BeginPage(Session& session) noexcept {
  const std::uint32_t owner = OwnerOf(session);
  const std::uint64_t number = session.last_.Next().value() / kReceipts;
  const ReceiptPages::Place place{owner, number};
  // What the window has passed is the session's own to use again.
  if (number > window_pages_) {
    const std::uint32_t passed = pages_.Find({owner, number - window_pages_ - 1});
    if (passed != ReceiptPages::kNone) {
      pages_.Move(passed, place);
      session.page_ = passed;
      return;
    }
  }
  ReceiptPages::Place lost;
  session.page_ = pages_.Take(place, lost);
  if (lost.owner == ReceiptPages::kNone) return;
  Session& loser = sessions_[lost.owner];
  const Sequence behind((lost.number + 1) * kReceipts);
  loser.known_ = std::max(loser.known_, std::min(behind, loser.last_.Next()));
  if (&loser != &session && loser.page_ == session.page_) loser.page_ = ReceiptPages::kNone;
}

std::uint32_t SessionTable::FreePages(Session& session) noexcept {
  const std::uint64_t newest = session.last_.value() / kReceipts;
  const std::uint64_t looks = std::min(window_pages_ + 1, newest) + 1;
  for (std::uint64_t back = 0; back < looks; ++back) {
    const std::uint32_t page = pages_.Find({OwnerOf(session), newest - back});
    if (page != ReceiptPages::kNone) pages_.Free(page);
  }
  session.page_ = ReceiptPages::kNone;
  return static_cast<std::uint32_t>(looks);
}

void SessionTable::RememberNotAccepted(Session& session, Verdict verdict) noexcept {
  if (&session != &nameless_) {
    RoomForNext(session).front() = {
        0, kNotAccepted | static_cast<std::uint64_t>(verdict.kind()) << 16 | verdict.code()};
  }
  session.last_ = session.last_.Next();
}

void SessionTable::Restore(Session& session, std::uint32_t sequence_low,
                           const PackedReceipt& receipt) noexcept {
  const std::uint32_t step = sequence_low - static_cast<std::uint32_t>(session.last_.value());
  PAWL_CHECK(step >= 1);
  std::uint32_t refused = step - 1;
  if (refused > window_) {
    // All that was known has left the window.
    FreePages(session);
    session.last_ = session.last_.Plus(refused - window_);
    session.known_ = session.last_.Next();
    refused = window_;
  }
  for (; refused != 0; --refused) {
    RememberNotAccepted(session, Verdict(VerdictKind::kRefused, 0));
  }
  RememberAccepted(session, {&receipt, 1});
}

SessionTable::Answer SessionTable::Recall(const Session& session,
                                          Sequence sequence) const noexcept {
  PAWL_CHECK(sequence <= session.last_);
  const Answer expired{Verdict(VerdictKind::kExpired, 0), Position(), Version()};
  if (session.last_ - sequence >= window_ || sequence < session.known_) return expired;
  const std::uint32_t page = pages_.Find({OwnerOf(session), sequence.value() / kReceipts});
  PAWL_CHECK(page != ReceiptPages::kNone);
  const Entry& entry = pages_.At(page)[sequence.value() % kReceipts];
  if ((entry.version_and_code & kNotAccepted) == 0) {
    return {Accept(), Position(entry.position), Version(entry.version_and_code)};
  }
  const auto kind = static_cast<VerdictKind>((entry.version_and_code >> 16) & 0xFF);
  return {Verdict(kind, static_cast<std::uint16_t>(entry.version_and_code)), Position(), Version()};
}

std::size_t SessionTable::memory_bytes() const noexcept {
  return sessions_.size() * sizeof(Session) + rows_.size() * (sizeof(Row) + sizeof(Name)) +
         (buckets_.size() + rows_.size()) * sizeof(std::uint32_t) + pages_.memory_bytes();
}

}  // namespace pawl::inline v0
