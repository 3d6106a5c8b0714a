#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../core/test_seed.h"
#include "log_fixture.h"
#include "segment_index.h"

namespace pawl::inline v0 {
namespace {

// What the log was given, one row per frame.
struct GivenFrame {
  std::uint64_t first_position = 0;
  std::uint64_t records = 0;
  std::uint64_t time_ns = 0;
};

// How far the sealed segments are indexed when they are read.
enum class Indexed { kNone, kAll, kAllAndReopened, kDamagedAndReopened };

class LogSeekTest : public LogTest, public ::testing::WithParamInterface<Indexed> {
 protected:
  void SetUp() override {
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    frames_.push_back({.first_position = 1, .records = 1, .time_ns = log_->recovery().time_ns});
    std::mt19937_64 random(seed_);
    time_ns_ = log_->recovery().time_ns;
    while (log_->published().value() < 6 * kSegmentBytesMin) {
      ASSERT_NO_FATAL_FAILURE(PublishFrame(random));
    }
    switch (GetParam()) {
      case Indexed::kNone: break;
      case Indexed::kAll: ASSERT_TRUE(DriveToRest(*log_)); break;
      case Indexed::kAllAndReopened: ASSERT_NO_FATAL_FAILURE(Reopen()); break;
      case Indexed::kDamagedAndReopened:
        ASSERT_TRUE(DriveToRest(*log_));
        DamageBody(File("0000000002.idx"));
        ASSERT_NO_FATAL_FAILURE(Reopen());
        break;
    }
    // Without an index a reader walks; with one it starts in the middle. Both are to be met.
    EXPECT_EQ(std::filesystem::exists(File("0000000004.idx")), GetParam() != Indexed::kNone);
  }

  // 1…5 commits of 1…3 events of up to 700 bytes; the clock moves in steps of 0…2.
  void PublishFrame(std::mt19937_64& random) {
    time_ns_ += random() % 3;
    log_->writer().SetTime(time_ns_);
    GivenFrame frame{.first_position = log_->writer().next_position().value(),
                     .records = 0,
                     .time_ns = time_ns_};
    for (std::uint64_t commits = 1 + random() % 5; commits > 0; --commits) {
      for (int rounds = 0; !log_->writer().CanBeginCommit(); ++rounds) {
        // Not Log::PrepareWork(), which would index as soon as nothing else is to be done.
        ASSERT_LT(rounds, 10'000);
        ASSERT_GT(log_->PrepareWork() + log_->SyncWork(), 0);
      }
      log_->writer().BeginCommit();
      for (std::uint64_t records = 1 + random() % 3; records > 0; --records) {
        const auto bytes = static_cast<std::uint32_t>(random() % 700);
        std::byte* const payload = log_->writer().AppendRecord({.type = 1, .stream = 1}, bytes);
        ASSERT_NE(payload, nullptr);
        FillEvent(payload, bytes, 1);
        ++frame.records;
      }
      log_->writer().EndCommit({});
    }
    log_->writer().Publish();
    frames_.push_back(frame);
  }

  void Reopen() {
    ASSERT_TRUE(DriveToRest(*log_));
    ASSERT_OK(log_->Close());
    log_ = nullptr;
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    EXPECT_GE(log_->recovery().segments_indexed, 4U);
    frames_.push_back({.first_position = log_->recovery().last_position.value() + 1,
                       .records = 1,
                       .time_ns = log_->recovery().time_ns});
  }

  static void DamageBody(const std::string& path) {
    Bytes bytes = ReadWhole(path);
    bytes.back() ^= std::byte{1};
    WriteWhole(path, bytes);
  }

  void ExpectNext(LogReader& reader, std::size_t frame) {
    const FrameHeader* const next = reader.NextFrame(log_->published());
    if (frame == frames_.size()) {
      EXPECT_EQ(next, nullptr);
      return;
    }
    ASSERT_NE(next, nullptr) << reader.status().ToString();
    EXPECT_EQ(next->first_position, frames_[frame].first_position);
    EXPECT_EQ(next->records, frames_[frame].records);
  }
  void ExpectPrevious(LogReader& reader, std::size_t behind) {
    const FrameHeader* const previous = reader.PreviousFrame();
    if (behind == 0) {
      EXPECT_EQ(previous, nullptr);
      return;
    }
    ASSERT_NE(previous, nullptr) << behind << " " << reader.status().ToString();
    EXPECT_EQ(previous->first_position, frames_[behind - 1].first_position);
  }

  const std::uint64_t seed_ = SeedOfTest();
  std::unique_ptr<Log> log_;
  std::vector<GivenFrame> frames_;
  std::uint64_t time_ns_ = 0;
};

TEST_P(LogSeekTest, EveryPositionIsFoundAndReadOnFromInBothDirections) {
  LogReader reader = log_->NewReader();
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    for (std::uint64_t k = 0; k < frames_[i].records; ++k) {
      const Position position(frames_[i].first_position + k);
      ASSERT_OK(reader.Seek(position, log_->published()));
      ASSERT_NO_FATAL_FAILURE(ExpectNext(reader, i)) << position.value();
      ASSERT_OK(reader.Seek(position, log_->published()));
      ASSERT_NO_FATAL_FAILURE(ExpectPrevious(reader, i)) << position.value();
    }
  }
}

TEST_P(LogSeekTest, EveryTimeIsFound) {
  LogReader reader = log_->NewReader();
  for (std::uint64_t time = frames_[0].time_ns; time <= frames_.back().time_ns + 1; ++time) {
    std::size_t expected = 0;
    while (expected < frames_.size() && frames_[expected].time_ns < time) ++expected;
    ASSERT_OK(reader.SeekTime(time, log_->published()));
    ASSERT_NO_FATAL_FAILURE(ExpectNext(reader, expected)) << time;
    ASSERT_OK(reader.SeekTime(time, log_->published()));
    ASSERT_NO_FATAL_FAILURE(ExpectPrevious(reader, expected)) << time;
    // A reopened log's clock goes on from the wall, far behind the times given here.
    if (time > time_ns_ + 2) break;
  }
  ASSERT_OK(reader.SeekTime(0, log_->published()));
  ASSERT_NO_FATAL_FAILURE(ExpectNext(reader, 0));
}

TEST_P(LogSeekTest, TheWholeLogIsReadBackwardFromItsEnd) {
  LogReader reader = log_->NewReader();
  ASSERT_OK(reader.SeekEnd(log_->published()));
  EXPECT_EQ(reader.NextFrame(log_->published()), nullptr);
  for (std::size_t behind = frames_.size();; --behind) {
    ASSERT_NO_FATAL_FAILURE(ExpectPrevious(reader, behind));
    if (behind == 0) break;
  }
  ASSERT_OK(reader.status());
  for (std::size_t i = 0; i <= frames_.size(); ++i) {
    ASSERT_NO_FATAL_FAILURE(ExpectNext(reader, i));
  }
}

TEST_P(LogSeekTest, StepsForwardAndBackwardMeetTheSameFrames) {
  std::mt19937_64 random(seed_ + 1);
  LogReader reader = log_->NewReader();
  std::size_t at = 0;
  for (int step = 0; step < 3000; ++step) {
    // Runs of steps in one direction cross segments often.
    const bool is_forward = random() % 2 == 0;
    for (std::uint64_t run = random() % 40; run > 0; --run) {
      if (is_forward && at < frames_.size()) {
        ASSERT_NO_FATAL_FAILURE(ExpectNext(reader, at++));
      } else if (!is_forward && at > 0) {
        ASSERT_NO_FATAL_FAILURE(ExpectPrevious(reader, at--));
      }
    }
  }
}

TEST_P(LogSeekTest, WhatIsNotThereYetIsToldAndWaitedFor) {
  LogReader reader = log_->NewReader();
  const Position next = log_->writer().next_position();
  ASSERT_OK(reader.Seek(next, log_->published()));
  EXPECT_EQ(reader.NextFrame(log_->published()), nullptr);
  ASSERT_TRUE(AppendEvent(*log_, 1));
  log_->writer().Publish();
  const FrameHeader* const frame = reader.NextFrame(log_->published());
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->first_position, next.value());
  const absl::Status beyond = reader.Seek(next.Plus(2), log_->published());
  EXPECT_EQ(beyond.code(), absl::StatusCode::kOutOfRange) << beyond.ToString();
  EXPECT_EQ(reader.Seek(Position(), log_->published()).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_OK(reader.Seek(Position(1), log_->published()));
}

INSTANTIATE_TEST_SUITE_P(Segments, LogSeekTest,
                         ::testing::Values(Indexed::kNone, Indexed::kAll, Indexed::kAllAndReopened,
                                           Indexed::kDamagedAndReopened),
                         [](const auto& param) {
                           switch (param.param) {
                             case Indexed::kNone: return "WithoutIndex";
                             case Indexed::kAll: return "Indexed";
                             case Indexed::kAllAndReopened: return "IndexedAndReopened";
                             case Indexed::kDamagedAndReopened: return "OneIndexDamaged";
                           }
                           return "";
                         });

}  // namespace
}  // namespace pawl::inline v0
