// Reading a log that somebody else writes. Writer and reader share nothing here but files, as two
// processes would; tests/crash/kills has them in two.

#include "pawl/attached_log.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forwarding_storage.h"
#include "log_fixture.h"
#include "reader_slots.h"

namespace pawl::inline v0 {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Reads on and checks what it reads: positions without a hole, events 1, 2, 3… whole.
class CheckingReader {
 public:
  explicit CheckingReader(AttachedLog& log) : log_(log), reader_(log.NewReader()) {}

  // Up to the mark.
  std::uint64_t ReadOn(LogMark mark = LogMark::kPublished) {
    const absl::Status seen = log_.Refresh();
    EXPECT_TRUE(seen.ok()) << seen;
    while (const FrameHeader* const frame = reader_.NextFrame(log_.mark(mark))) Check(*frame);
    return events_;
  }
  void Check(const FrameHeader& frame) {
    last_frame_ = &frame;
    ForEachRecord(frame, [&](const RecordView& record) {
      EXPECT_EQ(record.position.value(), ++position_);
      if (record.header.kind != RecordKind::kEvent) return;
      EXPECT_EQ(record.header.version(), ++events_);
      Bytes expected(record.header.payload_bytes());
      FillEvent(expected.data(), record.header.payload_bytes(), events_);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), record.payload())) << events_;
    });
  }
  LogReader& reader() noexcept { return reader_; }
  const FrameHeader* last_frame() const noexcept { return last_frame_; }

 private:
  AttachedLog& log_;
  LogReader reader_;
  std::uint64_t position_ = 0;
  std::uint64_t events_ = 0;
  const FrameHeader* last_frame_ = nullptr;
};

class AttachedLogTest : public LogTest {
 protected:
  void SetUp() override { log_ = OpenLog(); }

  AttachOptions HowToAttach() {
    return {.directory = scratch_.Sub("log"),
            .hot_directory = scratch_.Sub("hot"),
            .name = "watcher",
            .on_notice = [this](std::string_view text) { notices_.emplace_back(text); }};
  }
  std::unique_ptr<AttachedLog> Attach(const AttachOptions& options) {
    absl::StatusOr<std::unique_ptr<AttachedLog>> attached = AttachedLog::Attach(options);
    if (!attached.ok()) {
      ADD_FAILURE() << attached.status();
      return nullptr;
    }
    return *std::move(attached);
  }
  std::unique_ptr<AttachedLog> Attach() { return Attach(HowToAttach()); }
  // As a process that cannot see the images.
  std::unique_ptr<AttachedLog> AttachToFiles() {
    AttachOptions options = HowToAttach();
    options.hot_directory = scratch_.Sub("elsewhere");
    return Attach(options);
  }

  // 800 bytes each: about 70 in a segment.
  void Append(std::uint64_t count) {
    const std::uint64_t first = appended_ + 1;
    appended_ += count;
    ASSERT_NO_FATAL_FAILURE(AppendEvents(*log_, first, appended_, 800));
  }
  // As an engine does it, each with the position of the one before.
  void AppendLinked(std::uint64_t count) {
    LogWriter& writer = log_->writer();
    for (; count > 0; --count) {
      while (!writer.CanBeginCommit()) ASSERT_GT(log_->SyncWork() + log_->PrepareWork(), 0);
      writer.BeginCommit();
      const Position position = writer.next_position();
      std::byte* const payload = writer.AppendRecord(
          {.type = 1, .stream = 1, .version = Version(++appended_), .back_link = linked_}, 800);
      FillEvent(payload, 800, appended_);
      writer.EndCommit({});
      writer.Publish();
      linked_ = position;
    }
  }
  void Kill() { log_ = nullptr; }
  void Restart() {
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
  }

  std::unique_ptr<Log> log_;
  std::uint64_t appended_ = 0;
  Position linked_;
};

TEST_F(AttachedLogTest, ReadsWhatIsPublishedWhileItIsWritten) {
  const auto attached = Attach();
  CheckingReader reader(*attached);
  for (int i = 0; i < 300; ++i) {
    ASSERT_NO_FATAL_FAILURE(Append(7));
    ASSERT_EQ(reader.ReadOn(), appended_);
    if (i % 3 == 0) {
      ASSERT_TRUE(Drive(*log_));
    }
  }
  EXPECT_EQ(attached->source(), LogSource::kHotImages);
  EXPECT_EQ(attached->epoch(), log_->epoch());
  EXPECT_TRUE(reader.reader().status().ok());
}

TEST_F(AttachedLogTest, OneThatComesLateReadsSealedSegmentsFromTheirFiles) {
  ASSERT_NO_FATAL_FAILURE(Append(1000));
  ASSERT_TRUE(DriveToRest(*log_));
  const auto attached = Attach();
  EXPECT_EQ(CheckingReader(*attached).ReadOn(), appended_);
}

TEST_F(AttachedLogTest, NothingThatIsReadChangesWhileItIsHeld) {
  ASSERT_NO_FATAL_FAILURE(Append(20));
  const auto attached = Attach();
  CheckingReader reader(*attached);
  ASSERT_EQ(reader.ReadOn(), 20U);
  const FrameHeader* const held = reader.last_frame();
  Bytes before(held->length);
  std::memcpy(before.data(), held, before.size());

  for (int i = 0; i < 20; ++i) {
    ASSERT_NO_FATAL_FAILURE(Append(50));
    ASSERT_TRUE(Drive(*log_));
  }
  EXPECT_EQ(std::memcmp(before.data(), held, before.size()), 0)
      << "an image was used again while a reader elsewhere was in it";
  EXPECT_EQ(reader.ReadOn(), appended_);
}

TEST_F(AttachedLogTest, ImagesThatNobodyKeepsAreUsedAgain) {
  // Otherwise the test above proves nothing.
  const auto inode = [&](std::uint64_t segment) {
    const std::string name = std::string(9, '0') + std::to_string(segment) + ".img";
    const auto identity = PosixStorage().Identify(scratch_.Sub("hot/" + name));
    return identity.ok() ? identity->inode : 0;
  };
  std::set<std::uint64_t> inodes;
  std::uint64_t segments = 0;
  for (; segments < 9; ++segments) {
    while (log_->published().value() < segments * kSegmentBytesMin + 8192) {
      ASSERT_NO_FATAL_FAILURE(Append(1));
    }
    ASSERT_TRUE(Drive(*log_));
    inodes.insert(inode(segments));
  }
  EXPECT_LT(inodes.size(), segments);
}

TEST_F(AttachedLogTest, WhatADeadWriterPublishedCanStillBeRead) {
  const auto attached = Attach();
  CheckingReader reader(*attached);
  ASSERT_NO_FATAL_FAILURE(Append(200));  // not synced
  Kill();
  EXPECT_EQ(reader.ReadOn(), 200U);
  const auto late = Attach();
  EXPECT_EQ(CheckingReader(*late).ReadOn(), 200U);
  EXPECT_EQ(late->source(), LogSource::kHotImages);
}

TEST_F(AttachedLogTest, GoesOnBehindAWriterThatDiedAndCameBack) {
  const auto attached = Attach();
  CheckingReader ahead(*attached);
  CheckingReader behind(*attached);
  CheckingReader fresh(*attached);
  ASSERT_NO_FATAL_FAILURE(Append(30));
  ASSERT_EQ(behind.ReadOn(), 30U);
  for (int life = 0; life < 5; ++life) {
    ASSERT_NO_FATAL_FAILURE(Append(100));
    ASSERT_EQ(ahead.ReadOn(), appended_);
    Kill();
    ASSERT_EQ(ahead.ReadOn(), appended_);
    ASSERT_NO_FATAL_FAILURE(Restart());
    ASSERT_NO_FATAL_FAILURE(Append(3));
    ASSERT_EQ(ahead.ReadOn(), appended_);
    EXPECT_EQ(attached->epoch(), log_->epoch());
  }
  EXPECT_EQ(behind.ReadOn(), appended_);
  EXPECT_EQ(fresh.ReadOn(), appended_);
}

TEST_F(AttachedLogTest, GoesOnInTheFilesBehindACleanStop) {
  const auto attached = Attach();
  CheckingReader reader(*attached);
  ASSERT_NO_FATAL_FAILURE(Append(100));
  ASSERT_EQ(reader.ReadOn(), 100U);
  ASSERT_NO_FATAL_FAILURE(Append(150));
  ASSERT_OK(log_->Close());
  EXPECT_EQ(reader.ReadOn(), 250U);
  EXPECT_EQ(attached->source(), LogSource::kFiles);
  EXPECT_EQ(attached->durable(), attached->published());
  Kill();

  ASSERT_NO_FATAL_FAILURE(Restart());
  ASSERT_NO_FATAL_FAILURE(Append(50));
  EXPECT_EQ(reader.ReadOn(), 300U);
  EXPECT_EQ(attached->source(), LogSource::kHotImages);
}

TEST_F(AttachedLogTest, OneWhoReadWhatAPowerCutTookIsToldSo) {
  const auto attached = Attach();
  CheckingReader reader(*attached);
  CheckingReader careful(*attached);
  ASSERT_NO_FATAL_FAILURE(Append(10));
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_NO_FATAL_FAILURE(Append(10));
  ASSERT_EQ(reader.ReadOn(), 20U);
  ASSERT_EQ(careful.ReadOn(LogMark::kDurable), 10U);
  Kill();
  LosePower();
  appended_ = 10;
  ASSERT_NO_FATAL_FAILURE(Restart());
  ASSERT_NO_FATAL_FAILURE(Append(40));

  ASSERT_OK(attached->Refresh());
  EXPECT_EQ(reader.reader().NextFrame(attached->published()), nullptr);
  EXPECT_TRUE(absl::IsAborted(reader.reader().status())) << reader.reader().status();
  EXPECT_THAT(std::string(reader.reader().status().message()), HasSubstr("was cut"));
  EXPECT_EQ(careful.ReadOn(), 50U);
}

TEST_F(AttachedLogTest, BetweenTwoWritersNothingIsFinal) {
  const auto attached = Attach();
  LogReader reader = attached->NewReader();
  ASSERT_NO_FATAL_FAILURE(Append(20));
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_NO_FATAL_FAILURE(Append(20));
  const Address limit = attached->published();
  Kill();
  LosePower();
  // The image is gone, and not because its segment is on the disk: the file is not to be mapped.
  EXPECT_EQ(reader.NextFrame(limit), nullptr);
  ASSERT_OK(reader.status());
  appended_ = 20;
  ASSERT_NO_FATAL_FAILURE(Restart());
  EXPECT_EQ(reader.NextFrame(limit), nullptr);
  ASSERT_OK(reader.status());
  EXPECT_TRUE(*attached->Wait(reader, LogMark::kPublished, 0ms));
  std::uint64_t frames = 0;
  while (reader.NextFrame(attached->published()) != nullptr) ++frames;
  EXPECT_EQ(frames, 1 + 20 + 1U);
}

TEST_F(AttachedLogTest, ThroughTheFilesAloneOneSeesWhatReachedTheDisk) {
  const auto attached = AttachToFiles();
  CheckingReader reader(*attached);
  EXPECT_EQ(attached->source(), LogSource::kFiles);
  std::uint64_t on_disk = 0;
  for (int i = 0; i < 60; ++i) {
    ASSERT_NO_FATAL_FAILURE(Append(9));
    const std::uint64_t read = reader.ReadOn();
    EXPECT_LT(read, appended_);
    EXPECT_GE(read, on_disk);
    ASSERT_TRUE(Drive(*log_));
    ASSERT_EQ(reader.ReadOn(), appended_);
    on_disk = appended_;
  }
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_OK(attached->Refresh());
  EXPECT_EQ(attached->durable(), attached->published());

  // The next life writes the tail into another file.
  Kill();
  ASSERT_NO_FATAL_FAILURE(Restart());
  ASSERT_NO_FATAL_FAILURE(Append(9));
  ASSERT_TRUE(Drive(*log_));
  EXPECT_EQ(reader.ReadOn(), appended_);
}

// Runs `before_evidence` once, when somebody is about to read what is durable.
class MeddledStorage final : public ForwardingStorage {
 public:
  std::function<void()> before_evidence;

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, FileMode mode) override {
    const bool is_evidence = path.find("evidence") != std::string::npos;
    if (is_evidence && before_evidence) std::exchange(before_evidence, nullptr)();
    return ForwardingStorage::Open(path, mode);
  }
};

// The file was looked at, the writer came back and wrote its tail anew, then the evidence was read:
// it spoke of a frame that the old file did not have, and the reader was told of a loss.
TEST_F(AttachedLogTest, AWriterThatComesBackWithinALookAtTheFilesIsNoLoss) {
  ASSERT_NO_FATAL_FAILURE(Append(100));
  ASSERT_TRUE(DriveToRest(*log_));
  MeddledStorage storage;
  AttachOptions options = HowToAttach();
  options.hot_directory = scratch_.Sub("elsewhere");
  options.storage = &storage;
  const auto attached = Attach(options);
  CheckingReader reader(*attached);
  ASSERT_EQ(reader.ReadOn(), appended_);
  storage.before_evidence = [this] {
    Kill();
    Restart();
  };
  ASSERT_EQ(reader.ReadOn(), appended_);
  EXPECT_TRUE(attached->Refresh().ok());
  EXPECT_FALSE(storage.before_evidence);
  EXPECT_EQ(attached->epoch(), log_->epoch());
}

TEST_F(AttachedLogTest, DurableIsAFramesEndAndNeverBeyondWhatIsDurable) {
  const auto attached = AttachToFiles();
  CheckingReader reader(*attached);
  for (int i = 0; i < 30; ++i) {
    ASSERT_NO_FATAL_FAILURE(Append(5));
    ASSERT_TRUE(Drive(*log_));
    reader.ReadOn(LogMark::kDurable);
    EXPECT_LE(attached->durable(), log_->durable());
    // The newest frame is on the disk, but nothing on the disk says so yet.
    EXPECT_LT(attached->durable(), attached->published());
    EXPECT_EQ(reader.reader().address().value() % kFrameAlignBytes, 0U);
  }
}

TEST_F(AttachedLogTest, MissingDurableFramesAreToldAndWhatIsBeforeIsRead) {
  ASSERT_NO_FATAL_FAILURE(Append(20));
  ASSERT_OK(log_->Close());
  Kill();
  Bytes bytes = ReadWhole(File("0000000000.seg"));
  bytes[12288] ^= std::byte{1};
  WriteWhole(File("0000000000.seg"), bytes);
  AttachOptions options = HowToAttach();
  const absl::Status refused = AttachedLog::Attach(options).status();
  EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("0000000000.seg at offset"));

  options.allow_damaged = true;
  const auto attached = Attach(options);
  LogReader reader = attached->NewReader();
  std::uint64_t frames = 0;
  while (reader.NextFrame(attached->published()) != nullptr) ++frames;
  EXPECT_EQ(frames, 1 + (12288 - 4096 - 192) / 960U);
  EXPECT_TRUE(absl::IsDataLoss(attached->Wait(reader, LogMark::kDurable, 0ms).status()));
}

TEST_F(AttachedLogTest, SeeksAndReadsStreamsLikeTheEnginesOwnReaders) {
  ASSERT_NO_FATAL_FAILURE(AppendLinked(500));
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_TRUE(std::filesystem::exists(File("0000000003.idx")));
  ASSERT_NO_FATAL_FAILURE(AppendLinked(20));
  for (const auto& attached : {Attach(), AttachToFiles()}) {
    const Address limit = attached->published();
    LogReader reader = attached->NewReader();
    ASSERT_OK(reader.Seek(Position(400), limit));
    EXPECT_EQ(reader.NextFrame(limit)->first_position, 400U);
    ASSERT_OK(reader.SeekEnd(limit));
    EXPECT_NE(reader.PreviousFrame(), nullptr);

    StreamReader stream = attached->NewStreamReader(1);
    std::uint64_t events = 0;
    while (const RecordView* const event = stream.NextEvent(limit)) {
      EXPECT_EQ(event->header.version(), ++events);
    }
    EXPECT_GE(events, 500U);
    FilteredReader filtered = attached->NewFilteredReader({.types = {1}});
    std::uint64_t of_type = 0;
    while (filtered.NextEvent(limit) != nullptr) ++of_type;
    EXPECT_EQ(of_type, events);

    while (stream.PreviousEvent() != nullptr) --events;
    EXPECT_EQ(events, 0U);
    ASSERT_OK(stream.status());
  }
}

TEST_F(AttachedLogTest, SleepsUntilThereIsMoreOrTheTimeIsOver) {
  const auto attached = Attach();
  CheckingReader reader(*attached);
  reader.ReadOn();
  const auto waited = attached->Wait(reader.reader(), LogMark::kPublished, 1ms);
  ASSERT_OK(waited.status());
  EXPECT_FALSE(*waited);
  ASSERT_NO_FATAL_FAILURE(Append(1));
  EXPECT_TRUE(*attached->Wait(reader.reader(), LogMark::kPublished, 0ms));
  EXPECT_FALSE(*attached->Wait(reader.reader(), LogMark::kDurable, 1ms));
  ASSERT_TRUE(Drive(*log_));
  EXPECT_TRUE(*attached->Wait(reader.reader(), LogMark::kDurable, 0ms));
}

TEST_F(AttachedLogTest, ASleeperIsWokenByTheNextFrame) {
  std::atomic<std::uint64_t> read{0};
  std::thread watcher([&] {
    const auto attached = Attach();
    CheckingReader reader(*attached);
    while (reader.ReadOn() < 200) {
      // Relaxed: a count for the writer to go by.
      read.store(reader.ReadOn(), std::memory_order_relaxed);
      const auto more = attached->Wait(reader.reader(), LogMark::kPublished, 60s);
      ASSERT_TRUE(more.ok() && *more);
    }
    read.store(200, std::memory_order_relaxed);
  });
  // The next one when the one before was read: the watcher sleeps most of the time.
  for (std::uint64_t number = 1; number <= 200; ++number) {
    Append(1);
    while (read.load(std::memory_order_relaxed) < number) std::this_thread::yield();
  }
  watcher.join();
}

TEST_F(AttachedLogTest, AWishToBeWokenCostsTheLoopOneCallAndNotOnePerFrame) {
  auto mapped = PosixStorage().MapImage(scratch_.Sub("hot/readers"), 0);
  ASSERT_OK(mapped.status());
  auto& header = *reinterpret_cast<ReadersHeader*>((*mapped)->data());
  const auto wish = [&] { header.is_published_awaited.store(1, std::memory_order_relaxed); };
  const auto is_open = [&] {
    return header.is_published_awaited.load(std::memory_order_relaxed) != 0;
  };
  wish();
  ASSERT_NO_FATAL_FAILURE(Append(1));
  EXPECT_FALSE(is_open()) << "nobody was woken";
  wish();
  ASSERT_NO_FATAL_FAILURE(Append(1));
  EXPECT_TRUE(is_open()) << "woken again within the same moment";
  ASSERT_TRUE(Drive(*log_));
  EXPECT_FALSE(is_open()) << "the sync agent left it to its time-out";
  wish();
  log_->writer().SetTime(log_->recovery().time_ns + 1'000'000);
  ASSERT_NO_FATAL_FAILURE(Append(1));
  EXPECT_FALSE(is_open());
}

TEST_F(AttachedLogTest, ReadersAreListedUntilTheyLeave) {
  EXPECT_THAT(log_->readers(), SizeIs(0));
  ASSERT_NO_FATAL_FAILURE(Append(5));
  {
    const auto attached = Attach();
    EXPECT_TRUE(attached->is_listed());
    CheckingReader reader(*attached);
    reader.ReadOn();
    ASSERT_FALSE(*attached->Wait(reader.reader(), LogMark::kPublished, 0ms));
    const auto readers = log_->readers();
    ASSERT_THAT(readers, SizeIs(1));
    EXPECT_EQ(readers[0].name, "watcher");
    EXPECT_EQ(readers[0].pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(readers[0].position, Position(6));
    EXPECT_EQ(readers[0].address, log_->published());
    EXPECT_TRUE(readers[0].is_alive);
    EXPECT_FALSE(readers[0].is_waiting);
  }
  EXPECT_THAT(log_->readers(), SizeIs(0));
}

TEST_F(AttachedLogTest, WithoutASlotAReaderPolls) {
  Kill();
  LogOptions options = Options();
  options.readers_max = 1;  // one block of slots
  log_ = OpenLog(options);
  std::vector<std::unique_ptr<AttachedLog>> listed;
  while (notices_.empty() && listed.size() < 100) listed.push_back(Attach());
  EXPECT_THAT(log_->readers(), SizeIs(listed.size() - 1));
  ASSERT_THAT(notices_, SizeIs(1));
  EXPECT_THAT(notices_[0], HasSubstr("polls"));
  EXPECT_FALSE(listed.back()->is_listed());

  CheckingReader reader(*listed.back());
  ASSERT_NO_FATAL_FAILURE(Append(5));
  EXPECT_TRUE(*listed.back()->Wait(reader.reader(), LogMark::kPublished, 0ms));
  EXPECT_EQ(reader.ReadOn(), 5U);
}

TEST_F(AttachedLogTest, ASlotOfAProcessThatIsGoneIsTakenAgain) {
  auto mapped = PosixStorage().MapImage(scratch_.Sub("hot/readers"), 0);
  ASSERT_OK(mapped.status());
  auto& slot = *reinterpret_cast<ReaderSlot*>((*mapped)->data() + kBlockBytes);
  // The number of a process that cannot be, and one of ours that began at another time.
  for (const std::uint64_t gone : {std::uint64_t{0x7FFFFFFF}, std::uint64_t(::getpid())}) {
    slot.owner.store(gone, std::memory_order_relaxed);
    const auto readers = log_->readers();
    ASSERT_THAT(readers, SizeIs(1));
    EXPECT_FALSE(readers[0].is_alive);
    const auto attached = Attach();
    EXPECT_THAT(log_->readers(), SizeIs(1));
    EXPECT_TRUE(log_->readers()[0].is_alive);
  }
}

TEST_F(AttachedLogTest, WhateverTheSlotsSayTheLogGoesOn) {
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const auto attached = Attach();
  CheckingReader reader(*attached);
  auto mapped = PosixStorage().MapImage(scratch_.Sub("hot/readers"), 0);
  ASSERT_OK(mapped.status());
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < (*mapped)->size(); ++i) {
      (*mapped)->data()[i] = round == 0 ? std::byte{0xFF} : static_cast<std::byte>(random());
    }
    for (const ReaderProcess& each : log_->readers()) {
      EXPECT_LE(each.name.size(), kReaderNameBytes);
      for (const char c : each.name) EXPECT_TRUE(c >= ' ' && c <= '~');
    }
    ASSERT_NO_FATAL_FAILURE(Append(10));
    ASSERT_TRUE(Drive(*log_));
    ASSERT_EQ(reader.ReadOn(), appended_);
    ASSERT_TRUE(attached->Wait(reader.reader(), LogMark::kPublished, 0ms).ok());
  }
  EXPECT_EQ(Attach()->is_listed(), false) << "the header is not that of this log any more";
}

TEST_F(AttachedLogTest, NothingOfTheLogIsWritten) {
  ASSERT_NO_FATAL_FAILURE(Append(300));
  Kill();
  const auto log = ReadFiles(scratch_.Sub("log"));
  auto hot = ReadFiles(scratch_.Sub("hot"));
  {
    const auto attached = Attach();
    CheckingReader reader(*attached);
    EXPECT_EQ(reader.ReadOn(), 300U);
    ASSERT_TRUE(attached->Wait(reader.reader(), LogMark::kDurable, 1ms).ok());
  }
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), log);
  auto hot_after = ReadFiles(scratch_.Sub("hot"));
  hot.erase("readers");
  hot_after.erase("readers");
  EXPECT_EQ(hot_after, hot);
}

TEST_F(AttachedLogTest, WhereThereIsNoLogThatIsSaid) {
  EXPECT_TRUE(
      absl::IsNotFound(AttachedLog::Attach({.directory = scratch_.Sub("nothing")}).status()));
  Kill();
  Bytes manifest = ReadWhole(File("manifest"));
  manifest[100] ^= std::byte{1};
  WriteWhole(File("manifest"), manifest);
  EXPECT_TRUE(absl::IsDataLoss(AttachedLog::Attach(HowToAttach()).status()));
}

TEST_F(AttachedLogTest, MarksOfACopyAreNotBelieved) {
  ASSERT_NO_FATAL_FAILURE(Append(20));
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_NO_FATAL_FAILURE(Append(20));
  std::filesystem::copy(scratch_.Sub("log"), scratch_.Sub("copy"));
  AttachOptions options = HowToAttach();
  options.directory = scratch_.Sub("copy");
  const auto attached = Attach(options);
  EXPECT_EQ(attached->source(), LogSource::kFiles);
  EXPECT_EQ(CheckingReader(*attached).ReadOn(), 20U);
}

}  // namespace
}  // namespace pawl::inline v0
