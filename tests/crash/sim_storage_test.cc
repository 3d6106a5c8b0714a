#include "sim_storage.h"

#include <array>
#include <cstring>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pawl::inline v0 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct alignas(kBlockBytes) Block {
  std::array<std::byte, kBlockBytes> bytes;
};

Block Filled(char with) {
  Block block;
  std::memset(block.bytes.data(), with, kBlockBytes);
  return block;
}

std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string Text(const SimStorage& machine, const std::string& path) {
  const std::vector<std::byte> bytes = machine.Bytes(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class SimStorageTest : public ::testing::Test {
 protected:
  static constexpr char kDirectory[] = "/log";

  SimStorageTest() {
    EXPECT_TRUE(machine_.CreateDirectory(kDirectory).ok());
    EXPECT_TRUE(machine_.SyncDirectory("").ok());
  }

  // A file whose name, size and zeros are durable.
  std::unique_ptr<File> NewDurableFile(const std::string& path, std::uint64_t bytes) {
    auto file = machine_.Open(path, FileMode::kCreate).value();
    EXPECT_TRUE(file->Allocate(bytes).ok());
    EXPECT_TRUE(file->Sync().ok());
    EXPECT_TRUE(machine_.SyncDirectory(kDirectory).ok());
    return machine_.Open(path, FileMode::kDurable).value();
  }

  std::unique_ptr<SimStorage> Cut(CutMode mode, std::uint64_t seed = 1) const {
    RandomCut choices(seed, mode);
    return machine_.Cut(choices, seed);
  }

  SimStorage machine_{SimOptions{}};
};

TEST_F(SimStorageTest, DirectoryWhoseParentWasNotSyncedMayBeLostWithAllInIt) {
  ASSERT_TRUE(machine_.CreateDirectory("/other").ok());
  auto file = machine_.Open("/other/a", FileMode::kCreate).value();
  ASSERT_TRUE(file->WriteAt(0, AsBytes("x"), {}).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(machine_.SyncDirectory("/other").ok());
  EXPECT_EQ(Cut(CutMode::kNone)->List("/other").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Cut(CutMode::kAll)->List("/other").value(), ElementsAre("a"));
}

TEST_F(SimStorageTest, NameOfNewFileIsDurableOnlyAfterItsDirectoryWasSynced) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(file->WriteAt(0, AsBytes("bytes"), {}).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_THAT(Cut(CutMode::kNone)->List(kDirectory).value(), IsEmpty());
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  EXPECT_EQ(Text(*Cut(CutMode::kNone), "/log/a"), "bytes");
}

TEST_F(SimStorageTest, BytesOfFileAreDurableOnlyAfterSync) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  ASSERT_TRUE(file->WriteAt(0, AsBytes("bytes"), {}).ok());
  EXPECT_EQ(Text(*Cut(CutMode::kNone), "/log/a"), "");
  EXPECT_EQ(Text(*Cut(CutMode::kAll), "/log/a"), "bytes");
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Text(*Cut(CutMode::kNone), "/log/a"), "bytes");
}

TEST_F(SimStorageTest, UnsyncedFileComesBackEmptyZeroFilledOrWhole) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  ASSERT_TRUE(file->WriteAt(0, AsBytes("bytes"), {}).ok());
  std::set<std::string> seen;
  EveryCut every;
  do {
    seen.insert(Text(*machine_.Cut(every, 1), "/log/a"));
  } while (every.Next());
  EXPECT_EQ(seen, (std::set<std::string>{"", std::string(5, '\0'), "bytes"}));
}

TEST_F(SimStorageTest, DurableWriteSurvivesEveryCut) {
  auto file = NewDurableFile("/log/a", 4 * kBlockBytes);
  const Block block = Filled('x');
  ASSERT_TRUE(file->WriteAt(kBlockBytes, block.bytes, {}).ok());
  for (std::uint32_t mode = 0; mode < kCutModes; ++mode) {
    const std::string text = Text(*Cut(static_cast<CutMode>(mode)), "/log/a");
    ASSERT_EQ(text.size(), 4 * kBlockBytes);
    EXPECT_EQ(text.substr(kBlockBytes, kBlockBytes), std::string(kBlockBytes, 'x'));
  }
}

TEST_F(SimStorageTest, DurableWriteUnderWayLeavesAnySubsetOfItsSectors) {
  auto file = NewDurableFile("/log/a", kBlockBytes);
  std::set<std::string> seen;
  machine_.set_observer([&](const SimOp&) {
    EveryCut every;
    do {
      seen.insert(Text(*machine_.Cut(every, 1), "/log/a"));
    } while (every.Next());
  });
  const Block block = Filled('x');
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  EXPECT_EQ(seen.size(), 256U);
}

TEST_F(SimStorageTest, SectorThatIsRewrittenWithEqualBytesIsNoChoice) {
  auto file = NewDurableFile("/log/a", kBlockBytes);
  Block block = Filled('x');
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  block.bytes[700] = std::byte{'y'};
  std::set<std::string> seen;
  machine_.set_observer([&](const SimOp&) {
    EveryCut every;
    do {
      seen.insert(Text(*machine_.Cut(every, 1), "/log/a"));
    } while (every.Next());
  });
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  EXPECT_EQ(seen.size(), 2U);
}

TEST_F(SimStorageTest, GarbageStaysOffBytesThatTheWriteLeavesEqual) {
  auto file = NewDurableFile("/log/a", kBlockBytes);
  Block block = Filled('x');
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  std::memset(block.bytes.data() + 100, 'y', 50);
  int garbled = 0;
  machine_.set_observer([&](const SimOp&) {
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
      RandomCut choices(seed, CutMode::kNone, /*with_garbage=*/true);
      const std::string text = Text(*machine_.Cut(choices, seed), "/log/a");
      EXPECT_EQ(text.substr(0, 100), std::string(100, 'x'));
      EXPECT_EQ(text.substr(150), std::string(kBlockBytes - 150, 'x'));
      garbled += text.substr(100, 50) != std::string(50, 'x') ? 1 : 0;
    }
  });
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  EXPECT_GT(garbled, 0);
}

TEST_F(SimStorageTest, SectorHoldsAPrefixOfTheStoresToIt) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(file->WriteAt(0, AsBytes("aa"), {}).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  ASSERT_TRUE(file->WriteAt(0, AsBytes("b"), {}).ok());
  ASSERT_TRUE(file->WriteAt(1, AsBytes("c"), {}).ok());
  std::set<std::string> seen;
  EveryCut every;
  do {
    seen.insert(Text(*machine_.Cut(every, 1), "/log/a"));
  } while (every.Next());
  EXPECT_EQ(seen, (std::set<std::string>{"aa", "ba", "bc"}));
}

TEST_F(SimStorageTest, RenameIsAtomicButMayBeLost) {
  for (const char* name : {"/log/a", "/log/b"}) {
    auto file = machine_.Open(name, FileMode::kCreate).value();
    ASSERT_TRUE(file->WriteAt(0, AsBytes(name), {}).ok());
    ASSERT_TRUE(file->Sync().ok());
  }
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  ASSERT_TRUE(machine_.Rename("/log/a", "/log/b").ok());
  const auto lost = Cut(CutMode::kNone);
  EXPECT_EQ(Text(*lost, "/log/a"), "/log/a");
  EXPECT_EQ(Text(*lost, "/log/b"), "/log/b");
  const auto kept = Cut(CutMode::kAll);
  EXPECT_THAT(kept->List(kDirectory).value(), ElementsAre("b"));
  EXPECT_EQ(Text(*kept, "/log/b"), "/log/a");
}

TEST_F(SimStorageTest, NameOperationsAreLostIndependently) {
  for (const char* name : {"/log/a", "/log/b", "/log/c"}) {
    ASSERT_TRUE(machine_.Open(name, FileMode::kCreate).ok());
  }
  std::set<std::vector<std::string>> seen;
  EveryCut every;
  do {
    seen.insert(machine_.Cut(every, 1)->List(kDirectory).value());
  } while (every.Next());
  EXPECT_EQ(seen.size(), 8U);
}

TEST_F(SimStorageTest, PowerCutTakesMemoryAndChangesTheBootAndAKillDoesNeither) {
  ASSERT_TRUE(machine_.CreateDirectory("/dev/shm/x").ok());
  const auto image = machine_.MapImage("/dev/shm/x/0.img", kBlockBytes).value();
  machine_.StoreBytes(*image, 8, AsBytes("bytes"));
  ASSERT_TRUE(machine_.MapImage("/dev/shm/alone.img", kBlockBytes).ok());
  const auto cut = Cut(CutMode::kAll);
  EXPECT_FALSE(cut->MapImage("/dev/shm/x/0.img", 0).ok());
  EXPECT_FALSE(cut->MapImage("/dev/shm/alone.img", 0).ok());
  EXPECT_TRUE(cut->CreateDirectory("/dev/shm/x").ok());
  EXPECT_NE(cut->ReadBootId().value(), machine_.ReadBootId().value());
  RandomCut choices(1, CutMode::kNone);
  const auto killed = machine_.Kill(choices, 1);
  const auto again = killed->MapImage("/dev/shm/x/0.img", 0).value();
  EXPECT_EQ(std::memcmp(again->data() + 8, "bytes", 5), 0);
  EXPECT_EQ(killed->ReadBootId().value(), machine_.ReadBootId().value());
  // The dead process no longer reaches the new one's image.
  machine_.StoreBytes(*image, 8, AsBytes("other"));
  EXPECT_EQ(std::memcmp(again->data() + 8, "bytes", 5), 0);
}

TEST_F(SimStorageTest, KillKeepsUnsyncedWorkAndALaterCutStillTakesIt) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(file->WriteAt(0, AsBytes("bytes"), {}).ok());
  RandomCut all(1, CutMode::kAll);
  const auto killed = machine_.Kill(all, 1);
  EXPECT_EQ(Text(*killed, "/log/a"), "bytes");
  RandomCut none(1, CutMode::kNone);
  EXPECT_THAT(killed->Cut(none, 1)->List(kDirectory).value(), IsEmpty());
}

TEST_F(SimStorageTest, KillInMidStoreNeverShowsALengthWithoutItsFrame) {
  ASSERT_TRUE(machine_.CreateDirectory("/dev/shm/x").ok());
  const auto image = machine_.MapImage("/dev/shm/x/0.img", kBlockBytes).value();
  const std::string frame(256, 'x');
  int torn = 0;
  int whole = 0;
  machine_.set_observer([&](const SimOp& op) {
    ASSERT_EQ(op.kind, SimOpKind::kStoreFrame);
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      RandomCut choices(seed, CutMode::kCoin);
      const std::string text = Text(*machine_.Kill(choices, seed), "/dev/shm/x/0.img");
      const std::string body = text.substr(512 + 8, 248);
      const bool is_body_whole = body == std::string(248, 'x');
      EXPECT_TRUE(text[512] != 'x' || is_body_whole);
      torn += !is_body_whole && body != std::string(248, '\0') ? 1 : 0;
      whole += text[512] == 'x' ? 1 : 0;
    }
  });
  machine_.StoreFrame(*image, 512, reinterpret_cast<const std::byte*>(frame.data()), 256);
  EXPECT_GT(torn, 0);
  EXPECT_GT(whole, 0);
}

TEST_F(SimStorageTest, FailedSyncLosesBytesThatProgramsStillSee) {
  auto file = NewDurableFile("/log/a", 16 * kBlockBytes);
  auto buffered = machine_.Open("/log/b", FileMode::kCreate).value();
  ASSERT_TRUE(machine_.SyncDirectory(kDirectory).ok());
  const std::string bytes(64 * kSectorBytes, 'x');
  ASSERT_TRUE(buffered->WriteAt(0, AsBytes(bytes), {}).ok());
  machine_.set_fault({.at_disk_op = machine_.disk_ops()});
  EXPECT_EQ(buffered->Sync().code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(Text(machine_, "/log/b"), bytes);
  std::string direct(bytes.size(), '\0');
  auto reader = machine_.Open("/log/b", FileMode::kRead).value();
  ASSERT_TRUE(reader->ReadAt(0, std::as_writable_bytes(std::span(direct))).ok());
  EXPECT_NE(direct, bytes);
  EXPECT_EQ(Text(*Cut(CutMode::kAll), "/log/b"), direct);
  EXPECT_THAT(machine_.violations(), IsEmpty());
  EXPECT_TRUE(buffered->Sync().ok());
  EXPECT_THAT(machine_.violations(), testing::SizeIs(1));
}

TEST_F(SimStorageTest, FailedDurableWriteLeavesPartOfItself) {
  auto file = NewDurableFile("/log/a", 16 * kBlockBytes);
  machine_.set_fault({.at_disk_op = machine_.disk_ops(), .is_sticky = true});
  const Block block = Filled('x');
  EXPECT_EQ(file->WriteAt(0, block.bytes, {}).code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(file->WriteAt(0, block.bytes, {}).code(), absl::StatusCode::kUnknown);
  const std::string text = Text(*Cut(CutMode::kAll), "/log/a").substr(0, kBlockBytes);
  EXPECT_NE(text.find('x'), std::string::npos);
  EXPECT_EQ(machine_.Unlink("/log/a").code(), absl::StatusCode::kUnknown);
}

TEST_F(SimStorageTest, AllocationThatDoesNotFitFailsAndEatsTheDisk) {
  machine_.set_disk_bytes_max(3 * kBlockBytes);
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  EXPECT_EQ(file->Allocate(4 * kBlockBytes).code(), absl::StatusCode::kResourceExhausted);
  auto other = machine_.Open("/log/b", FileMode::kCreate).value();
  EXPECT_EQ(other->Allocate(kBlockBytes).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(machine_.Unlink("/log/a").ok());
  EXPECT_TRUE(other->Allocate(kBlockBytes).ok());
}

TEST_F(SimStorageTest, UnalignedDurableWriteIsRefusedAndNoted) {
  auto file = NewDurableFile("/log/a", 2 * kBlockBytes);
  const Block block = Filled('x');
  EXPECT_FALSE(file->WriteAt(512, block.bytes, {}).ok());
  EXPECT_THAT(machine_.violations(), testing::SizeIs(1));
}

TEST_F(SimStorageTest, StoreIntoAFileThatIsMappedIsNoted) {
  auto file = NewDurableFile("/log/a", kBlockBytes);
  const Block block = Filled('x');
  {
    const auto mapping = machine_.MapFile("/log/a").value();
    ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
    EXPECT_EQ(mapping->data()[0], std::byte{0});
  }
  ASSERT_TRUE(file->WriteAt(0, block.bytes, {}).ok());
  EXPECT_THAT(machine_.violations(), testing::SizeIs(1));
}

TEST_F(SimStorageTest, SecondLockIsRefusedUntilTheFirstEnds) {
  {
    const auto lock = machine_.Lock(kDirectory);
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(machine_.Lock(kDirectory).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_TRUE(Cut(CutMode::kAll)->Lock(kDirectory).ok());
  }
  EXPECT_TRUE(machine_.Lock(kDirectory).ok());
}

TEST_F(SimStorageTest, NothingChangesAfterThePowerIsOff) {
  auto file = NewDurableFile("/log/a", kBlockBytes);
  const Block block = Filled('x');
  machine_.set_observer([&](const SimOp&) { machine_.TurnOff(); });
  EXPECT_FALSE(file->WriteAt(0, block.bytes, {}).ok());
  EXPECT_FALSE(machine_.Unlink("/log/a").ok());
  EXPECT_EQ(Text(*Cut(CutMode::kAll), "/log/a"), std::string(kBlockBytes, '\0'));
}

TEST_F(SimStorageTest, SameSeedGivesSameCut) {
  auto file = machine_.Open("/log/a", FileMode::kCreate).value();
  const std::string bytes(100 * kSectorBytes, 'x');
  ASSERT_TRUE(file->WriteAt(0, AsBytes(bytes), {}).ok());
  std::set<std::string> texts;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_EQ(Text(*Cut(CutMode::kCoin, seed), "/log/a"),
              Text(*Cut(CutMode::kCoin, seed), "/log/a"));
    texts.insert(Text(*Cut(CutMode::kCoin, seed), "/log/a"));
  }
  EXPECT_GT(texts.size(), 3U);
}

TEST_F(SimStorageTest, LyingMachineLosesWhatItCalledDurable) {
  SimOptions options;
  options.lies.durable_write_is_cached = true;
  SimStorage liar(options);
  ASSERT_TRUE(liar.CreateDirectory(kDirectory).ok());
  auto file = liar.Open("/log/a", FileMode::kCreate).value();
  ASSERT_TRUE(file->Allocate(kBlockBytes).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(liar.SyncDirectory(kDirectory).ok());
  ASSERT_TRUE(liar.SyncDirectory("").ok());
  const Block block = Filled('x');
  auto durable = liar.Open("/log/a", FileMode::kDurable).value();
  ASSERT_TRUE(durable->WriteAt(0, block.bytes, {}).ok());
  RandomCut choices(1, CutMode::kNone);
  EXPECT_EQ(Text(*liar.Cut(choices, 1), "/log/a"), std::string(kBlockBytes, '\0'));
}

}  // namespace
}  // namespace pawl::inline v0
