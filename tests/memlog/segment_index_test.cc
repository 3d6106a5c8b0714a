#include "segment_index.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "content_hash.h"
#include "frame_checksum.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

using ::testing::HasSubstr;

class SegmentIndexTest : public LogTest {
 protected:
  // Five sealed segments with an index, and a tail; closed.
  void MakeLog() {
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    while (log->published().value() < 5 * kSegmentBytesMin) {
      ASSERT_TRUE(AppendEvent(*log, ++events_, 200));
      log->writer().Publish();
      ASSERT_TRUE(Drive(*log));
    }
    ASSERT_TRUE(DriveToRest(*log));
    ASSERT_OK(log->Close());
    for (std::uint64_t index = 0; index < kSealed; ++index) {
      ASSERT_TRUE(std::filesystem::exists(File(IndexName(index)))) << index;
    }
    ASSERT_FALSE(std::filesystem::exists(File(IndexName(kSealed))));
  }

  // What Open() makes of the log: all events are there; returns how many indexes it believed.
  std::uint64_t Reopen() {
    auto log = OpenLog();
    if (log == nullptr) return 0;
    EXPECT_EQ(CountEvents(*log), events_);
    EXPECT_EQ(log->recovery().cut_bytes, 0U);
    const std::uint64_t indexed = log->recovery().segments_indexed;
    EXPECT_TRUE(DriveToRest(*log));
    EXPECT_TRUE(log->Close().ok());
    return indexed;
  }

  void Flip(const std::string& name, std::size_t offset, unsigned bit = 0) {
    Bytes bytes = ReadWhole(File(name));
    ASSERT_LT(offset, bytes.size());
    bytes[offset] ^= static_cast<std::byte>(1U << bit);
    WriteWhole(File(name), bytes);
  }

  SegmentHeader HeaderOf(std::uint64_t index) {
    SegmentHeader header;
    std::memcpy(&header, ReadWhole(File(SegmentName(index))).data(), sizeof header);
    return header;
  }

  static constexpr std::uint64_t kSealed = 5;
  std::uint64_t events_ = 0;
};

TEST_F(SegmentIndexTest, OpenReadsTheTailOnlyAndTheLogIsAllThere) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().segments_indexed, kSealed);
  EXPECT_EQ(log->recovery().reason, EpochReason::kReopened);
  EXPECT_LT(log->recovery().frames_scanned, events_ / kSealed);
  EXPECT_EQ(CountEvents(*log), events_);
}

TEST_F(SegmentIndexTest, AnIndexThatCannotBeBelievedIsNoneAndIsMadeAgain) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const Bytes good = ReadWhole(File(IndexName(2)));
  // All of the header that means something, and its checksum; a body is looked at by searches.
  for (std::size_t offset = 0; offset < sizeof(SegmentIndexHeader);
       offset += offset < 184 ? 1 : 97) {
    ASSERT_NO_FATAL_FAILURE(Flip(IndexName(2), offset, offset % 8));
    ASSERT_EQ(Reopen(), 2U) << offset;
    const Bytes again = ReadWhole(File(IndexName(2)));
    ASSERT_EQ(again, good) << offset;
    if (HasFailure()) return;
    if (offset > 184 && offset + 97 >= sizeof(SegmentIndexHeader)) break;
  }
  WriteWhole(File(IndexName(2)), Bytes(good.begin(), good.begin() + 100));
  EXPECT_EQ(Reopen(), 2U);
  std::filesystem::remove(File(IndexName(0)));
  EXPECT_EQ(Reopen(), 0U);
  EXPECT_GE(Reopen(), kSealed);
}

TEST_F(SegmentIndexTest, TheIndexOfAnotherSegmentOrLogIsNotBelieved) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  std::filesystem::copy_file(File(IndexName(1)), File(IndexName(3)),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Reopen(), 3U);
}

// Whoever changes content and index of a segment still meets the chain.
TEST_F(SegmentIndexTest, AChainThatDoesNotFollowIsNotBelieved) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  Bytes bytes = ReadWhole(File(IndexName(2)));
  SegmentIndexHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.content_hash[0] ^= 1;
  header.checksum = BlockChecksum(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  WriteWhole(File(IndexName(2)), bytes);
  EXPECT_EQ(Reopen(), 2U);
}

TEST_F(SegmentIndexTest, EveryFlippedBitOfABodyIsFound) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const SegmentHeader segment = HeaderOf(1);
  Bytes bytes = ReadWhole(File(IndexName(1)));
  ASSERT_TRUE(SegmentIndex::Parse(bytes, "x", segment).ok());
  for (std::size_t offset = sizeof(SegmentIndexHeader); offset < bytes.size(); ++offset) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[offset] ^= static_cast<std::byte>(1U << bit);
      EXPECT_EQ(SegmentIndex::Parse(bytes, "x", segment).status().code(),
                absl::StatusCode::kDataLoss);
      bytes[offset] ^= static_cast<std::byte>(1U << bit);
    }
  }
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(SegmentIndex::Parse(bytes, "x", segment).ok());
}

// Tables whose checksum is right may lie all the same: what is searched stays within them.
TEST_F(SegmentIndexTest, TablesThatContradictThemselvesAreRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const SegmentHeader segment = HeaderOf(1);
  const Bytes good = ReadWhole(File(IndexName(1)));
  SegmentIndexHeader header;
  std::memcpy(&header, good.data(), sizeof header);
  const std::size_t streams =
      sizeof header + header.places * sizeof(IndexPlace) + header.types * sizeof(IndexType);
  const std::size_t postings = good.size() - header.postings * sizeof(IndexPosting);
  const struct {
    const char* what;
    std::size_t offset;
    std::uint32_t value;
  } lies[] = {{"place before the frames", sizeof header + offsetof(IndexPlace, offset64), 1},
              {"place behind the segment", sizeof header + offsetof(IndexPlace, offset64), ~0U},
              {"position of a place", sizeof header + offsetof(IndexPlace, position), ~0U},
              {"stream 0", streams, 0},
              {"postings beyond the table", streams + 4, ~0U},
              {"posting beyond the segment", postings, ~0U}};
  for (const auto& lie : lies) {
    Bytes bytes = good;
    std::memcpy(bytes.data() + lie.offset, &lie.value, sizeof lie.value);
    SegmentIndexHeader changed = header;
    changed.body_checksum = Crc32c(0, bytes.data() + sizeof header, bytes.size() - sizeof header);
    changed.checksum = BlockChecksum(changed);
    std::memcpy(bytes.data(), &changed, sizeof changed);
    const absl::Status parsed = SegmentIndex::Parse(bytes, "x", segment).status();
    EXPECT_THAT(std::string(parsed.message()), HasSubstr("contradicts itself")) << lie.what;
  }
}

// Open() does not read what has an index; a reader that comes there does, and says what it found.
TEST_F(SegmentIndexTest, AFlippedBitOfAnIndexedSegmentIsFoundByWhoReadsIt) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const Bytes good = ReadWhole(File(SegmentName(1)));
  for (std::size_t offset = kSegmentHeaderBytes; offset < 60'000; offset += 997) {
    ASSERT_NO_FATAL_FAILURE(Flip(SegmentName(1), offset, offset % 8));
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    LogReader reader = log->NewReader();
    while (reader.NextFrame(log->published()) != nullptr) {
    }
    ASSERT_EQ(reader.status().code(), absl::StatusCode::kDataLoss) << offset;
    EXPECT_LE(reader.address().value(), kSegmentBytesMin + offset);
    ASSERT_OK(log->Close());
    WriteWhole(File(SegmentName(1)), good);
  }
}

// A frame whose checksum is right may lie about the one before: backward, too, nothing outside of
// the segment is looked at.
TEST_F(SegmentIndexTest, AFrameThatLiesAboutTheOneBeforeEndsTheReader) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const Bytes good = ReadWhole(File(SegmentName(1)));
  const SegmentHeader segment = HeaderOf(1);
  FrameHeader first;
  std::memcpy(&first, good.data() + kSegmentHeaderBytes, sizeof first);
  const std::size_t second = kSegmentHeaderBytes + first.length;
  for (const std::uint32_t lie : {1U, 8U, 63U, first.length - 64, first.length - 8,
                                  first.length + 64, 0x10000U, 0xFFFFFFC0U, 0xFFFFFFFFU}) {
    Bytes bytes = good;
    FrameHeader frame;
    std::memcpy(&frame, bytes.data() + second, sizeof frame);
    frame.previous_length = lie;
    std::memcpy(bytes.data() + second, &frame, sizeof frame);
    frame.checksum = FrameChecksum(segment.salt, bytes.data() + second, frame.length);
    std::memcpy(bytes.data() + second, &frame, sizeof frame);
    WriteWhole(File(SegmentName(1)), bytes);
    auto log = OpenLog();
    ASSERT_NE(log, nullptr);
    LogReader reader = log->NewReader();
    ASSERT_OK(reader.Seek(Position(frame.first_position + frame.records), log->published()));
    const FrameHeader* before = reader.PreviousFrame();
    ASSERT_NE(before, nullptr);
    ASSERT_EQ(before->address, frame.address);
    EXPECT_EQ(reader.PreviousFrame(), nullptr) << lie;
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss) << lie;
    ASSERT_OK(log->Close());
  }
}

TEST_F(SegmentIndexTest, ASegmentThatIsDamagedWhenItIsIndexedIsToldAndGetsNone) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  // Only what must be done is done: nothing is indexed before the file is damaged.
  while (log->published().value() < 2 * kSegmentBytesMin) {
    ASSERT_TRUE(AppendEvent(*log, ++events_, 200));
    log->writer().Publish();
    while (log->SyncWork() > 0) {
    }
  }
  ASSERT_NO_FATAL_FAILURE(Flip(SegmentName(0), 20'000));
  static_cast<void>(DriveToRest(*log));
  EXPECT_EQ(log->health(), LogHealth::kOpen);
  EXPECT_FALSE(std::filesystem::exists(File(IndexName(0))));
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], ::testing::AllOf(HasSubstr("0000000000.seg"), HasSubstr("offset")));
}

// The background check after Open(), as fast as it can.
LogOptions Scrubbing(LogOptions options) {
  options.scrub_bytes_per_second = std::uint64_t{1} << 50;
  return options;
}

TEST_F(SegmentIndexTest, TheScrubFindsWhatOpenDidNotRead) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  const Bytes good = ReadWhole(File(SegmentName(3)));
  for (std::size_t offset = kSegmentHeaderBytes + 1; offset < 60'000; offset += 4999) {
    notices_.clear();
    ASSERT_NO_FATAL_FAILURE(Flip(SegmentName(3), offset, offset % 8));
    auto log = OpenLog(Scrubbing(Options()));
    ASSERT_NE(log, nullptr);
    ASSERT_TRUE(DriveToRest(*log));
    EXPECT_EQ(log->health(), LogHealth::kOpen);
    ASSERT_EQ(notices_.size(), 1U) << offset;
    EXPECT_THAT(notices_[0], ::testing::AllOf(HasSubstr("0000000003.seg"), HasSubstr("offset")));
    ASSERT_OK(log->Close());
    WriteWhole(File(SegmentName(3)), good);
  }
  notices_.clear();
  auto log = OpenLog(Scrubbing(Options()));
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(DriveToRest(*log));
  EXPECT_LT(log->prepare_delay_ns(), 0) << "once, then nobody is woken for it";
  EXPECT_TRUE(notices_.empty());
}

// Frames that were exchanged as a whole, chain and all, are not those that were indexed.
TEST_F(SegmentIndexTest, TheScrubComparesContentWithTheIndex) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  Bytes bytes = ReadWhole(File(IndexName(kSealed - 1)));
  Bytes before = ReadWhole(File(IndexName(kSealed - 2)));
  SegmentIndexHeader header;
  SegmentIndexHeader header_before;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memcpy(&header_before, before.data(), sizeof header_before);
  header.content_hash[1] ^= 1;
  header.chain_hash = ChainHash(header_before.chain_hash, header.content_hash);
  header.checksum = BlockChecksum(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  WriteWhole(File(IndexName(kSealed - 1)), bytes);
  auto log = OpenLog(Scrubbing(Options()));
  ASSERT_NE(log, nullptr);
  EXPECT_EQ(log->recovery().segments_indexed, kSealed);
  ASSERT_TRUE(DriveToRest(*log));
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("0000000004.seg"));
}

// The cap: between two steps passes the time that their bytes take.
TEST_F(SegmentIndexTest, TheScrubWaitsBetweenItsSteps) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  LogOptions options = Options();
  options.scrub_bytes_per_second = 1024;
  auto log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(Drive(*log));
  // One step was made; the next one is due in 512 s.
  EXPECT_GT(log->prepare_delay_ns(), 400'000'000'000);
  options.scrub_bytes_per_second = 0;
  ASSERT_OK(log->Close());
  log = nullptr;
  log = OpenLog(options);
  ASSERT_NE(log, nullptr);
  ASSERT_TRUE(Drive(*log));
  EXPECT_LT(log->prepare_delay_ns(), 0);
}

TEST_F(SegmentIndexTest, DraftsOfIndexesAreRemovedAtOpen) {
  ASSERT_NO_FATAL_FAILURE(MakeLog());
  WriteWhole(File(IndexName(3) + ".tmp"), Bytes(77));
  EXPECT_EQ(Reopen(), kSealed);
  EXPECT_FALSE(std::filesystem::exists(File(IndexName(3) + ".tmp")));
}

}  // namespace
}  // namespace pawl::inline v0
