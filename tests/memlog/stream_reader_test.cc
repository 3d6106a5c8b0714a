#include "pawl/stream_reader.h"

#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "../core/test_seed.h"
#include "frame_checksum.h"
#include "index_format.h"
#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

// Streams 1…kStreams: stream n has about one event in n, so that the last ones miss whole segments.
constexpr std::uint32_t kStreams = 400;

struct Mode {
  const char* name;
  bool is_indexed;
  bool is_reopened;

  friend std::ostream& operator<<(std::ostream& out, const Mode& mode) { return out << mode.name; }
};

class StreamReaderTest : public LogTest, public ::testing::WithParamInterface<Mode> {
 protected:
  void SetUp() override {
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    // A few streams have their last events early, others their first ones late.
    while (log_->published().value() < 5 * kSegmentBytesMin) {
      const std::uint64_t half = log_->published().value() / (5 * kSegmentBytesMin / 2);
      ASSERT_NO_FATAL_FAILURE(PublishFrame(half == 0 ? 2 : 1));
    }
    if (GetParam().is_indexed) {
      ASSERT_TRUE(DriveToRest(*log_));
    }
    if (!GetParam().is_reopened) return;
    ASSERT_OK(log_->Close());
    log_ = nullptr;
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
  }

  // Events of streams that are no multiple of `spared`, or of all if it is 1.
  void PublishFrame(std::uint64_t spared) {
    LogWriter& writer = log_->writer();
    for (std::uint64_t commits = 1 + random_() % 4; commits > 0; --commits) {
      for (int rounds = 0; !writer.CanBeginCommit(); ++rounds) {
        ASSERT_LT(rounds, 10'000);
        ASSERT_GT(log_->PrepareWork() + log_->SyncWork(), 0);
      }
      writer.BeginCommit();
      ASSERT_NO_FATAL_FAILURE(AppendEvent(spared));
      ASSERT_NO_FATAL_FAILURE(AppendEvent(spared));
      writer.EndCommit({});
    }
    writer.Publish();
  }

  void AppendEvent(std::uint64_t spared) {
    auto stream = static_cast<std::uint32_t>(1 + random_() % kStreams);
    stream = 1 + static_cast<std::uint32_t>(random_() % stream);
    if (spared > 1 && stream % spared == 0) --stream;
    std::vector<Position>& given = given_[stream];
    const Position position = log_->writer().next_position();
    std::byte* const payload =
        log_->writer().AppendRecord({.type = 1,
                                     .stream = stream,
                                     .version = Version(given.size() + 1),
                                     .back_link = given.empty() ? Position() : given.back()},
                                    40);
    ASSERT_NE(payload, nullptr);
    FillEvent(payload, 40, position.value());
    given.push_back(position);
  }

  // The event is number `number` (from 1) of the stream.
  void ExpectEvent(const RecordView* event, std::uint32_t stream, std::size_t number) {
    ASSERT_NE(event, nullptr) << stream << " " << number;
    EXPECT_EQ(event->position, given_[stream][number - 1]);
    EXPECT_EQ(event->header.stream, stream);
    EXPECT_EQ(event->header.version(), number);
    Bytes expected(40);
    FillEvent(expected.data(), 40, event->position.value());
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), event->payload()));
  }

  std::mt19937_64 random_{SeedOfTest()};
  std::unique_ptr<Log> log_;
  std::map<std::uint32_t, std::vector<Position>> given_;
};

// Somebody set every posting of an index to the event behind it, and made the checksums right.
void ForgePostings(const std::string& path) {
  Bytes bytes = ReadWhole(path);
  SegmentIndexHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  for (std::size_t at = bytes.size() - header.postings * sizeof(IndexPosting); at < bytes.size();
       at += sizeof(IndexPosting)) {
    IndexPosting posting = 0;
    std::memcpy(&posting, bytes.data() + at, sizeof posting);
    posting = static_cast<IndexPosting>((posting + 1) % header.records);
    std::memcpy(bytes.data() + at, &posting, sizeof posting);
  }
  header.body_checksum = Crc32c(0, bytes.data() + sizeof header, bytes.size() - sizeof header);
  header.checksum = BlockChecksum(header);
  std::memcpy(bytes.data(), &header, sizeof header);
  WriteWhole(path, bytes);
}

// It handed out events of other streams.
TEST_P(StreamReaderTest, AForgedIndexShowsNoEventOfAnotherStream) {
  for (const auto& entry : std::filesystem::directory_iterator(scratch_.Sub("log"))) {
    if (entry.path().extension() == ".idx") ForgePostings(entry.path());
  }
  std::size_t refused = 0;
  for (std::uint32_t stream = 1; stream <= kStreams; ++stream) {
    StreamReader reader = log_->NewStreamReader(stream);
    std::size_t number = 0;
    while (const RecordView* const event = reader.NextEvent(log_->published())) {
      EXPECT_EQ(event->header.stream, stream);
      ++number;
    }
    if (reader.status().ok()) {
      EXPECT_EQ(number, given_[stream].size());
      continue;
    }
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss);
    ++refused;
  }
  EXPECT_EQ(refused > 0, GetParam().is_indexed);
}

TEST_P(StreamReaderTest, EveryStreamIsReadForwardAndBackward) {
  const Address limit = log_->published();
  for (std::uint32_t stream = 1; stream <= kStreams + 1; ++stream) {
    const std::size_t count = given_[stream].size();
    StreamReader reader = log_->NewStreamReader(stream);
    EXPECT_EQ(reader.PreviousEvent(), nullptr);
    for (std::size_t number = 1; number <= count; ++number) {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.NextEvent(limit), stream, number));
    }
    EXPECT_EQ(reader.NextEvent(limit), nullptr);
    for (std::size_t number = count; number >= 1; --number) {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), stream, number));
    }
    EXPECT_EQ(reader.PreviousEvent(), nullptr);
    ASSERT_OK(reader.SeekEnd(limit));
    EXPECT_EQ(reader.NextEvent(limit), nullptr);
    for (std::size_t number = count; number >= 1; --number) {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), stream, number));
    }
    ASSERT_OK(reader.status());
  }
}

TEST_P(StreamReaderTest, AReaderFollowsAStreamThatGrowsAndTurnsAnywhere) {
  constexpr std::uint32_t kStream = 3;
  StreamReader reader = log_->NewStreamReader(kStream);
  std::size_t at = 0;
  while (at < given_[kStream].size()) {
    ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.NextEvent(log_->published()), kStream, ++at));
  }
  for (int step = 0; step < 1500; ++step) {
    const std::uint64_t dice = random_() % 4;
    if (dice == 0) {
      ASSERT_NO_FATAL_FAILURE(PublishFrame(1));
    } else if (dice == 1 && at > 0) {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), kStream, at--));
    } else if (at < given_[kStream].size()) {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.NextEvent(log_->published()), kStream, ++at));
    } else {
      EXPECT_EQ(reader.NextEvent(log_->published()), nullptr);
    }
    if (GetParam().is_indexed) {
      ASSERT_TRUE(Drive(*log_));
    }
  }
  EXPECT_GT(log_->published().value(), 6 * kSegmentBytesMin) << "it went over a seam";
}

TEST_P(StreamReaderTest, EveryVersionIsFound) {
  const Address limit = log_->published();
  for (const std::uint32_t stream : {1U, 2U, 7U, 60U, 150U}) {
    const std::size_t count = given_[stream].size();
    StreamReader reader = log_->NewStreamReader(stream);
    for (int step = 0; step < 100; ++step) {
      const std::size_t number = 1 + random_() % (count + 1);
      ASSERT_OK(reader.Seek(Version(number), limit));
      if (number <= count) {
        ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.NextEvent(limit), stream, number));
        ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), stream, number));
      } else {
        EXPECT_EQ(reader.NextEvent(limit), nullptr);
      }
      if (number > 1) {
        ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), stream, number - 1));
      } else {
        EXPECT_EQ(reader.PreviousEvent(), nullptr);
      }
    }
    EXPECT_EQ(reader.Seek(Version(count + 2), limit).code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(reader.Seek(Version(), limit).code(), absl::StatusCode::kInvalidArgument);
  }
  StreamReader none = log_->NewStreamReader(kStreams + 1);
  ASSERT_OK(none.Seek(Version(1), limit));
  EXPECT_EQ(none.Seek(Version(2), limit).code(), absl::StatusCode::kOutOfRange);
}

TEST_P(StreamReaderTest, BehindAnOldMarkNothingIsStoodOn) {
  StreamReader reader = log_->NewStreamReader(1);
  LogReader walker = log_->NewReader();
  std::size_t seen = 0;
  for (int frames = 0; const FrameHeader* const frame = walker.NextFrame(log_->published());
       ++frames) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.stream == 1 && record.header.kind == RecordKind::kEvent) ++seen;
    });
    if (frames % 7 != 0) continue;
    ASSERT_OK(reader.SeekEnd(walker.address()));
    if (seen == 0) {
      ASSERT_EQ(reader.PreviousEvent(), nullptr);
    } else {
      ASSERT_NO_FATAL_FAILURE(ExpectEvent(reader.PreviousEvent(), 1, seen));
    }
    ASSERT_OK(reader.Seek(Version(seen + 1), walker.address()));
    ASSERT_EQ(reader.Seek(Version(seen + 2), walker.address()).code(),
              absl::StatusCode::kOutOfRange);
  }
}

TEST_P(StreamReaderTest, NothingBehindAnOldMarkIsHandedOut) {
  StreamReader reader = log_->NewStreamReader(1);
  LogReader walker = log_->NewReader();
  std::size_t expected = 0;
  while (const FrameHeader* const frame = walker.NextFrame(log_->published())) {
    ForEachRecord(*frame, [&](const RecordView& record) {
      if (record.header.stream == 1 && record.header.kind == RecordKind::kEvent) ++expected;
    });
    std::size_t seen = 0;
    while (reader.NextEvent(walker.address()) != nullptr) ++seen;
    ASSERT_EQ(seen, expected);
    expected = 0;
  }
}

INSTANTIATE_TEST_SUITE_P(Segments, StreamReaderTest,
                         ::testing::Values(Mode{"WithoutIndex", false, false},
                                           Mode{"Indexed", true, false},
                                           Mode{"IndexedAndReopened", true, true}),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace pawl::inline v0
