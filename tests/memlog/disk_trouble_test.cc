#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "faulty_storage.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

class DiskTroubleTest : public LogTest {
 protected:
  LogOptions Faulty() {
    LogOptions options = Options();
    options.storage = &storage_;
    return options;
  }

  void GiveNoRoomWhileThereIs(const std::string& file) {
    storage_.on_allocate = [file](const std::string& path) {
      return std::filesystem::exists(file)
                 ? absl::ResourceExhaustedError("allocate " + path + ": errno 28")
                 : absl::OkStatus();
    };
  }

  FaultyStorage storage_;
};

TEST_F(DiskTroubleTest, AFailedSyncFreezesTheDurableMarkForGood) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ASSERT_EQ(log->SyncWork(), 1);
  const Address durable = log->durable();
  EXPECT_EQ(durable, log->published());
  Doorbell bell;
  log->set_durable_bell(&bell);
  storage_.on_durable_write = [](const std::string& path, std::uint64_t) {
    return absl::UnknownError("write of " + path + ": Input/output error (errno 5)");
  };
  AppendEvents(*log, 4, 6);
  const std::uint64_t writes = storage_.durable_writes;
  EXPECT_EQ(log->SyncWork(), 0);
  EXPECT_EQ(storage_.durable_writes, writes + 1);
  EXPECT_EQ(log->health(), LogHealth::kFailed);
  EXPECT_NE(log->error().message().find("0000000000.seg"), absl::string_view::npos);
  EXPECT_NE(log->error().message().find("errno 5"), absl::string_view::npos);

  // The disk is well again, but nobody can know what it holds: no write is tried again.
  storage_.on_durable_write = nullptr;
  storage_.now_ns += 1'000'000'000;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(log->SyncWork(), 0);
    EXPECT_EQ(log->PrepareWork(), 0);
  }
  EXPECT_FALSE(log->HasSyncWork() || log->HasPrepareWork());
  EXPECT_EQ(log->sync_delay_ns(), -1);
  EXPECT_EQ(storage_.durable_writes, writes + 1);
  EXPECT_EQ(log->durable(), durable);
  EXPECT_EQ(log->health(), LogHealth::kFailed);
  EXPECT_EQ(CountEvents(*log), 6U);
  EXPECT_FALSE(log->Close().ok());

  // The next life has all of it from the images, and writes it anew.
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 6U);
  EXPECT_EQ(log->durable(), log->published());
}

TEST_F(DiskTroubleTest, AFailedEvidenceWriteIsAFailedSync) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  while (log->SyncWork() != 0) {
  }
  storage_.on_durable_write = [](const std::string& path, std::uint64_t) {
    return path.find("evidence") == std::string::npos ? absl::OkStatus()
                                                      : absl::UnknownError(path + ": errno 5");
  };
  EXPECT_EQ(log->SyncWork(), 0);  // not idle yet
  EXPECT_GT(log->sync_delay_ns(), 0);
  storage_.now_ns += 20'000'000;
  EXPECT_EQ(log->sync_delay_ns(), 0);
  EXPECT_TRUE(log->HasSyncWork());
  log->SyncWork();
  EXPECT_EQ(log->health(), LogHealth::kFailed);
}

TEST_F(DiskTroubleTest, ADurableMarkNeverMovesBeforeTheWriteReturned) {
  std::atomic<bool> is_blocked{true};
  std::atomic<bool> has_begun{false};
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  const Address before = log->durable();
  storage_.on_durable_write = [&](const std::string&, std::uint64_t) {
    // Release, acquire: pair with the test's thread.
    has_begun.store(true, std::memory_order_release);
    while (is_blocked.load(std::memory_order_acquire)) std::this_thread::yield();
    return absl::OkStatus();
  };
  AppendEvents(*log, 1, 3);
  std::thread disk([&] { log->SyncWork(); });
  // Acquire, release: pair with the hook.
  while (!has_begun.load(std::memory_order_acquire)) std::this_thread::yield();
  // The writer does not wait for the disk.
  AppendEvents(*log, 4, 100);
  EXPECT_EQ(CountEvents(*log), 100U);
  EXPECT_EQ(log->durable(), before);
  is_blocked.store(false, std::memory_order_release);
  disk.join();
  EXPECT_GT(log->durable(), before);
  EXPECT_LT(log->durable(), log->published());
}

TEST_F(DiskTroubleTest, NoSpaceForTheNextSegmentIsAStateThatPasses) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  bool is_full = true;
  storage_.on_allocate = [&](const std::string& path) {
    return is_full ? absl::ResourceExhaustedError("allocate " + path + ": errno 28")
                   : absl::OkStatus();
  };
  std::uint64_t events = 0;
  while (log->writer().CanBeginCommit()) {
    ++events;
    AppendEvents(*log, events, events, 1000);
    log->SyncWork();
    log->PrepareWork();
  }
  EXPECT_EQ(log->health(), LogHealth::kDiskLow);
  EXPECT_NE(log->error().message().find("0000000001.seg"), absl::string_view::npos);
  EXPECT_FALSE(std::filesystem::exists(File("0000000001.seg.tmp")));
  EXPECT_EQ(CountEvents(*log), events);
  // It waits longer from time to time, but never more than a second.
  for (int tries = 0; tries < 20; ++tries) {
    EXPECT_EQ(log->PrepareWork(), 0);
    const std::int64_t delay = log->prepare_delay_ns();
    EXPECT_GT(delay, 0);
    EXPECT_LE(delay, 1'000'000'000);
    storage_.now_ns += static_cast<std::uint64_t>(delay);
    EXPECT_TRUE(log->HasPrepareWork());
    while (log->PrepareWork() > 0) {
    }
    EXPECT_EQ(log->health(), LogHealth::kDiskLow);
  }
  is_full = false;
  storage_.now_ns += 1'000'000'000;
  while (log->PrepareWork() > 0) {
  }
  EXPECT_EQ(log->health(), LogHealth::kOpen);
  EXPECT_TRUE(log->error().ok());
  AppendEvents(*log, events + 1, events + 500, 1000);
  EXPECT_EQ(CountEvents(*log), events + 500);
}

TEST_F(DiskTroubleTest, AFailedSyncOfAPreparedSegmentFailsTheLog) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  storage_.on_sync = [](const std::string& path) {
    return IsSegment(path) ? absl::UnknownError("fsync " + path + ": errno 5") : absl::OkStatus();
  };
  AppendEvents(*log, 1, 3);
  while (log->PrepareWork() > 0) {
  }
  EXPECT_EQ(log->health(), LogHealth::kFailed);
  // The disk's word is not good any more, whoever heard it first.
  EXPECT_EQ(log->SyncWork(), 0);
  EXPECT_LT(log->durable(), log->published());
  EXPECT_FALSE(log->Close().ok());
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 3U);
}

// A life died between the rename of its manifest and the sync of the directory. The next one saw
// the manifest, made a segment, lost the power, and of the two names only the segment's was on the
// disk.
TEST_F(DiskTroubleTest, NamesThatALifeBeforeLeftAreMadeDurableBeforeAnythingIsBuiltOnThem) {
  ASSERT_NE(OpenLog(), nullptr);
  LosePower();
  std::vector<std::string> calls;
  storage_.on_sync_directory = [&](const std::string& path) {
    calls.push_back("sync " + path);
    return absl::OkStatus();
  };
  storage_.on_allocate = [&](const std::string&) {
    calls.emplace_back("allocate");
    return absl::OkStatus();
  };
  ASSERT_NE(OpenLog(Faulty()), nullptr);
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(calls.front(), "sync " + scratch_.Sub("log"));

  // And where that fails, nothing is built.
  storage_.on_sync_directory = [](const std::string& path) {
    return absl::UnknownError("fsync " + path + ": errno 5");
  };
  LosePower();
  const auto files = ReadFiles(scratch_.Sub("log"));
  EXPECT_EQ(OpenStatus(Faulty()).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
}

// A preparer died with a segment half made, on a disk that was full but for that. Open needs the
// room of one segment to write the tail anew: it was refused, and the draft stayed.
TEST_F(DiskTroubleTest, ADraftOfADeadPreparerGivesItsRoomToTheTail) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ASSERT_TRUE(Drive(*log));
  log = nullptr;
  LosePower();
  const std::string draft = File("0000000002.seg.tmp");
  WriteWhole(draft, Bytes(kSegmentBytesMin));
  GiveNoRoomWhileThereIs(draft);
  log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 3U);
  EXPECT_FALSE(std::filesystem::exists(draft));
}

// The disk was full but for the segment that had been prepared ahead: the tail was refused its
// room.
TEST_F(DiskTroubleTest, ASegmentPreparedAheadGivesItsRoomToTheTail) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ASSERT_TRUE(Drive(*log));
  log = nullptr;
  const std::string ahead = File("0000000001.seg");
  ASSERT_TRUE(std::filesystem::exists(ahead));
  GiveNoRoomWhileThereIs(ahead);
  log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 3U);
}

// Blocks that were only allocated are slow to write: while nothing is to be synced the sync agent
// writes zeros there, and never where frames are.
TEST_F(DiskTroubleTest, AnIdleSyncAgentWritesZerosAheadOfTheLogOnly) {
  constexpr std::uint64_t kSegmentBytes = std::uint64_t{1} << 20;
  LogOptions options = Faulty();
  options.segment_bytes = kSegmentBytes;
  options.segments_ahead = 1;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(Drive(*log));
  EXPECT_TRUE(log->is_warm()) << "the first segment";
  log = nullptr;  // dies

  log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  EXPECT_FALSE(log->is_warm());
  std::uint64_t steps = 0;
  for (std::uint64_t number = 1; log->HasSyncWork(); number += 100) {
    AppendEvents(*log, number, number + 99);
    EXPECT_EQ(log->SyncWork(), 1);
    EXPECT_EQ(log->durable(), log->published()) << "what is published comes first";
    log->SyncWork();
    ASSERT_LT(++steps, 10U);
  }
  EXPECT_EQ(steps, 4U);  // 256 KiB each
  EXPECT_GT(log->durable().value(), 4 * kBlockBytes);
  ASSERT_TRUE(Drive(*log));
  EXPECT_TRUE(log->is_warm());
  log = nullptr;
  LosePower();
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 100 * steps);
}

TEST_F(DiskTroubleTest, ASegmentThatWasMadeInHasteIsZeroedByTheSyncAgent) {
  LogOptions options = Faulty();
  options.segment_bytes = std::uint64_t{4} << 20;
  options.segments_ahead = 1;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  // More than 1 MiB waits to be synced: the preparer writes no zeros.
  for (std::uint64_t number = 1; log->published().value() < (std::uint64_t{3} << 19); ++number) {
    AppendEvents(*log, number, number);
  }
  std::uint64_t zeros = 0;
  storage_.on_durable_write = [&](const std::string& path, std::uint64_t) {
    if (path == File("0000000001.seg")) ++zeros;
    return absl::OkStatus();
  };
  while (log->PrepareWork() != 0) {
  }
  ASSERT_EQ(log->ready_segments(), 1U);
  EXPECT_EQ(zeros, 0U);
  // The loop goes there, and then nothing more comes.
  std::uint64_t number = 1'000'000;
  while (log->published().value() < options.segment_bytes) {
    ASSERT_TRUE(Drive(*log));
    AppendEvents(*log, number, number);
    ++number;
  }
  ASSERT_TRUE(Drive(*log));
  EXPECT_GE(zeros, 16U);  // 256 KiB each
  EXPECT_TRUE(log->is_warm());
}

TEST_F(DiskTroubleTest, ImagesMoveIntoTheLogDirectoryWhenMemoryIsFull) {
  // At once, and in mid-run.
  for (const std::uint64_t images_with_room : {0U, 3U}) {
    SCOPED_TRACE(images_with_room);
    FaultyStorage storage;
    LogOptions options = Options();
    options.directory = scratch_.Sub("log" + std::to_string(images_with_room));
    options.hot_directory = options.directory + ".hot";
    options.storage = &storage;
    notices_.clear();
    storage.on_new_image = [&](const std::string& path) {
      const bool is_hot = path.find(".hot/") != std::string::npos;
      return is_hot && storage.new_images >= images_with_room
                 ? absl::ResourceExhaustedError("allocate " + path + ": errno 28")
                 : absl::OkStatus();
    };
    options.segments_ahead = 4;
    auto log = OpenLog(options);
    ASSERT_NE(log, nullptr);
    while (log->PrepareWork() > 0) {
    }
    AppendEvents(*log, 1, 300, 1000);
    EXPECT_EQ(notices_.size(), 1U);
    EXPECT_EQ(log->hot_directory(), options.directory);
    // The process dies; images are found in both places.
    log = nullptr;
    log = OpenLog(options);
    ASSERT_NE(log, nullptr);
    EXPECT_TRUE(log->recovery().used_hot_images);
    EXPECT_EQ(CountEvents(*log), 300U);
    ASSERT_OK(log->Close());
    for (const auto& [name, bytes] : ReadFiles(options.directory)) {
      EXPECT_EQ(name.find(".img"), std::string::npos) << name;
      EXPECT_NE(name, "marks");
    }
  }
}

TEST_F(DiskTroubleTest, AMissingMemoryFileSystemIsReplacedWithOneNotice) {
  LogOptions options = Options();
  options.hot_directory = scratch_.Sub("no/such/place");
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 500, 1000);
  EXPECT_EQ(notices_.size(), 1U);
  EXPECT_EQ(log->hot_directory(), options.directory);
  log = nullptr;
  log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 500U);
  ASSERT_OK(log->Close());
}

TEST_F(DiskTroubleTest, WithoutDirectWritesTheLogSaysSoAndWorks) {
  storage_.is_direct = false;
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  EXPECT_FALSE(log->is_direct());
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_NE(notices_[0].find("fdatasync"), std::string::npos);
}

TEST_F(DiskTroubleTest, RetiredImagesAreUsedAgain) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  for (std::uint64_t number = 1; number <= 2000; ++number) {
    AppendEvents(*log, number, number, 1000);
    while (log->SyncWork() + log->PrepareWork() > 0) {
    }
  }
  EXPECT_GT(log->published().value() / log->segment_bytes(), 30U);
  // The marks, the tail, and one or two ahead.
  EXPECT_LE(storage_.new_images, 5U);
  EXPECT_EQ(CountEvents(*log), 2000U);
}

TEST_F(DiskTroubleTest, AnImageThatSomebodyReadsNeverChanges) {
  auto log = OpenLog(Faulty());
  ASSERT_NE(log, nullptr);
  LogReader reader = log->NewReader();
  ASSERT_NE(reader.NextFrame(log->published()), nullptr);
  const std::shared_ptr<const Mapping> held = reader.Hold();
  std::vector<std::shared_ptr<const Mapping>> all;
  std::vector<Bytes> contents;
  for (std::uint64_t number = 1; number <= 1000; ++number) {
    AppendEvents(*log, number, number, 1000);
    while (reader.NextFrame(log->published()) != nullptr) {
    }
    if (all.empty() || all.back() != reader.Hold()) all.push_back(reader.Hold());
    while (log->SyncWork() + log->PrepareWork() > 0) {
    }
  }
  EXPECT_EQ(all.front(), held);
  ASSERT_GT(all.size(), 10U);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    const Bytes file = ReadWhole(File("000000000" + std::to_string(i) + ".seg"));
    if (i >= 10) break;
    EXPECT_EQ(std::memcmp(all[i]->data(), file.data(), file.size()), 0) << i;
  }
  EXPECT_GT(storage_.new_images, 10U);
}

TEST_F(DiskTroubleTest, ImagesAreBoundedByWhatMayBeUndurable) {
  LogOptions options = Faulty();
  options.undurable_bytes_max = 3 * kSegmentBytesMin;
  options.segments_ahead = 2;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  // Nobody syncs: the preparer stops at 3 + 2 + 2 images.
  std::uint64_t events = 0;
  for (;;) {
    while (log->PrepareWork() > 0) {
    }
    if (!log->writer().CanBeginCommit()) break;
    ++events;
    AppendEvents(*log, events, events, 1000);
  }
  EXPECT_EQ(log->health(), LogHealth::kOpen);
  EXPECT_EQ(storage_.new_images, 2U + 7U) << "marks, slots of readers, images";
  EXPECT_EQ(log->published().value() / log->segment_bytes(), 6U);
  ASSERT_TRUE(Drive(*log));
  EXPECT_TRUE(log->writer().CanBeginCommit());
}

// ---- real file systems

TEST_F(DiskTroubleTest, AFullFileSystemIsSurvivedAndLeftUsable) {
  const std::string mount_point = scratch_.Sub("small");
  std::filesystem::create_directory(mount_point);
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "mounting a file system needs root";
  }
  {
    LogOptions options = Options();
    options.directory = mount_point + "/log";
    auto log = OpenLog(options);
    ASSERT_NE(log, nullptr);
    std::uint64_t events = 0;
    while (log->writer().CanBeginCommit() || log->health() == LogHealth::kOpen) {
      while (log->SyncWork() > 0) {
      }
      if (log->writer().CanBeginCommit()) {
        ++events;
        AppendEvents(*log, events, events, 1000);
      }
      log->PrepareWork();
    }
    EXPECT_EQ(log->health(), LogHealth::kDiskLow);
    EXPECT_GT(events, 250U);
    EXPECT_EQ(CountEvents(*log), events);
    while (log->SyncWork() > 0) {
    }
    EXPECT_EQ(log->durable(), log->published());
    log = nullptr;
    LosePower();
    // The tail cannot be written anew: refused with a word, and nothing is lost.
    const auto files = ReadFiles(options.directory);
    const absl::Status refused = OpenStatus(options);
    if (!refused.ok()) {
      EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused.ToString();
      EXPECT_EQ(ReadFiles(options.directory), files);
    }
    ASSERT_EQ(::mount("tmpfs", mount_point.c_str(), "tmpfs", MS_REMOUNT, "size=2m"), 0);
    log = OpenLog(options);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(CountEvents(*log), events);
    AppendEvents(*log, events + 1, events + 100, 1000);
  }
  EXPECT_EQ(::umount(mount_point.c_str()), 0);
}

// RLIMIT_FSIZE raises a signal that ends a process by default. A limit of nothing meets the first
// byte of all, the number of the process in the lock file.
TEST_F(DiskTroubleTest, AFileSizeLimitIsAStatusAndNotASignal) {
  for (const rlim_t bytes : {0U, 4096U, 16U * 1024U}) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_DFL);
      const rlimit limit{.rlim_cur = bytes, .rlim_max = bytes};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(2);
      ::_exit(OpenStatus().code() == absl::StatusCode::kResourceExhausted ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status << " at " << bytes;
  }
}

}  // namespace
}  // namespace pawl::inline v0
