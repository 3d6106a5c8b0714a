// The table of sessions by itself: names, numbers, generations, and the pages that hold answers.

#include "session_table.h"

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "test_seed.h"

namespace pawl {
namespace {

constexpr SessionLane kControl = SessionLane::kControl;
constexpr SessionLane kBulk = SessionLane::kBulk;

std::string NameOf(std::uint32_t i) { return "session-" + std::to_string(i); }

// Opens a session that is not open.
std::uint32_t OpenNew(SessionTable& table, const std::string& name) {
  const std::uint32_t number = table.FreeNumber();
  EXPECT_NE(number, 0U);
  EXPECT_EQ(table.Find(name), 0U);
  table.Open(number, name, kControl, table.NextGeneration(0, kControl));
  EXPECT_EQ(table.Find(name), number);
  return number;
}

void Accept(SessionTable& table, SessionTable::Session& session, std::uint64_t count) {
  std::vector<PackedReceipt> receipts;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t sequence = session.last().value() + i;
    receipts.push_back({1000 + sequence, sequence});
  }
  table.RememberAccepted(session, receipts);
}

bool Knows(const SessionTable& table, const SessionTable::Session& session,
           std::uint64_t sequence) {
  const SessionTable::Answer answer = table.Recall(session, Sequence(sequence));
  if (answer.verdict.kind() == VerdictKind::kExpired) return false;
  EXPECT_TRUE(answer.verdict.is_accepted());
  EXPECT_EQ(answer.position, Position(1000 + sequence));
  EXPECT_EQ(answer.version, Version(sequence));
  return true;
}

TEST(SessionTableTest, RemembersExactlyTheWindow) {
  for (const std::uint32_t window : {1U, 2U, 16U, 32U, 64U, 4096U}) {
    SCOPED_TRACE(window);
    SessionTable table(2, window);
    SessionTable::Session& session = table.At(OpenNew(table, "one"), kControl);
    // In batches that end at any place of a page.
    for (const std::uint64_t batch : {1U, 7U, 31U, 33U, 256U, 100U, 3U, 256U}) {
      Accept(table, session, batch);
      const std::uint64_t last = session.last().value();
      for (std::uint64_t back = 0; back < std::min<std::uint64_t>(window, last); ++back) {
        ASSERT_TRUE(Knows(table, session, last - back)) << last - back;
      }
      if (last > window) {
        EXPECT_FALSE(Knows(table, session, last - window));
      }
    }
  }
}

TEST(SessionTableTest, NoWindowIsShortenedWhileThereIsRoomForAllOfThem) {
  constexpr std::uint32_t kSessions = 20;
  constexpr std::uint32_t kWindow = 128;
  SessionTable table(kSessions, kWindow);
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  for (std::uint32_t i = 0; i < kSessions; ++i) {
    table.Open(OpenNew(table, NameOf(i)), NameOf(i), kBulk, 1);
  }
  for (int round = 0; round < 20'000; ++round) {
    const auto number = static_cast<std::uint32_t>(1 + random() % kSessions);
    const SessionLane lane = random() % 2 == 0 ? kControl : kBulk;
    Accept(table, table.At(number, lane), 1 + random() % 70);
  }
  for (std::uint32_t number = 1; number <= kSessions; ++number) {
    for (const SessionLane lane : {kControl, kBulk}) {
      const SessionTable::Session& session = table.At(number, lane);
      for (std::uint64_t back = 0; back < kWindow; ++back) {
        ASSERT_TRUE(Knows(table, session, session.last().value() - back));
      }
    }
  }
}

// Fewer pages than sessions need: who began its page first loses it, and says expired, whatever
// else happens. Against a list of pages in the order in which they were begun.
TEST(SessionTableTest, TheOldestPageIsLostFirst) {
  constexpr std::uint32_t kSessions = 12;
  constexpr std::uint32_t kWindow = 64;
  constexpr std::uint32_t kPages = 10;
  SessionTable table(kSessions, kWindow, kPages * ReceiptPages::kReceipts);
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  for (std::uint32_t i = 0; i < kSessions; ++i) OpenNew(table, NameOf(i));
  struct Page {
    std::uint32_t session;
    std::uint64_t number;
    std::uint64_t from;  // the first sequence in it
  };
  std::deque<Page> pages;  // the oldest in front
  std::uint64_t expired = 0;
  for (int round = 0; round < 20'000; ++round) {
    const auto number = static_cast<std::uint32_t>(1 + random() % kSessions);
    SessionTable::Session& session = table.At(number, kControl);
    const std::uint64_t next = session.last().value() + 1;
    const std::uint64_t page = next / ReceiptPages::kReceipts;
    const auto is_its = [&](std::uint64_t wanted) {
      return [number, wanted](const Page& each) {
        return each.session == number && each.number == wanted;
      };
    };
    if (std::none_of(pages.begin(), pages.end(), is_its(page))) {
      // Its own page that the window has passed, or else the oldest.
      std::erase_if(pages, is_its(page - kWindow / ReceiptPages::kReceipts - 1));
      if (pages.size() == kPages) pages.pop_front();
      pages.push_back({number, page, next});
    }
    Accept(table, session, 1);
    const std::uint64_t sequence = 1 + random() % session.last().value();
    const bool is_known = std::any_of(pages.begin(), pages.end(), [&](const Page& each) {
      return is_its(sequence / ReceiptPages::kReceipts)(each) && each.from <= sequence;
    });
    const bool is_in_window = session.last().value() - sequence < kWindow;
    ASSERT_EQ(Knows(table, session, sequence), is_known && is_in_window) << round;
    expired += is_in_window && !is_known;
  }
  EXPECT_GT(expired, 100U);
}

TEST(SessionTableTest, NumbersAreGivenAgainAndGenerationsAreNot) {
  SessionTable table(3, 16);
  std::map<std::string, std::uint32_t> open;
  std::map<std::uint32_t, std::uint32_t> newest;  // generation of a number
  const std::uint64_t seed = SeedOfTest();
  std::mt19937_64 random(seed);
  std::uint32_t closed = 0;
  for (int round = 0; round < 5'000; ++round) {
    const std::string name = NameOf(static_cast<std::uint32_t>(random() % 6));
    const SessionLane lane = random() % 2 == 0 ? kControl : kBulk;
    const auto found = open.find(name);
    ASSERT_EQ(table.Find(name), found == open.end() ? 0 : found->second);
    if (found != open.end() && random() % 2 == 0) {
      const std::uint32_t generation = table.NewestGeneration(found->second);
      table.Close(found->second);
      EXPECT_FALSE(table.IsOf(found->second, generation));
      open.erase(found);
      ++closed;
      continue;
    }
    const std::uint32_t known = found == open.end() ? 0 : found->second;
    const std::uint32_t number = known != 0 ? known : table.FreeNumber();
    if (number == 0) {
      EXPECT_EQ(open.size(), 3U);
      continue;
    }
    const std::uint32_t generation = table.NextGeneration(known, lane);
    if (known == 0) {
      // No producer of whoever had the number can be taken for one of the new session.
      EXPECT_GT(generation, newest[number]);
      EXPECT_FALSE(table.IsOf(number, newest[number]));
    }
    table.Open(number, name, lane, generation);
    open[name] = number;
    if (known == 0) {
      EXPECT_EQ(table.At(number, lane).last(), Sequence());
    }
    newest[number] = std::max(newest[number], generation);
    EXPECT_TRUE(table.IsOf(number, generation));
    EXPECT_EQ(table.count(), open.size());
  }
  EXPECT_GT(closed, 1'000U);
}

TEST(SessionTableTest, TheLastGenerationIsTheLast) {
  SessionTable table(2, 16);
  table.Open(1, "old", kControl, UINT32_MAX - 1);
  EXPECT_EQ(table.NextGeneration(1, kControl), UINT32_MAX);
  EXPECT_EQ(table.NextGeneration(1, kBulk), 1U);
  table.Open(1, "old", kControl, UINT32_MAX);
  EXPECT_EQ(table.NextGeneration(1, kControl), 0U);
  table.Close(1);
  EXPECT_EQ(table.NextGeneration(0, kControl), 0U);
}

// A closed session's pages are free for others: nobody loses one meanwhile.
TEST(SessionTableTest, ClosingFreesThePages) {
  constexpr std::uint32_t kWindow = 256;
  SessionTable table(2, kWindow, 2 * (kWindow + ReceiptPages::kReceipts));
  SessionTable::Session& stays = table.At(OpenNew(table, "stays"), kControl);
  Accept(table, stays, kWindow);
  for (int round = 0; round < 100; ++round) {
    const std::uint32_t number = OpenNew(table, "comes and goes");
    Accept(table, table.At(number, kControl), static_cast<std::uint64_t>(round) * 10);
    table.Close(number);
  }
  for (std::uint64_t sequence = 1; sequence <= kWindow; ++sequence) {
    ASSERT_TRUE(Knows(table, stays, sequence));
  }
}

}  // namespace
}  // namespace pawl
