#include "recovery.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>

#include "evidence.h"
#include "frame_checksum.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

using Files = std::map<std::string, Bytes>;

class RecoveryTest : public LogTest {
 protected:
  // Files of a log whose power was cut after `events` events of `bytes` bytes had reached the disk;
  // of the last frame no evidence is left.
  Files CutLog(std::uint64_t events, std::uint32_t bytes = 64) {
    auto log = OpenLog();
    if (log == nullptr) return {};
    AppendEvents(*log, 1, events - 1, bytes);
    EXPECT_TRUE(Drive(*log));
    last_frame_ = log->published();
    AppendEvents(*log, events, events, bytes);
    EXPECT_EQ(log->SyncWork(), 1);
    EXPECT_EQ(log->durable(), log->published());
    end_ = log->published();
    log = nullptr;
    LosePower();
    return ReadFiles(scratch_.Sub("log"));
  }

  // Opens these files as after a power cut.
  absl::StatusOr<std::unique_ptr<Log>> OpenFiles(const Files& files) {
    LosePower();
    WriteFiles(scratch_.Sub("log"), files);
    return Log::Open(Options());
  }

  // Expects DATA_LOSS that names `file`, and that nothing was touched.
  void ExpectRefused(const Files& files, const std::string& file,
                     absl::StatusCode code = absl::StatusCode::kDataLoss) {
    const absl::Status status = OpenFiles(files).status();
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_NE(std::string(status.message()).find(file), std::string::npos) << status.ToString();
    EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
  }

  Address last_frame_;  // start of the last frame of CutLog
  Address end_;         // its end
};

std::byte& Flip(Bytes& bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  return bytes[bit / 8];
}

TEST_F(RecoveryTest, APowerCutLosesNothingThatWasDurable) {
  auto log = OpenFiles(CutLog(5));
  ASSERT_OK(log.status());
  EXPECT_EQ(CountEvents(**log), 5U);
  EXPECT_EQ((*log)->recovery().reason, EpochReason::kRecovered);
  EXPECT_EQ((*log)->recovery().end, end_);
  EXPECT_EQ((*log)->recovery().cut_bytes, 0U);
  EXPECT_FALSE((*log)->recovery().used_hot_images);
}

TEST_F(RecoveryTest, ACleanStopIsToldFromADeath) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().reason, EpochReason::kCreated);
  AppendEvents(*log, 1, 2);
  ASSERT_OK(log->Close());
  EXPECT_FALSE(std::filesystem::exists(scratch_.Sub("hot")));
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().reason, EpochReason::kReopened);
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().reason, EpochReason::kRecovered);
  EXPECT_TRUE(log->recovery().used_hot_images);
  EXPECT_EQ(CountEvents(*log), 2U);
}

TEST_F(RecoveryTest, ALogThatDiedBeforeItsFirstCommitIsNew) {
  Files files;
  {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    ASSERT_OK(log->Close());
  }
  files = ReadFiles(scratch_.Sub("log"));
  files.erase("0000000000.seg");
  // Only what is written before the first segment, by a log that has no evidence yet.
  Manifest manifest;
  std::memcpy(&manifest, files["manifest"].data(), sizeof manifest);
  ASSERT_OK(Evidence::Create(PosixStorage(), scratch_.Sub("log"), manifest.log_id));
  files["evidence"] = ReadWhole(File("evidence"));
  auto log = OpenFiles({{"manifest", files["manifest"]}, {"evidence", files["evidence"]}});
  ASSERT_OK(log.status());
  EXPECT_EQ((*log)->recovery().reason, EpochReason::kCreated);
  log->reset();

  // Before the manifest there is no log, whatever else was begun.
  auto again = OpenFiles({{"evidence", files["evidence"]}, {"manifest.tmp", Bytes(100)}});
  ASSERT_OK(again.status());
  EXPECT_EQ((*again)->recovery().reason, EpochReason::kCreated);
}

// Every length of the last frame that may have reached the disk.
// Before any idle time, in its first segment: nothing but the frames told of what was durable.
TEST_F(RecoveryTest, ALogThatLostItsOnlySegmentIsNotTakenForANewOne) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3);
  ASSERT_EQ(log->SyncWork(), 1);
  log = nullptr;
  LosePower();
  std::filesystem::remove(File("0000000000.seg"));
  std::filesystem::remove(File("0000000001.seg"));
  const absl::Status refused = OpenStatus();
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused.ToString();
}

TEST_F(RecoveryTest, TornLastFrameIsCutAtOpenWhereverItIsTorn) {
  const Files files = CutLog(4, 40);
  const std::size_t frame = last_frame_.value();
  ASSERT_EQ(end_ - last_frame_, 192U);
  for (std::size_t reached = 0; reached < end_ - last_frame_; ++reached) {
    SCOPED_TRACE(reached);
    Files torn = files;
    Bytes& segment = torn["0000000000.seg"];
    const std::vector<std::byte> kept(segment.begin() + static_cast<std::ptrdiff_t>(frame),
                                      segment.begin() + static_cast<std::ptrdiff_t>(end_.value()));
    std::fill(segment.begin() + static_cast<std::ptrdiff_t>(frame + reached), segment.end(),
              std::byte{0});
    const bool is_whole =
        std::equal(kept.begin(), kept.end(), segment.begin() + static_cast<std::ptrdiff_t>(frame));
    auto log = OpenFiles(torn);
    ASSERT_OK(log.status());
    const RecoveryReport& report = (*log)->recovery();
    EXPECT_EQ(CountEvents(**log), is_whole ? 4U : 3U);
    EXPECT_EQ(report.end, is_whole ? end_ : last_frame_);
    // What is cut is kept, byte for byte.
    std::size_t last = reached;
    while (last > 0 && kept[last - 1] == std::byte{0}) --last;
    EXPECT_EQ(report.cut_bytes, is_whole ? 0U : last);
    if (report.cut_bytes > 0) {
      EXPECT_EQ(ReadWhole(report.cut_file),
                Bytes(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(last)));
      ASSERT_FALSE(notices_.empty());
      EXPECT_NE(notices_.back().find(report.cut_file), std::string::npos);
    }
    // And the log goes on behind it.
    AppendEvents(**log, is_whole ? 5 : 4, 6);
    log->reset();
    LosePower();
    auto again = OpenLog();
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(again->recovery().cut_bytes, 0U);
  }
}

TEST_F(RecoveryTest, EveryFlippedBitOfAnUnevidencedFrameCutsIt) {
  const Files files = CutLog(3, 8);
  for (std::size_t bit = last_frame_.value() * 8; bit < end_.value() * 8; bit += 5) {
    SCOPED_TRACE(bit);
    Files flipped = files;
    Flip(flipped["0000000000.seg"], bit);
    auto log = OpenFiles(flipped);
    ASSERT_OK(log.status());
    EXPECT_EQ(CountEvents(**log), 2U);
  }
}

// A frame written before the last one tells that what was before it is durable.
TEST_F(RecoveryTest, EveryFlippedBitBelowTheEvidenceIsRefused) {
  const Files files = CutLog(3, 8);
  for (std::size_t bit = kSegmentHeaderBytes * 8; bit < last_frame_.value() * 8; bit += 7) {
    SCOPED_TRACE(bit);
    Files flipped = files;
    Flip(flipped["0000000000.seg"], bit);
    ExpectRefused(flipped, "0000000000.seg");
  }
}

TEST_F(RecoveryTest, TheRefusalNamesPositionFileOffsetAndTheWayOut) {
  Files files = CutLog(3, 8);
  Flip(files["0000000000.seg"], (kSegmentHeaderBytes + 200) * 8);
  const absl::Status status = OpenFiles(files).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  const std::string text(status.message());
  for (const char* const part : {"position 1", "0000000000.seg", "offset 4288", "pawl repair"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  }
}

TEST_F(RecoveryTest, EvidenceSlotsProtectWhatNoLaterFrameTellsOf) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 3, 8);
  const std::uint64_t end = log->published().value();
  ASSERT_OK(log->Close());
  log = nullptr;
  const Files files = ReadFiles(scratch_.Sub("log"));
  for (std::size_t bit = kSegmentHeaderBytes * 8; bit < end * 8; bit += 11) {
    SCOPED_TRACE(bit);
    Files flipped = files;
    Flip(flipped["0000000000.seg"], bit);
    ExpectRefused(flipped, "0000000000.seg");
  }
}

TEST_F(RecoveryTest, OneDamagedEvidenceSlotIsATornWriteTwoAreDamage) {
  const Files files = CutLog(3);
  for (const std::size_t slot : {std::size_t{0}, std::size_t{1}}) {
    Files damaged = files;
    Flip(damaged["evidence"], slot * kBlockBytes * 8 + 77);
    auto log = OpenFiles(damaged);
    // The only slot ever written must be there.
    const Bytes& evidence = files.at("evidence");
    const std::size_t other = (1 - slot) * kBlockBytes;
    const bool has_other =
        std::any_of(evidence.begin() + static_cast<std::ptrdiff_t>(other),
                    evidence.begin() + static_cast<std::ptrdiff_t>(other + kBlockBytes),
                    [](std::byte byte) { return byte != std::byte{0}; });
    EXPECT_EQ(log.ok(), has_other) << log.status().ToString();
  }
  Files damaged = files;
  Flip(damaged["evidence"], 77);
  Flip(damaged["evidence"], kBlockBytes * 8 + 77);
  ExpectRefused(damaged, "evidence");
  damaged = files;
  damaged.erase("evidence");
  ExpectRefused(damaged, "evidence");
}

TEST_F(RecoveryTest, AFlippedManifestBitIsRefused) {
  const Files files = CutLog(2);
  // Every bit that carries a fact, every byte of the zeros.
  std::vector<std::size_t> bits;
  for (std::size_t bit = 0; bit < 48 * 8; ++bit) bits.push_back(bit);
  for (std::size_t byte = 48; byte < 4092; ++byte) bits.push_back(byte * 8 + byte % 8);
  for (std::size_t bit = 4092 * 8; bit < 4096 * 8; ++bit) bits.push_back(bit);
  for (const std::size_t bit : bits) {
    SCOPED_TRACE(bit);
    Files flipped = files;
    Flip(flipped["manifest"], bit);
    ExpectRefused(flipped, "manifest");
    if (HasFailure()) break;
  }
}

TEST_F(RecoveryTest, ANewerManifestIsRefusedWithBothVersions) {
  Files files = CutLog(2);
  Manifest manifest;
  std::memcpy(&manifest, files["manifest"].data(), sizeof manifest);
  manifest.format_version = kFormatVersion + 1;
  manifest.checksum = BlockChecksum(manifest);
  std::memcpy(files["manifest"].data(), &manifest, sizeof manifest);
  ExpectRefused(files, "format version 2", absl::StatusCode::kFailedPrecondition);
  ExpectRefused(files, "up to 1", absl::StatusCode::kFailedPrecondition);
}

TEST_F(RecoveryTest, SegmentsThatAreMissingForeignOrDamagedAreRefused) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 2000, 100);
  ASSERT_TRUE(DriveToRest(*log));
  log = nullptr;
  LosePower();
  const Files files = ReadFiles(scratch_.Sub("log"));
  const std::string first = "0000000000.seg";
  const std::string second = "0000000001.seg";
  ASSERT_TRUE(files.count("0000000003.seg") == 1);

  Files damaged = files;
  damaged.erase(second);
  ExpectRefused(damaged, second);
  damaged = files;
  damaged.erase(first);
  ExpectRefused(damaged, first);
  damaged = files;
  std::swap(damaged[first], damaged[second]);
  ExpectRefused(damaged, first);
  damaged = files;
  damaged[second] = damaged[first];
  ExpectRefused(damaged, second);
  damaged = files;
  damaged[second].resize(40'000);
  ExpectRefused(damaged, second);
  damaged = files;
  damaged[second].resize(damaged[second].size() + 4096);
  ExpectRefused(damaged, second);
  damaged = files;
  Flip(damaged[second], 8 * 100);  // header
  ExpectRefused(damaged, second);
  damaged = files;
  damaged.erase("manifest");
  ExpectRefused(damaged, "manifest");
  // All later segments gone: the evidence knows.
  damaged = files;
  for (auto it = damaged.begin(); it != damaged.end();) {
    it = it->first.size() == 14 && it->first > second ? damaged.erase(it) : std::next(it);
  }
  ExpectRefused(damaged, "0000000002.seg");
}

// The log opened, what the file lacks are zeros, and then every reader was refused at the segment.
TEST_F(RecoveryTest, ASealedSegmentThatLostOnlyZerosIsMadeWholeAgain) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 600);
  ASSERT_OK(log->Close());
  log = nullptr;
  const std::string path = File("0000000000.seg");
  Bytes bytes = ReadWhole(path);
  while (bytes.back() == std::byte{0}) bytes.pop_back();
  ASSERT_GT(bytes.size(), kSegmentHeaderBytes);
  ASSERT_LT(bytes.size(), kSegmentBytesMin);
  std::filesystem::resize_file(path, bytes.size());
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 600U);
  EXPECT_EQ(std::filesystem::file_size(path), kSegmentBytesMin);
}

TEST_F(RecoveryTest, FramesBehindAHoleAreATornTailToo) {
  // Two frames were under way when the power failed, and only the second reached the disk.
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 2);
  ASSERT_TRUE(Drive(*log));
  const std::uint64_t hole = log->published().value();
  AppendEvents(*log, 3, 3);
  const std::uint64_t behind = log->published().value();
  AppendEvents(*log, 4, 4);
  EXPECT_EQ(log->SyncWork(), 1);
  log = nullptr;
  LosePower();
  Files files = ReadFiles(scratch_.Sub("log"));
  Bytes& segment = files["0000000000.seg"];
  std::fill(segment.begin() + static_cast<std::ptrdiff_t>(hole),
            segment.begin() + static_cast<std::ptrdiff_t>(behind), std::byte{0});
  auto opened = OpenFiles(files);
  ASSERT_OK(opened.status());
  EXPECT_EQ(CountEvents(**opened), 2U);
  EXPECT_EQ((*opened)->recovery().end.value(), hole);
  EXPECT_GT((*opened)->recovery().cut_bytes, behind - hole);
}

TEST_F(RecoveryTest, AFrameOfAnUnknownKindIsLeftToANewerLibrary) {
  Files files = CutLog(3, 8);
  Bytes& segment = files["0000000000.seg"];
  SegmentHeader head;
  std::memcpy(&head, segment.data(), sizeof head);
  FrameHeader frame;
  std::memcpy(&frame, segment.data() + last_frame_.value(), sizeof frame);
  frame.kind = static_cast<FrameKind>(77);
  std::memcpy(segment.data() + last_frame_.value(), &frame, sizeof frame);
  frame.checksum = FrameChecksum(head.salt, segment.data() + last_frame_.value(), frame.length);
  std::memcpy(segment.data() + last_frame_.value(), &frame, sizeof frame);
  ExpectRefused(files, "0000000000.seg", absl::StatusCode::kFailedPrecondition);
}

TEST_F(RecoveryTest, ASecondOpenOfTheSameFilesAddsNothingButItsEpoch) {
  Files files = CutLog(4);
  auto log = OpenFiles(files);
  ASSERT_OK(log.status());
  const Address first_end = (*log)->published();
  log->reset();
  LosePower();
  const Files once = ReadFiles(scratch_.Sub("log"));
  auto again = OpenLog();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->recovery().end, first_end);
  EXPECT_EQ(again->epoch(), Epoch(3));
  again = nullptr;
  const Files twice = ReadFiles(scratch_.Sub("log"));
  const Bytes& before = once.at("0000000000.seg");
  const Bytes& after = twice.at("0000000000.seg");
  EXPECT_TRUE(std::equal(before.begin(),
                         before.begin() + static_cast<std::ptrdiff_t>(first_end.value()),
                         after.begin()));
}

// ---- hot images

TEST_F(RecoveryTest, ADeathOfTheProcessLosesNothingThatWasPublished) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 200, 100);
  const Address published = log->published();
  EXPECT_LT(log->durable(), published);
  log = nullptr;
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_TRUE(log->recovery().used_hot_images);
  EXPECT_EQ(log->recovery().end, published);
  EXPECT_EQ(CountEvents(*log), 200U);
  // And it is in the files now.
  log = nullptr;
  LosePower();
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 200U);
}

TEST_F(RecoveryTest, SeveralUnsyncedSegmentsComeBackFromTheirImages) {
  LogOptions options = Options();
  options.segments_ahead = 6;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  while (log->PrepareWork() > 0) {
  }
  // Nobody syncs.
  std::uint64_t events = 0;
  while (log->writer().CanBeginCommit()) {
    ++events;
    AppendEvents(*log, events, events, 1000);
  }
  EXPECT_EQ(log->published().value() / log->segment_bytes(), 6U);
  EXPECT_LT(log->durable().value(), log->segment_bytes());
  log = nullptr;
  log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), events);
  log = nullptr;
  LosePower();
  log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), events);
}

TEST_F(RecoveryTest, ImagesThatEndBelowThePublishedMarkAreRefused) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 20);
  log = nullptr;
  const std::string image = scratch_.Sub("hot/0000000000.img");
  Bytes bytes = ReadWhole(image);
  Flip(bytes, 8 * 5000);
  WriteWhole(image, bytes);
  const Files files = ReadFiles(scratch_.Sub("log"));
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status.ToString();
  EXPECT_NE(status.message().find("published"), absl::string_view::npos);
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
  // An image that is gone is the same loss.
  std::filesystem::remove(image);
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss);
}

TEST_F(RecoveryTest, ImagesOfAnEarlierEpochAreNotBelieved) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 20);
  ASSERT_TRUE(Drive(*log));
  log = nullptr;
  const Files old_images = ReadFiles(scratch_.Sub("hot"));
  // The log goes on elsewhere.
  LogOptions elsewhere = Options();
  elsewhere.hot_directory = scratch_.Sub("other");
  log = OpenLog(elsewhere);
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 21, 40);
  ASSERT_OK(log->Close());
  log = nullptr;
  WriteFiles(scratch_.Sub("hot"), old_images);
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_FALSE(log->recovery().used_hot_images);
  EXPECT_EQ(CountEvents(*log), 40U);
}

TEST_F(RecoveryTest, AFileThatIsNewerThanItsImageIsRefused) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 5);
  EXPECT_EQ(log->SyncWork(), 1);
  const Files old_images = ReadFiles(scratch_.Sub("hot"));
  // One frame more, of which no evidence tells.
  AppendEvents(*log, 6, 6);
  EXPECT_EQ(log->SyncWork(), 1);
  log = nullptr;
  WriteFiles(scratch_.Sub("hot"), old_images);
  const Files files = ReadFiles(scratch_.Sub("log"));
  const absl::Status status = OpenStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(status.message().find("files hold later frames"), absl::string_view::npos);
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), files);
}

TEST_F(RecoveryTest, TheImagesOfAnotherLogAreNotTouched) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  AppendEvents(*log, 1, 5);
  log = nullptr;
  const Files images = ReadFiles(scratch_.Sub("hot"));
  // A copy of the log, and a new one, in the same hot directory.
  std::filesystem::copy(scratch_.Sub("log"), scratch_.Sub("copy"));
  for (const char* const name : {"copy", "new"}) {
    LogOptions options = Options();
    options.directory = scratch_.Sub(name);
    EXPECT_EQ(OpenStatus(options).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReadFiles(scratch_.Sub("hot")), images);
  }
  log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(CountEvents(*log), 5U);
}

// ---- kill -9

struct Told {
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint64_t> durable;
};

// The victim: appends until it is killed, and tells what it published and what was durable.
[[noreturn]] void AppendUntilKilled(const LogOptions& options, std::uint64_t first, Told* told) {
  absl::StatusOr<std::unique_ptr<Log>> log = Log::Open(options);
  if (!log.ok()) ::_exit(3);
  for (std::uint64_t number = first;; ++number) {
    if (!AppendEvent(**log, number, 100)) ::_exit(4);
    if (number % 3 != 0) continue;
    (*log)->writer().Publish();
    // Release, both: for the parent, which reads after the death.
    told->published.store(number, std::memory_order_release);
    if (number % 30 != 0) continue;
    (*log)->SyncWork();
    (*log)->PrepareWork();
    if ((*log)->durable() == (*log)->published()) {
      told->durable.store(number, std::memory_order_release);
    }
  }
}

TEST_F(RecoveryTest, KillNineLosesNothingThatWasPublished) {
  void* const shared =
      ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  Told* const told = new (shared) Told{};
  const char* const seed_text = ::getenv("PAWL_SEED");
  const unsigned seed = seed_text != nullptr ? static_cast<unsigned>(::atoi(seed_text)) : 1;
  std::printf("PAWL_SEED=%u\n", seed);
  std::mt19937 random(seed);
  std::uint64_t kept = 0;
  for (int cycle = 0; cycle < 40; ++cycle) {
    const std::uint64_t wanted = kept + 3 * (random() % 700);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) AppendUntilKilled(Options(), kept + 1, told);
    // Acquire: pairs with the release of the victim.
    while (told->published.load(std::memory_order_acquire) < wanted &&
           ::waitpid(child, nullptr, WNOHANG) == 0) {
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    const bool with_power = cycle % 4 != 3;
    if (!with_power) LosePower();
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    kept = CountEvents(*log);
    const std::uint64_t least = with_power ? told->published.load(std::memory_order_acquire)
                                           : told->durable.load(std::memory_order_acquire);
    EXPECT_GE(kept, least) << "cycle " << cycle;
    // What a power cut took is published anew by the next victim, from `kept` on.
    told->published.store(kept, std::memory_order_release);
    told->durable.store(kept, std::memory_order_release);
  }
  EXPECT_GT(kept, 1000U);
  ::munmap(shared, sizeof(Told));
}

}  // namespace
}  // namespace pawl::inline v0
