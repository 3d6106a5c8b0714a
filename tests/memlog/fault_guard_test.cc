// Files cut short while they are mapped. The guard is for the whole process, so these tests have a
// program of their own.

#include "pawl/fault_guard.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <setjmp.h>

#include "log_fixture.h"
#include "pawl/attached_log.h"

namespace pawl::inline v0 {
namespace {

using ::testing::HasSubstr;

sigjmp_buf g_way_out;
int g_foreign_faults = 0;

void OnForeignFault(int) {
  ++g_foreign_faults;
  ::siglongjmp(g_way_out, 1);
}

// A handler that the host had before, then the guard.
void InstallOnce() {
  static const bool done = [] {
    struct sigaction host {};
    host.sa_handler = OnForeignFault;
    host.sa_flags = SA_NODEFER;
    EXPECT_EQ(::sigaction(SIGBUS, &host, nullptr), 0);
    EXPECT_TRUE(InstallFaultGuard().ok());
    EXPECT_TRUE(InstallFaultGuard().ok());
    return true;
  }();
  static_cast<void>(done);
}

class FaultGuardTest : public LogTest {
 protected:
  void SetUp() override {
    InstallOnce();
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
  }
  std::uint64_t Append(std::uint64_t count) {
    const std::uint64_t first = appended_ + 1;
    appended_ += count;
    AppendEvents(*log_, first, appended_, 800);
    return appended_;
  }
  static void Cut(const std::string& path, std::uint64_t bytes) {
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(bytes)), 0) << path;
  }

  std::unique_ptr<Log> log_;
  std::uint64_t appended_ = 0;
};

// Reads on by hand and believes a frame only if it is intact after its use.
//   returns   events that were right
std::uint64_t ReadUntilDamage(LogReader& reader, Address limit, std::uint64_t events) {
  while (const FrameHeader* const frame = reader.NextFrame(limit)) {
    std::uint64_t right = 0;
    std::uint64_t wrong = 0;
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.kind != RecordKind::kEvent) return;
      Bytes expected(record.header.payload_bytes());
      FillEvent(expected.data(), record.header.payload_bytes(), events + right + 1);
      const bool is_right =
          std::equal(expected.begin(), expected.end(), record.payload()) && !expected.empty();
      ++(is_right ? right : wrong);
    });
    if (!reader.IsIntact()) break;
    EXPECT_EQ(wrong, 0U) << "zeros were taken for events";
    events += right;
  }
  return events;
}

TEST_F(FaultGuardTest, ASealedSegmentCutShortUnderAReaderEndsItWithDataLoss) {
  Append(300);
  ASSERT_TRUE(DriveToRest(*log_));
  const std::string path = File("0000000001.seg");
  const Bytes whole = ReadWhole(path);
  // Every page of it, and the reader in the middle of the segment before.
  for (std::uint64_t kept = 0; kept <= kSegmentBytesMin; kept += 4096) {
    WriteWhole(path, whole);
    LogReader reader = log_->NewReader();
    ASSERT_OK(reader.Seek(Position(70), log_->published()));
    std::uint64_t events = 68;
    while (reader.address().value() < kSegmentBytesMin + 4096 + 960) {
      const FrameHeader* const frame = reader.NextFrame(log_->published());
      ASSERT_NE(frame, nullptr);
      if (frame->records > 0) ++events;
    }
    ASSERT_NO_FATAL_FAILURE(Cut(path, kept));
    events = ReadUntilDamage(reader, log_->published(), events);
    if (kept == kSegmentBytesMin) {
      EXPECT_EQ(events, appended_);
    } else {
      EXPECT_TRUE(absl::IsDataLoss(reader.status())) << kept << " " << reader.status();
      EXPECT_THAT(std::string(reader.status().message()), HasSubstr("segment 1"));
      EXPECT_LT(events, appended_);
    }
  }
  EXPECT_EQ(g_foreign_faults, 0);
}

TEST_F(FaultGuardTest, AnImageOfHugePagesCutShortReadsAsZerosBehindTheCut) {
  constexpr std::size_t kBytes = std::size_t{6} << 20;
  constexpr std::size_t kKept = (std::size_t{1} << 20) + 4096;
  const std::string path = scratch_.Sub("image");
  const absl::StatusOr<std::shared_ptr<Mapping>> image = PosixStorage().MapImage(path, kBytes);
  ASSERT_OK(image.status());
  std::byte* const data = (*image)->data();
  std::fill(data, data + kBytes, std::byte{7});
  ASSERT_NO_FATAL_FAILURE(Cut(path, kKept));
  EXPECT_EQ(data[kKept - 1], std::byte{7});
  EXPECT_FALSE((*image)->is_damaged());
  EXPECT_EQ(data[kKept], std::byte{0});
  EXPECT_TRUE((*image)->is_damaged());
  for (std::size_t at = kKept; at < kBytes; at += 4096) {
    ASSERT_EQ(data[at], std::byte{0}) << at;
    data[at] = std::byte{8};
  }
  EXPECT_EQ(g_foreign_faults, 0);
}

TEST_F(FaultGuardTest, AProcessThatReadsAlongLivesThroughImagesAndMarksCutShort) {
  Append(40);
  for (const char* const victim : {"hot/0000000000.img", "hot/marks", "hot/readers"}) {
    absl::StatusOr<std::unique_ptr<AttachedLog>> attached = AttachedLog::Attach(
        {.directory = scratch_.Sub("log"), .hot_directory = scratch_.Sub("hot")});
    ASSERT_OK(attached.status());
    LogReader reader = (*attached)->NewReader();
    ASSERT_NE(reader.NextFrame((*attached)->published()), nullptr);
    ASSERT_NO_FATAL_FAILURE(Cut(scratch_.Sub(victim), 0));
    const std::uint64_t events = ReadUntilDamage(reader, (*attached)->published(), 0);
    EXPECT_LE(events, appended_);
    static_cast<void>((*attached)->Wait(reader, LogMark::kPublished, std::chrono::nanoseconds(0)));
    // The engine's memory is the same: a new one for the next victim.
    log_ = nullptr;
    std::filesystem::remove_all(scratch_.Sub("hot"));
    std::filesystem::remove_all(scratch_.Sub("log"));
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    appended_ = 0;
    Append(40);
  }
  EXPECT_EQ(g_foreign_faults, 0);
}

TEST_F(FaultGuardTest, AnImageCutShortUnderTheWriterFailsTheLogBeforeItPublishes) {
  Append(10);
  ASSERT_TRUE(DriveToRest(*log_));
  const Address published = log_->published();
  ASSERT_NO_FATAL_FAILURE(Cut(scratch_.Sub("hot/0000000000.img"), 0));
  ASSERT_TRUE(AppendEvent(*log_, 11, 800));
  EXPECT_GT(log_->writer().Publish(), published) << "nobody is to be told that it is published";
  EXPECT_TRUE(log_->writer().is_poisoned());
  EXPECT_EQ(log_->published(), published);
  EXPECT_EQ(log_->health(), LogHealth::kFailed);
  EXPECT_TRUE(absl::IsDataLoss(log_->error())) << log_->error();
  EXPECT_EQ(log_->SyncWork(), 0);
  EXPECT_FALSE(log_->Close().ok());

  // What was durable is there.
  log_ = nullptr;
  LosePower();
  log_ = OpenLog();
  ASSERT_NE(log_, nullptr);
  EXPECT_EQ(CountEvents(*log_), 10U);
}

TEST_F(FaultGuardTest, AnImageCutShortUnderTheSyncAgentMakesNothingDurableAndTakesNothingBack) {
  // One more frame in the block that holds the last durable one, and blocks of them.
  for (const std::uint64_t more : {1U, 10U}) {
    Append(10 - appended_ % 10);
    ASSERT_TRUE(DriveToRest(*log_));
    const std::uint64_t durable_events = appended_;
    const Address durable = log_->durable();
    Append(more);
    ASSERT_NO_FATAL_FAILURE(Cut(scratch_.Sub("hot/0000000000.img"), 0));
    while (log_->HasSyncWork() && log_->health() == LogHealth::kOpen) log_->SyncWork();
    EXPECT_EQ(log_->health(), LogHealth::kFailed);
    EXPECT_EQ(log_->durable(), durable);
    log_ = nullptr;
    LosePower();
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    EXPECT_EQ(CountEvents(*log_), durable_events);
    appended_ = durable_events;
  }
}

TEST_F(FaultGuardTest, AFaultElsewhereGoesToTheHandlerThatWasThereBefore) {
  const std::string path = scratch_.Sub("foreign");
  WriteWhole(path, Bytes(8192));
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  auto* const memory =
      static_cast<volatile char*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0));
  ::close(fd);
  ASSERT_NO_FATAL_FAILURE(Cut(path, 0));
  const int before = g_foreign_faults;
  if (::sigsetjmp(g_way_out, 1) == 0) {
    static_cast<void>(memory[4096]);
    ADD_FAILURE() << "nobody was called";
  }
  EXPECT_EQ(g_foreign_faults, before + 1);
  g_foreign_faults = 0;
  ::munmap(const_cast<char*>(memory), 8192);
}

}  // namespace
}  // namespace pawl::inline v0
