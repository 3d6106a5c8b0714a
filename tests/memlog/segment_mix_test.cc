// Segment files that are missing, swapped, copied over each other, of another log, of a copy of the
// log that went on by itself, or older than the rest: Open refuses with DATA_LOSS, or what it opens
// is a part of the log from its beginning that holds everything known to be durable. Nothing else
// is ever read.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <numeric>

#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

constexpr std::size_t kSegments = 6;
constexpr std::uint32_t kEventBytes = 1000;

// What stands where segment i should be.
enum Source : std::size_t {
  kFirst = 0,  // 0…5: that segment of this log
  kMissing = kSegments,
  kOtherLog,  // segment i of another log
  kFork,      // segment i of a copy of this log that was written by itself
  kOlder,     // segment i as it was before its second half was written
  kSources,
};
using Mix = std::array<std::size_t, kSegments>;

enum class Indexes { kNone, kStay, kTravel };  // those of the names, or those of the files

constexpr Mix kOwn = {0, 1, 2, 3, 4, 5};

std::string NameOf(std::size_t index, const char* extension) {
  return "000000000" + std::to_string(index) + extension;
}

class SegmentMixTest : public LogTest {
 protected:
  void SetUp() override {
    WriteLog("own", 0);
    WriteLog("other", 0);
    ForkLog();
    for (std::size_t i = 0; i < kSegments; ++i) MakeOlder(i);
    evidence_ = ReadWhole(scratch_.Sub("own/evidence"));
  }

  LogOptions At(const std::string& name) const {
    return {.directory = scratch_.Sub(name),
            .hot_directory = scratch_.Sub(name + ".hot"),
            .segment_bytes = kSegmentBytesMin};
  }

  // Appends events until the log reaches into its last segment; then the power fails. The last
  // segment has no evidence but its own frames; the one before has that of its end.
  void WriteLog(const std::string& name, std::uint64_t offset) {
    auto log = OpenLog(At(name));
    ASSERT_NE(log, nullptr);
    std::uint64_t number = CountFrames(*log);
    while (log->published().value() < (kSegments - 1) * kSegmentBytesMin + 30'000) {
      ++number;
      ASSERT_TRUE(AppendEvent(*log, number + offset, kEventBytes));
      log->writer().Publish();
      if (name == "own") ends_.push_back(log->published().value());
      // Indexes too, as soon as a segment is durable.
      const bool is_time = log->published().value() % kSegmentBytesMin > 20'000;
      ASSERT_TRUE(!is_time || Drive(*log));
      if (name == "own" && number == kForkAt) CopyForFork();
    }
    ASSERT_TRUE(Drive(*log));
    log = nullptr;
    std::filesystem::remove_all(scratch_.Sub(name + ".hot"));
  }
  static std::uint64_t CountFrames(const Log& log) {
    std::uint64_t events = 0;
    LogReader reader = log.NewReader();
    while (const FrameHeader* const frame = reader.NextFrame(log.published())) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        events += record.header.kind == RecordKind::kEvent ? 1U : 0U;
      });
    }
    return events;
  }
  void CopyForFork() {
    std::filesystem::copy(scratch_.Sub("own"), scratch_.Sub("fork"),
                          std::filesystem::copy_options::recursive);
    ASSERT_EQ(::chmod(scratch_.Sub("fork").c_str(), 0700), 0);
  }
  // The copy is opened as after a power cut, and goes on with other events.
  void ForkLog() { WriteLog("fork", kForkNumbers); }

  void MakeOlder(std::size_t index) {
    Bytes bytes = ReadWhole(scratch_.Sub("own/" + NameOf(index, ".seg")));
    const std::uint64_t middle = index * kSegmentBytesMin + 16'000;
    const std::uint64_t cut = *std::lower_bound(ends_.begin(), ends_.end(), middle);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(cut - index * kSegmentBytesMin),
              bytes.end(), std::byte{0});
    WriteWhole(scratch_.Sub(NameOf(index, ".older")), bytes);
  }

  std::string FileOf(std::size_t slot, std::size_t source) const {
    switch (source) {
      case kOtherLog: return scratch_.Sub("other/" + NameOf(slot, ".seg"));
      case kFork: return scratch_.Sub("fork/" + NameOf(slot, ".seg"));
      case kOlder: return scratch_.Sub(NameOf(slot, ".older"));
      default: return scratch_.Sub("own/" + NameOf(source, ".seg"));
    }
  }

  // Hard links: nothing writes into a segment file that was there before Open.
  void Put(const Mix& mix, Indexes indexes) {
    const std::string log = scratch_.Sub("log");
    std::filesystem::remove_all(log);
    LosePower();
    ASSERT_EQ(::mkdir(log.c_str(), 0700), 0);
    WriteWhole(log + "/evidence", evidence_);
    Link(scratch_.Sub("own/manifest"), log + "/manifest");
    for (std::size_t slot = 0; slot < kSegments; ++slot) {
      if (mix[slot] != kMissing) {
        Link(FileOf(slot, mix[slot]), log + "/" + NameOf(slot, ".seg"));
      }
      const std::size_t index =
          indexes == Indexes::kTravel && mix[slot] < kSegments ? mix[slot] : slot;
      if (indexes != Indexes::kNone && index < kSegments - 1) {
        Link(scratch_.Sub("own/" + NameOf(index, ".idx")), log + "/" + NameOf(slot, ".idx"));
      }
    }
  }
  static void Link(const std::string& from, const std::string& to) {
    ASSERT_EQ(::link(from.c_str(), to.c_str()), 0) << from << " " << to;
  }

  std::vector<::ino_t> InodesOf(const std::string& directory) const {
    std::vector<::ino_t> inodes;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      struct stat facts {};
      EXPECT_EQ(::lstat(entry.path().c_str(), &facts), 0);
      if (entry.path().filename() != "lock") inodes.push_back(facts.st_ino);
    }
    std::sort(inodes.begin(), inodes.end());
    return inodes;
  }

  struct Read {
    std::uint64_t events = 0;
    bool is_own = true;   // every event is the one that was written there
    bool is_fork = true;  // or that was written there in the copy
    absl::Status status;
  };
  static Read ReadAll(const Log& log) {
    Read read;
    LogReader reader = log.NewReader();
    Bytes expected(kEventBytes);
    while (const FrameHeader* const frame = reader.NextFrame(log.published())) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        if (record.header.kind != RecordKind::kEvent) return;
        const auto holds = [&](std::uint64_t number) {
          FillEvent(expected.data(), kEventBytes, number);
          return record.header.payload_bytes() == kEventBytes &&
                 std::equal(expected.begin(), expected.end(), record.payload());
        };
        ++read.events;
        read.is_own = read.is_own && holds(read.events);
        read.is_fork =
            read.is_fork && holds(read.events + (read.events > kForkAt ? kForkNumbers : 0));
      });
    }
    read.status = reader.status();
    return read;
  }

  std::uint64_t EventsBelow(std::uint64_t address) const {
    return static_cast<std::uint64_t>(std::upper_bound(ends_.begin(), ends_.end(), address) -
                                      ends_.begin());
  }

  // What FORMAT.md says of files that are whole: all of them are there, or those of the end are
  // missing and nothing tells of them.
  static bool Opens(const Mix& mix) {
    return std::equal(mix.begin(), mix.end() - 1, kOwn.begin()) &&
           (mix.back() == kSegments - 1 || mix.back() == kMissing);
  }

  void Check(const Mix& mix, Indexes indexes) {
    ASSERT_NO_FATAL_FAILURE(Put(mix, indexes));
    const std::vector<::ino_t> before = InodesOf(scratch_.Sub("log"));
    ++combinations_;
    const auto log = Log::Open(Options());
    const bool is_plain =
        std::all_of(mix.begin(), mix.end(), [](std::size_t source) { return source <= kOtherLog; });
    EXPECT_TRUE(!is_plain || log.ok() == Opens(mix)) << log.status().ToString();
    if (!log.ok()) {
      EXPECT_EQ(log.status().code(), absl::StatusCode::kDataLoss) << log.status().ToString();
      EXPECT_EQ(InodesOf(scratch_.Sub("log")), before);
      EXPECT_EQ(ReadWhole(scratch_.Sub("log/evidence")), evidence_);
      return;
    }
    ++opened_;
    const Read read = ReadAll(**log);
    // All that differs is the copy's: that is a log too, and nobody can tell which one was meant.
    const bool is_fork = mix[3] == kFork && mix[4] == kFork;
    EXPECT_TRUE(read.is_own || (is_fork && read.is_fork));
    if (read.status.ok()) {
      EXPECT_GE(read.events, EventsBelow((kSegments - 1) * kSegmentBytesMin));
    } else {
      // A segment that an index spoke for: Open did not read it, its readers do.
      EXPECT_TRUE(indexes != Indexes::kNone && absl::IsDataLoss(read.status))
          << read.status.ToString();
    }
    EXPECT_TRUE(mix != kOwn || read.events == ends_.size()) << read.events;
  }
  void CheckTold(const Mix& mix, Indexes indexes) {
    Check(mix, indexes);
    if (!HasFailure()) return;
    std::string told;
    for (const std::size_t source : mix) told += " " + std::to_string(source);
    FAIL() << "the mix" << told << ", indexes " << static_cast<int>(indexes);
  }

  // Every way to put something else into up to `wrong` places.
  void CheckWrong(std::size_t wrong, Indexes indexes) {
    Mix mix = kOwn;
    const std::function<void(std::size_t, std::size_t)> choose = [&](std::size_t slot,
                                                                     std::size_t left) {
      if (HasFailure()) return;
      if (slot == kSegments || left == 0) return CheckTold(mix, indexes);
      choose(slot + 1, left);
      for (std::size_t source = 0; source < kSources; ++source) {
        if (source == slot) continue;
        mix[slot] = source;
        choose(slot + 1, left - 1);
      }
      mix[slot] = slot;
    };
    choose(0, wrong);
  }

  void Tell() const { std::cout << combinations_ << " combinations, " << opened_ << " opened\n"; }

  static constexpr std::uint64_t kForkAt = 200;  // in the fourth segment
  static constexpr std::uint64_t kForkNumbers = 5000;
  std::vector<std::uint64_t> ends_;  // of each event's frame
  Bytes evidence_;
  std::uint64_t combinations_ = 0;
  std::uint64_t opened_ = 0;
};

TEST_F(SegmentMixTest, UpToThreeWrongFilesAreRefusedOrLoseNothingDurable) {
  CheckWrong(3, Indexes::kNone);
  Tell();
}

TEST_F(SegmentMixTest, UpToTwoWrongFilesBesideIndexesAreFoundByOpenOrByTheirReaders) {
  CheckWrong(2, Indexes::kStay);
  CheckWrong(2, Indexes::kTravel);
  Tell();
}

TEST_F(SegmentMixTest, EveryOrderOfTheFilesButTheRightOneIsRefused) {
  for (const Indexes indexes : {Indexes::kNone, Indexes::kStay, Indexes::kTravel}) {
    Mix mix = kOwn;
    do {
      CheckTold(mix, indexes);
    } while (!HasFailure() && std::next_permutation(mix.begin(), mix.end()));
  }
  EXPECT_EQ(opened_, 3U);
  Tell();
}

TEST_F(SegmentMixTest, EverySetOfMissingFilesIsRefusedUnlessNothingTellsOfThem) {
  for (const Indexes indexes : {Indexes::kNone, Indexes::kStay}) {
    for (unsigned set = 0; set < (1U << kSegments); ++set) {
      Mix mix = kOwn;
      for (std::size_t i = 0; i < kSegments; ++i) {
        if (((set >> i) & 1U) != 0) mix[i] = kMissing;
      }
      CheckTold(mix, indexes);
    }
  }
  EXPECT_EQ(opened_, 4U);
  // With evidence of the last segment none may be missing at all.
  {
    auto log = OpenLog(At("own"));
    ASSERT_NE(log, nullptr);
    ASSERT_OK(log->Close());
  }
  evidence_ = ReadWhole(scratch_.Sub("own/evidence"));
  Mix mix = kOwn;
  mix.back() = kMissing;
  ASSERT_NO_FATAL_FAILURE(Put(mix, Indexes::kStay));
  EXPECT_EQ(OpenStatus().code(), absl::StatusCode::kDataLoss);
  Tell();
}

}  // namespace
}  // namespace pawl::inline v0
