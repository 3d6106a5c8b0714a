#include "pawl/log_writer.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <thread>

#include "faulty_storage.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

using LogWriterTest = LogTest;

TEST_F(LogWriterTest, ReadersSeeWhatWasPublishedAndNothingElse) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(AppendEvent(*log, 1));
  ASSERT_TRUE(AppendEvent(*log, 2));
  EXPECT_EQ(CountEvents(*log), 0U);
  EXPECT_TRUE(log->writer().has_staged());
  const Address published = log->writer().Publish();
  EXPECT_EQ(log->published(), published);
  EXPECT_EQ(CountEvents(*log), 2U);
}

TEST_F(LogWriterTest, PositionsGoOnOverEpochsWithoutHole) {
  for (std::uint64_t life = 0; life < 4; ++life) {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(log->epoch(), Epoch(static_cast<std::uint32_t>(life + 1)));
    EXPECT_EQ(CountEvents(*log), 3 * life);
    AppendEvents(*log, 3 * life + 1, 3 * life + 3);
    EXPECT_EQ(log->writer().next_position(), Position(4 * (life + 1) + 1));
  }
}

TEST_F(LogWriterTest, AnAbandonedCommitLeavesTheLogAsItWas) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 1);
  ASSERT_TRUE(DriveToRest(*log));
  const auto files = ReadFiles(scratch_.Sub("log"));
  const auto images = ReadFiles(scratch_.Sub("hot"));
  const Position next = log->writer().next_position();
  for (int i = 0; i < 100; ++i) {
    log->writer().BeginCommit();
    for (int k = 0; k < 2; ++k) {
      std::byte* const payload = log->writer().AppendRecord({.type = 9}, 500);
      ASSERT_NE(payload, nullptr);
      std::memset(payload, 0xAB, 500);
    }
    log->writer().AbandonCommit();
  }
  log->writer().Publish();
  while (log->SyncWork() > 0) {
  }
  EXPECT_EQ(log->writer().next_position(), next);
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
  EXPECT_EQ(ReadFiles(scratch_.Sub("hot")), images);
  AppendEvents(*log, 2, 2);
  EXPECT_EQ(CountEvents(*log), 2U);
}

TEST_F(LogWriterTest, ACommitHasAllItsRecordsOrNone) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  log->writer().BeginCommit();
  for (std::uint64_t number = 1; number <= 3; ++number) {
    std::byte* const payload = log->writer().AppendRecord({.version = Version(number)}, 13);
    ASSERT_NE(payload, nullptr);
    FillEvent(payload, 13, number);
  }
  EXPECT_EQ(log->writer().commit_records(), 3U);
  EXPECT_EQ(log->writer().EndCommit({}), Position(4));
  log->writer().Publish();
  EXPECT_EQ(CountEvents(*log), 3U);
  LogReader reader = log->NewReader();
  ASSERT_NE(reader.NextFrame(log->published()), nullptr);  // the epoch
  const FrameHeader* const frame = reader.NextFrame(log->published());
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->commits, 1U);
  EXPECT_EQ(frame->records, 3U);
}

TEST_F(LogWriterTest, TheCommitThatFillsAFramePublishesIt) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  const Address before = log->published();
  for (std::uint64_t i = 1; i < kFrameCommitsMax; ++i) ASSERT_TRUE(AppendEvent(*log, i, 8));
  EXPECT_EQ(log->published(), before);
  ASSERT_TRUE(AppendEvent(*log, kFrameCommitsMax, 8));
  EXPECT_GT(log->published(), before);
  EXPECT_FALSE(log->writer().has_staged());
  EXPECT_EQ(CountEvents(*log), kFrameCommitsMax);
}

TEST_F(LogWriterTest, AFrameGrowsToItsByteLimitExactly) {
  // In segments of this size a frame has kFrameBytesMax.
  LogOptions options = Options();
  options.segment_bytes = std::uint64_t{1} << 20;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  // 15 commits and a frame header, then one that fills the frame to the byte.
  constexpr std::uint32_t kOverhead = sizeof(CommitHeader) + sizeof(RecordHeader);
  constexpr std::uint32_t kCommit = 4096;
  const Address before = log->published();
  for (std::uint64_t i = 1; i <= 15; ++i) ASSERT_TRUE(AppendEvent(*log, i, kCommit - kOverhead));
  constexpr std::uint32_t kLast = kFrameBytesMax - sizeof(FrameHeader) - 15 * kCommit;
  ASSERT_TRUE(AppendEvent(*log, 16, kLast - kOverhead));
  EXPECT_EQ(log->published(), before);
  log->writer().Publish();
  EXPECT_EQ(log->published() - before, kFrameBytesMax);

  // Eight bytes more: the frame goes without the commit that would make it too large.
  const Address second = log->published();
  for (std::uint64_t i = 17; i <= 31; ++i) ASSERT_TRUE(AppendEvent(*log, i, kCommit - kOverhead));
  ASSERT_TRUE(AppendEvent(*log, 32, kLast - kOverhead + 8));
  EXPECT_EQ(log->published() - second, sizeof(FrameHeader) + 15 * kCommit);
  EXPECT_TRUE(log->writer().has_staged());
  log->writer().Publish();
  EXPECT_EQ(CountEvents(*log), 32U);
}

TEST_F(LogWriterTest, ALargeCommitTravelsAlone) {
  LogOptions options = Options();
  options.segment_bytes = std::uint64_t{4} << 20;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(AppendEvent(*log, 1));
  ASSERT_TRUE(AppendEvent(*log, 2, kFrameBytesMax * 2));
  ASSERT_TRUE(AppendEvent(*log, 3));
  log->writer().Publish();
  LogReader reader = log->NewReader();
  std::vector<std::uint32_t> commits;
  while (const FrameHeader* frame = reader.NextFrame(log->published())) {
    commits.push_back(frame->commits);
  }
  EXPECT_EQ(commits, (std::vector<std::uint32_t>{1, 1, 1, 1}));
  EXPECT_EQ(CountEvents(*log), 3U);
}

TEST_F(LogWriterTest, APayloadOfOneByteTooManyIsRefused) {
  LogOptions options = Options();
  options.segment_bytes = std::uint64_t{4} << 20;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  log->writer().BeginCommit();
  EXPECT_EQ(log->writer().AppendRecord({}, kRecordPayloadBytesMax + 1), nullptr);
  EXPECT_EQ(log->writer().commit_records(), 0U);
  std::byte* const payload =
      log->writer().AppendRecord({.version = Version(1)}, kRecordPayloadBytesMax);
  ASSERT_NE(payload, nullptr);
  FillEvent(payload, kRecordPayloadBytesMax, 1);
  log->writer().EndCommit({});
  log->writer().Publish();
  EXPECT_EQ(CountEvents(*log), 1U);
}

TEST_F(LogWriterTest, ACommitGrowsToItsLimitExactly) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  const std::uint32_t limit = log->writer().commit_bytes_max();
  EXPECT_EQ(limit, kSegmentBytesMin / 4);
  constexpr std::uint32_t kHeaders = sizeof(CommitHeader) + sizeof(RecordHeader);
  const std::uint32_t payload_max = limit - kHeaders;
  log->writer().BeginCommit();
  EXPECT_EQ(log->writer().AppendRecord({}, payload_max + 1), nullptr);
  log->writer().AbandonCommit();
  ASSERT_TRUE(AppendEvent(*log, 1, payload_max));
  log->writer().BeginCommit();
  std::byte* const payload = log->writer().AppendRecord({.version = Version(2)}, payload_max - 24);
  ASSERT_NE(payload, nullptr);
  FillEvent(payload, payload_max - 24, 2);
  std::byte* const empty = log->writer().AppendRecord({.version = Version(3)}, 0);
  ASSERT_NE(empty, nullptr);
  EXPECT_EQ(log->writer().AppendRecord({}, 0), nullptr);
  log->writer().EndCommit({});
  log->writer().Publish();
  EXPECT_EQ(CountEvents(*log), 3U);
}

TEST_F(LogWriterTest, PaddingHoldsNoBytesOfOlderCommits) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  log->writer().BeginCommit();
  std::byte* const dirty = log->writer().AppendRecord({}, 1000);
  ASSERT_NE(dirty, nullptr);
  std::memset(dirty, 0xFF, 1000);
  log->writer().AbandonCommit();
  const Address before = log->published();
  ASSERT_TRUE(AppendEvent(*log, 1, 1));
  log->writer().Publish();
  const Bytes image = ReadWhole(scratch_.Sub("hot/0000000000.img"));
  const std::size_t payload_end =
      before.value() + sizeof(FrameHeader) + sizeof(CommitHeader) + sizeof(RecordHeader) + 1;
  for (std::size_t i = payload_end; i < log->published().value(); ++i) {
    EXPECT_EQ(image[i], std::byte{0}) << i;
  }
}

TEST_F(LogWriterTest, ALogRollsOverManySegments) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3000, 100);
  EXPECT_GT(log->published().value() / log->segment_bytes(), 5U);
  EXPECT_EQ(CountEvents(*log), 3000U);
  ASSERT_TRUE(Drive(*log));
  EXPECT_EQ(log->durable(), log->published());
  EXPECT_EQ(CountEvents(*log), 3000U);
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 3000U);
}

// Frames of every size around a segment's end: the seal always finds room, nothing is lost.
TEST_F(LogWriterTest, EveryFrameSizeMeetsTheEndOfASegment) {
  std::uint64_t number = 0;
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  for (std::uint32_t bytes = 0; bytes < 2048; bytes += 24) {
    const std::uint64_t segment = log->published().value() / log->segment_bytes();
    while (log->published().value() / log->segment_bytes() == segment) {
      ++number;
      AppendEvents(*log, number, number, bytes);
    }
    ASSERT_TRUE(Drive(*log));
  }
  EXPECT_EQ(CountEvents(*log), number);
  log = nullptr;
  LosePower();
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), number);
}

TEST_F(LogWriterTest, NoCommitBeginsWithoutRoomForIt) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  // Nobody prepares: the first segment fills, then the writer says so.
  std::uint64_t number = 0;
  while (log->writer().CanBeginCommit()) {
    log->writer().BeginCommit();
    std::byte* const payload = log->writer().AppendRecord({.version = Version(number + 1)}, 3000);
    ASSERT_NE(payload, nullptr);
    FillEvent(payload, 3000, ++number);
    log->writer().EndCommit({});
  }
  log->writer().Publish();
  EXPECT_LT(log->published().value(), log->segment_bytes());
  EXPECT_EQ(CountEvents(*log), number);
  ASSERT_TRUE(Drive(*log));
  EXPECT_TRUE(log->writer().CanBeginCommit());
}

TEST_F(LogWriterTest, AFrameIsStoredBeforeItIsPublished) {
  FaultyStorage storage;
  LogOptions options = Options();
  options.storage = &storage;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  std::uint64_t frames = 0;
  storage.on_store_frame = [&](const std::byte* bytes) {
    FrameHeader frame;
    std::memcpy(&frame, bytes, sizeof frame);
    ++frames;
    EXPECT_LE(log->published().value(), frame.address);
  };
  AppendEvents(*log, 1, 1000, 100);
  EXPECT_GT(frames, 1000U);  // with the seals
}

// The process dies in the middle of a store: behind the frame's first page there is no memory.
TEST_F(LogWriterTest, TheLengthOfAFrameIsStoredLast) {
  constexpr std::size_t kPage = kBlockBytes;
  void* const memory =
      ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::byte* const pages = static_cast<std::byte*>(memory);
  alignas(8) std::array<std::byte, 1024> frame;
  frame.fill(std::byte{0xEE});
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    if (::mprotect(pages + kPage, kPage, PROT_NONE) != 0) ::_exit(2);
    Mapping image(pages, 2 * kPage);
    PosixStorage().StoreFrame(image, kPage - 512, frame.data(), frame.size());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV) << status;
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(pages[kPage - 512 + i], std::byte{0});
  ::munmap(memory, 2 * kPage);
}

TEST_F(LogWriterTest, ReadersFollowWhileSegmentsRetire) {
  constexpr std::uint64_t kEvents = 20'000;
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  const auto follow = [&](std::uint64_t& seen, bool& is_right) {
    LogReader reader = log->NewReader();
    while (seen < kEvents && reader.status().ok()) {
      const FrameHeader* const frame = reader.NextFrame(log->published());
      if (frame == nullptr) {
        std::this_thread::yield();
        continue;
      }
      ForEachRecord(*frame, [&](const RecordView& record) {
        if (record.header.kind != RecordKind::kEvent) return;
        ++seen;
        Bytes expected(record.header.payload_bytes());
        FillEvent(expected.data(), record.header.payload_bytes(), seen);
        is_right = is_right && record.header.version() == seen &&
                   std::memcmp(record.payload(), expected.data(), expected.size()) == 0;
      });
    }
    is_right = is_right && reader.status().ok();
  };
  std::atomic<bool> is_over{false};
  std::thread disk([&] {
    // Relaxed: only ends the loop; the join orders the rest.
    while (!is_over.load(std::memory_order_relaxed)) {
      if (log->SyncWork() + log->PrepareWork() == 0) std::this_thread::yield();
    }
  });
  std::uint64_t seen[2] = {};
  bool is_right[2] = {true, true};
  std::thread first([&] { follow(seen[0], is_right[0]); });
  std::thread second([&] { follow(seen[1], is_right[1]); });
  for (std::uint64_t number = 1; number <= kEvents; ++number) {
    LogWriter& writer = log->writer();
    while (!writer.CanBeginCommit()) std::this_thread::yield();
    writer.BeginCommit();
    std::byte* const payload = writer.AppendRecord({.version = Version(number)}, 64);
    ASSERT_NE(payload, nullptr);
    FillEvent(payload, 64, number);
    writer.EndCommit({});
    if (number % 5 == 0) writer.Publish();
  }
  first.join();
  second.join();
  // Relaxed: see above.
  is_over.store(true, std::memory_order_relaxed);
  disk.join();
  EXPECT_EQ(seen[0], kEvents);
  EXPECT_EQ(seen[1], kEvents);
  EXPECT_TRUE(is_right[0] && is_right[1]);
}

}  // namespace
}  // namespace pawl::inline v0
