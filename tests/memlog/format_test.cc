#include "pawl/format.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "forwarding_storage.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

// The budget: at most 112 bytes of log per 64-byte event under load.
constexpr double kLogBytesPerEventMax = 112.0;

TEST(FormatTest, TheStructsKeepTheByteBudget) {
  constexpr std::size_t kEvent = sizeof(CommitHeader) + sizeof(RecordHeader) + 64;
  constexpr std::size_t kFrame = sizeof(FrameHeader) + kFrameCommitsMax * kEvent;
  static_assert(kFrame <= kFrameBytesMax);
  constexpr std::size_t kAligned =
      (kFrame + kFrameAlignBytes - 1) / kFrameAlignBytes * kFrameAlignBytes;
  EXPECT_LE(static_cast<double>(kAligned) / kFrameCommitsMax, kLogBytesPerEventMax);
}

using FormatLogTest = LogTest;

TEST_F(FormatLogTest, ARealLogUnderLoadKeepsTheByteBudget) {
  LogOptions options = Options();
  options.segment_bytes = std::uint64_t{1} << 20;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  const Address before = log->published();
  constexpr std::uint64_t kEvents = 100 * kFrameCommitsMax;
  for (std::uint64_t number = 1; number <= kEvents; ++number) {
    ASSERT_TRUE(AppendEvent(*log, number, 64));
  }
  EXPECT_FALSE(log->writer().has_staged());
  EXPECT_LE(static_cast<double>(log->published() - before) / kEvents, kLogBytesPerEventMax);
  EXPECT_EQ(CountEvents(*log), kEvents);
}

std::string HexDump(const Bytes& bytes, std::size_t first, std::size_t last) {
  std::string text;
  for (std::size_t at = first; at < last; at += 16) {
    char part[64];
    std::snprintf(part, sizeof part, "%06zx ", at);
    text += part;
    for (std::size_t i = at; i < at + 16; ++i) {
      std::snprintf(part, sizeof part, "%s%02x", i % 4 == 0 ? " " : "",
                    static_cast<unsigned>(bytes[i]));
      text += part;
    }
    text += "\n";
  }
  return text;
}

// A storage that gives every log the same bytes.
class ExampleStorage final : public ForwardingStorage {
 public:
  absl::StatusOr<BootId> ReadBootId() override {
    BootId id{};
    for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::uint8_t>(0xB0 + i);
    return id;
  }
  std::uint64_t Random() override { return next_random_ += 0x0101010101010101; }
  std::uint64_t WallClockNs() override { return 1'340'286'600'000'000'000; }

 private:
  std::uint64_t next_random_ = 0;
};

class FormatExampleTest : public LogTest {
 protected:
  // The example of FORMAT.md: an epoch, then a commit of two records, then a clean stop.
  void WriteExample() {
    ExampleStorage storage;
    LogOptions options = Options();
    options.storage = &storage;
    auto log = OpenLog(options);
    ASSERT_NE(log, nullptr);
    LogWriter& writer = log->writer();
    writer.BeginCommit();
    const StreamBound bound{.key_high = 0x1111, .key_low = 0x2222};
    std::byte* payload = writer.AppendRecord(
        {.kind = RecordKind::kStreamBound, .type = 1, .stream = 1}, sizeof bound);
    ASSERT_NE(payload, nullptr);
    std::memcpy(payload, &bound, sizeof bound);
    payload = writer.AppendRecord(
        {.flags = kRecordOwnStream, .type = 2, .stream = 1, .version = Version(1)}, 5);
    ASSERT_NE(payload, nullptr);
    std::memcpy(payload, "hello", 5);
    writer.EndCommit({.session = 1, .sequence = Sequence(7)});
    writer.Publish();
    ASSERT_OK(log->Close());
  }
};

TEST_F(FormatExampleTest, TheWorkedExampleOfTheFormatPageIsARealLog) {
  WriteExample();
  const Bytes segment = ReadWhole(File("0000000000.seg"));
  const Bytes manifest = ReadWhole(File("manifest"));
  const Bytes evidence = ReadWhole(File("evidence"));
  const std::string dumps[] = {
      HexDump(manifest, 0, 48),      HexDump(manifest, 4080, 4096), HexDump(segment, 0, 64),
      HexDump(segment, 4080, 4096),  HexDump(segment, 4096, 4480),  HexDump(evidence, 0, 48),
      HexDump(evidence, 4096, 4144),
  };
  std::ifstream in(PAWL_FORMAT_PAGE);
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (const std::string& dump : dumps) {
    EXPECT_NE(page.find(dump), std::string::npos)
        << "FORMAT.md does not show these bytes of the log:\n"
        << dump;
  }
}

TEST_F(FormatExampleTest, TheSameStorageGivesTheSameBytes) {
  WriteExample();
  const auto first = ReadFiles(scratch_.Sub("log"));
  std::filesystem::remove_all(scratch_.Sub("log"));
  WriteExample();
  EXPECT_EQ(ReadFiles(scratch_.Sub("log")), first);
}

}  // namespace
}  // namespace pawl::inline v0
