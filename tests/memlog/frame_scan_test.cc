#include "frame_scan.h"

#include <random>

#include "frame_checksum.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

constexpr SegmentGeometry kGeometry{kSegmentBytesMin};
constexpr std::uint32_t kSalt = 0x5A17;

// A segment with one frame of two commits, which tests then spoil and sign again.
class FrameScanTest : public ::testing::Test {
 protected:
  FrameScanTest() : segment_(kSegmentBytesMin) {
    std::byte* at = Frame() + sizeof(FrameHeader);
    for (int commit = 0; commit < 2; ++commit) {
      CommitHeader commit_header{};
      commit_header.bytes = 64;
      commit_header.records = 2;
      commit_header.cause = CommitCause::kCommand;
      std::memcpy(at, &commit_header, sizeof commit_header);
      for (int record = 0; record < 2; ++record) {
        RecordHeader record_header{};
        record_header.units = 3;
        record_header.kind = RecordKind::kEvent;
        std::memcpy(at + 16 + 24 * record, &record_header, sizeof record_header);
      }
      at += 64;
    }
    header_ = FrameHeader{.length = 192,
                          .checksum = 0,
                          .address = kSegmentHeaderBytes,
                          .epoch = 1,
                          .previous_checksum = 0,
                          .durable_address = 0,
                          .first_position = 1,
                          .time_ns = 0,
                          .records = 4,
                          .commits = 2,
                          .kind = FrameKind::kData,
                          .flags = 0,
                          .previous_length = 0,
                          .payload_bytes = 128};
    cursor_.next = Address(kSegmentHeaderBytes);
    Sign();
  }

  std::byte* Frame() { return segment_.data() + kSegmentHeaderBytes; }
  CommitHeader& Commit(int n) {
    return *reinterpret_cast<CommitHeader*>(Frame() + sizeof(FrameHeader) + 64 * n);
  }
  RecordHeader& Record(int commit, int n) {
    return *reinterpret_cast<RecordHeader*>(Frame() + sizeof(FrameHeader) + 64 * commit + 16 +
                                            24 * n);
  }
  SegmentView View() const { return {.bytes = segment_, .index = 0, .salt = kSalt}; }

  // Stores the header with the checksum that belongs to the bytes.
  void Sign() {
    std::memcpy(Frame(), &header_, sizeof header_);
    if (header_.length < sizeof header_ || header_.length > kSegmentBytesMin - 4096) return;
    header_.checksum = FrameChecksum(kSalt, Frame(), header_.length);
    std::memcpy(Frame(), &header_, sizeof header_);
  }
  FrameVerdict Judge() {
    Sign();
    return CheckFrame(View(), kGeometry, cursor_);
  }

  Bytes segment_;
  FrameHeader header_{};
  ScanCursor cursor_;
};

TEST_F(FrameScanTest, AWholeFrameIsValidAndMovesTheCursor) {
  ASSERT_EQ(Judge(), FrameVerdict::kValid);
  EXPECT_EQ(ScanSegment(View(), kGeometry, cursor_), SegmentVerdict::kEnds);
  EXPECT_EQ(cursor_.next, Address(kSegmentHeaderBytes + 192));
  EXPECT_EQ(cursor_.position, Position(4));
  EXPECT_EQ(cursor_.frames, 1U);
}

TEST_F(FrameScanTest, WhatIsNotTheContinuationIsNoFrame) {
  const FrameHeader good = header_;
  const auto expect_invalid = [&](auto&& spoil) {
    header_ = good;
    spoil();
    EXPECT_EQ(Judge(), FrameVerdict::kInvalid);
  };
  expect_invalid([&] { header_.length = 0; });
  expect_invalid([&] { header_.length = 32; });
  expect_invalid([&] { header_.length = 190; });
  expect_invalid([&] { header_.length = 0xFFFFFFC0; });
  expect_invalid([&] { header_.length = kSegmentBytesMin; });
  expect_invalid([&] { header_.address += 64; });
  expect_invalid([&] { header_.previous_checksum = 1; });
  header_ = good;
  cursor_.epoch = Epoch(2);
  EXPECT_EQ(Judge(), FrameVerdict::kInvalid);
  cursor_.epoch = Epoch(1);
  EXPECT_EQ(Judge(), FrameVerdict::kValid);
  cursor_.next = Address(kGeometry.End(0));
  EXPECT_EQ(CheckFrame(View(), kGeometry, cursor_), FrameVerdict::kInvalid);
}

TEST_F(FrameScanTest, AFrameWhoseCommitsContradictItIsMalformed) {
  const FrameHeader good = header_;
  const Bytes good_segment = segment_;
  int cases = 0;
  const auto expect_malformed = [&](auto&& spoil) {
    header_ = good;
    segment_ = good_segment;
    spoil();
    EXPECT_EQ(Judge(), FrameVerdict::kMalformed) << "case " << cases;
    ++cases;
  };
  expect_malformed([&] { header_.first_position = 2; });
  expect_malformed([&] { header_.durable_address = kSegmentHeaderBytes + 64; });
  expect_malformed([&] { header_.previous_length = 64; });
  expect_malformed([&] { header_.records = 5; });
  expect_malformed([&] { header_.commits = 3; });
  expect_malformed([&] { header_.commits = 0; });
  expect_malformed([&] { header_.commits = 257; });
  expect_malformed([&] { header_.payload_bytes = 64; });
  expect_malformed([&] { header_.payload_bytes = 127; });
  expect_malformed([&] { header_.payload_bytes = 0xFFFFFFFF; });
  expect_malformed([&] { header_.kind = FrameKind::kSeal; });
  expect_malformed([&] { Commit(0).bytes = 0; });
  expect_malformed([&] { Commit(0).bytes = 60; });
  expect_malformed([&] { Commit(1).bytes = 128; });
  expect_malformed([&] { Commit(1).bytes = 0xFFFFFFF8; });
  expect_malformed([&] { Commit(0).records = 1; });
  expect_malformed([&] { Commit(0).flags = kCommitHasExtensions; });
  expect_malformed([&] { Record(0, 0).units = 0; });
  expect_malformed([&] { Record(0, 0).units = 2; });
  expect_malformed([&] { Record(0, 1).units = 4; });
  expect_malformed([&] { Record(0, 1).units = 0xFFFF; });
  expect_malformed([&] { Record(0, 0).flags = 7; });
}

TEST_F(FrameScanTest, WhatALaterFormatMayAddIsNotCalledDamage) {
  header_.flags = 1;
  EXPECT_EQ(Judge(), FrameVerdict::kNewer);
  header_.flags = 0;
  for (const int kind : {0, 3, 4, 5, 255}) {
    header_.kind = static_cast<FrameKind>(kind);
    EXPECT_EQ(Judge(), FrameVerdict::kNewer);
  }
}

TEST_F(FrameScanTest, UnknownExtensionBlocksAreSkipped) {
  // The first commit: 16 bytes of header, a block of 24, one record.
  const ExtensionHeader block{.kind = 999, .bytes = 24, .more = 0};
  Commit(0).flags = kCommitHasExtensions;
  Commit(0).records = 1;
  std::memcpy(Frame() + sizeof(FrameHeader) + 16, &block, sizeof block);
  header_.records = 3;
  EXPECT_EQ(Judge(), FrameVerdict::kValid);
  std::uint64_t records = 0;
  ForEachRecord(*reinterpret_cast<const FrameHeader*>(Frame()), [&](const RecordView& record) {
    ++records;
    EXPECT_EQ(record.position, Position(records));
  });
  EXPECT_EQ(records, 3U);
  const ExtensionHeader endless{.kind = 999, .bytes = 24, .more = 1};
  std::memcpy(Frame() + sizeof(FrameHeader) + 16, &endless, sizeof endless);
  EXPECT_EQ(Judge(), FrameVerdict::kMalformed);
}

TEST_F(FrameScanTest, WitnessesAreFoundBehindAHoleAndNotElsewhere) {
  // A frame far behind, whose predecessors are gone.
  constexpr std::uint64_t kPlace = 10 * kFrameAlignBytes * 64;
  FrameHeader late{};
  late.length = 64;
  late.address = kPlace;
  late.epoch = 3;
  late.durable_address = kPlace - 640;
  late.kind = FrameKind::kSeal;
  const auto plant = [&](std::uint64_t place) {
    std::memcpy(segment_.data() + place, &late, sizeof late);
    late.checksum = FrameChecksum(kSalt, segment_.data() + place, late.length);
    std::memcpy(segment_.data() + place, &late, sizeof late);
  };
  const auto find = [&](std::uint32_t epoch_min, std::uint64_t log_end) {
    Witnesses found;
    FindWitnesses(View(), kGeometry, kSegmentHeaderBytes, Epoch(epoch_min), Address(log_end),
                  found);
    return found;
  };
  plant(kPlace);
  EXPECT_EQ(find(1, kSegmentBytesMin).evidence, Address(kPlace - 640));
  EXPECT_EQ(find(1, kSegmentBytesMin).last, Address(kPlace));
  EXPECT_EQ(find(1, kSegmentBytesMin).epoch, Epoch(3));
  // Of an older epoch, or telling of bytes that no file has: no witness.
  EXPECT_EQ(find(4, kSegmentBytesMin).last, Address());
  EXPECT_EQ(find(3, 1000).last, Address());
  // Bytes of a payload that look like a frame of another place.
  late.address = kPlace + 64;
  plant(kPlace);
  EXPECT_EQ(find(2, kSegmentBytesMin).last, Address());
}

TEST_F(FrameScanTest, NoBytesMakeTheScanReadOutsideItsSegment) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes spoiled(512);
    std::memcpy(spoiled.data(), Frame(), spoiled.size());
    const std::size_t at = random() % spoiled.size();
    spoiled[at] = static_cast<std::byte>(random());
    spoiled[random() % spoiled.size()] = static_cast<std::byte>(random());
    // A segment of its own, so that the sanitizer sees its end.
    Bytes segment(kSegmentHeaderBytes + 256);
    std::memcpy(segment.data() + kSegmentHeaderBytes, spoiled.data(), 256);
    FrameHeader header;
    std::memcpy(&header, segment.data() + kSegmentHeaderBytes, sizeof header);
    if (header.length >= 64 && header.length <= 256) {
      header.checksum = FrameChecksum(kSalt, segment.data() + kSegmentHeaderBytes, header.length);
      std::memcpy(segment.data() + kSegmentHeaderBytes, &header, sizeof header);
    }
    ScanCursor cursor;
    cursor.next = Address(kSegmentHeaderBytes);
    const SegmentView view{.bytes = segment, .index = 0, .salt = kSalt};
    static_cast<void>(ScanSegment(view, kGeometry, cursor));
    Witnesses witnesses;
    FindWitnesses(view, kGeometry, 0, Epoch(0), Address(segment.size()), witnesses);
  }
}

}  // namespace
}  // namespace pawl::inline v0
