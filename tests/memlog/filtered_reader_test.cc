#include "pawl/filtered_reader.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "faulty_storage.h"
#include "log_fixture.h"
#include "segment_geometry.h"

namespace pawl::inline v0 {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint16_t kTypes = 6;
constexpr std::uint16_t kCategories = 4;
constexpr std::uint64_t kSegments = 7;

// What was appended, as the writer knows it.
struct Given {
  Position position;
  std::uint32_t stream;
  std::uint16_t type;
  std::uint16_t category;
};

// A log whose segments have some types and categories each.
class FilteredLogTest : public LogTest {
 protected:
  LogWriter& BeginCommit() {
    for (int rounds = 0; !log_->writer().CanBeginCommit(); ++rounds) {
      EXPECT_LT(rounds, 10'000);
      log_->PrepareWork();
      log_->SyncWork();
    }
    log_->writer().BeginCommit();
    return log_->writer();
  }

  void Bind(std::uint16_t category) {
    streams_.push_back({random_(), random_(), category});
    const auto& made = streams_.back();
    const StreamBound bound{.key_high = made.key_high, .key_low = made.key_low};
    std::byte* const payload = log_->writer().AppendRecord(
        {.kind = RecordKind::kStreamBound, .type = category, .stream = streams_.size()},
        sizeof bound);
    ASSERT_NE(payload, nullptr);
    std::memcpy(payload, &bound, sizeof bound);
  }

  void Append(std::uint32_t stream, std::uint16_t type) {
    const Position position = log_->writer().next_position();
    std::byte* const payload =
        log_->writer().AppendRecord({.type = type, .stream = stream, .version = Version(1)}, 40);
    ASSERT_NE(payload, nullptr);
    FillEvent(payload, 40, position.value());
    given_.push_back({position, stream, type, streams_[stream - 1].category});
  }

  void Publish() {
    log_->writer().Publish();
    ends_.emplace_back(log_->published(), Position(log_->writer().next_position().value() - 1));
  }

  template <class Pick>
  std::uint16_t PickOne(std::uint16_t count, Pick is_allowed) {
    for (;;) {
      const auto one = static_cast<std::uint16_t>(1 + random_() % count);
      if (is_allowed(one)) return one;
    }
  }

  // A frame with events of the types and categories whose bits are set.
  void PublishFrame(std::uint64_t types, std::uint64_t categories) {
    const auto in = [](std::uint64_t bits) {
      return [bits](std::uint16_t one) { return (bits >> one & 1) != 0; };
    };
    for (std::uint64_t commits = 1 + random_() % 3; commits > 0; --commits) {
      LogWriter& writer = BeginCommit();
      if (random_() % 8 == 0) {
        ASSERT_NE(writer.AppendRecord({.kind = RecordKind::kAccepted}, 0), nullptr);
      }
      const std::uint16_t category = PickOne(kCategories, in(categories));
      std::vector<std::uint32_t> known;
      for (std::uint32_t i = 0; i < streams_.size(); ++i) {
        if (streams_[i].category == category) known.push_back(i + 1);
      }
      if (known.empty() || random_() % 16 == 0) {
        ASSERT_NO_FATAL_FAILURE(Bind(category));
        known.push_back(static_cast<std::uint32_t>(streams_.size()));
      }
      for (std::uint64_t events = 1 + random_() % 2; events > 0; --events) {
        const std::uint32_t stream = known[random_() % known.size()];
        ASSERT_NO_FATAL_FAILURE(Append(stream, PickOne(kTypes, in(types))));
      }
      writer.EndCommit({});
    }
    Publish();
  }

  static bool IsWanted(const RecordFilter& filter, const Given& event) {
    const auto names = [](const std::vector<std::uint16_t>& list, std::uint16_t number) {
      return list.empty() || std::count(list.begin(), list.end(), number) > 0;
    };
    return names(filter.types, event.type) && names(filter.categories, event.category);
  }
  std::vector<Given> Wanted(const RecordFilter& filter, Position first, Position last) const {
    std::vector<Given> wanted;
    for (const Given& event : given_) {
      if (event.position < first || event.position > last || !IsWanted(filter, event)) continue;
      wanted.push_back(event);
    }
    return wanted;
  }

  // The reader hands out exactly what is wanted from `first` to the limit, and says so.
  void ExpectRest(FilteredReader& reader, const RecordFilter& filter, Position first,
                  std::size_t end) {
    const auto& [limit, last] = ends_[end];
    for (const Given& wanted : Wanted(filter, first, last)) {
      ASSERT_LT(reader.position(), wanted.position);
      const RecordView* const event = reader.NextEvent(limit);
      ASSERT_NE(event, nullptr) << wanted.position.value();
      ASSERT_EQ(event->position, wanted.position);
      EXPECT_EQ(event->header.type, wanted.type);
      EXPECT_EQ(event->header.stream, wanted.stream);
      const FilteredReader::Stream& stream = reader.StreamOf(*event);
      EXPECT_EQ(stream.category, wanted.category);
      EXPECT_EQ(stream.key_high, streams_[wanted.stream - 1].key_high);
      EXPECT_EQ(stream.key_low, streams_[wanted.stream - 1].key_low);
      Bytes expected(40);
      FillEvent(expected.data(), 40, event->position.value());
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), event->payload()));
      ASSERT_GE(reader.position(), wanted.position);
    }
    ASSERT_EQ(reader.NextEvent(limit), nullptr);
    ASSERT_OK(reader.status());
    ASSERT_EQ(reader.position(), std::max(last, Position(first.value() - 1)));
  }

  std::mt19937_64 random_{1};
  std::unique_ptr<Log> log_;
  std::vector<FilteredReader::Stream> streams_;     // by number − 1
  std::vector<Given> given_;                        // in order
  std::vector<std::pair<Address, Position>> ends_;  // of frames, with their last positions
};

struct Mode {
  const char* name;
  bool is_indexed;
  bool is_reopened;
  bool is_damaged;  // the bodies of two indexes

  friend std::ostream& operator<<(std::ostream& out, const Mode& mode) { return out << mode.name; }
};

class FilteredReaderTest : public FilteredLogTest, public ::testing::WithParamInterface<Mode> {
 protected:
  void Make(std::uint64_t seed) {
    random_.seed(seed);
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    std::uint64_t segment = kSegments;
    std::uint64_t types = 0;
    std::uint64_t categories = 0;
    while (log_->published().value() < kSegments * kSegmentBytesMin) {
      if (log_->published().value() / kSegmentBytesMin != segment) {
        segment = log_->published().value() / kSegmentBytesMin;
        types = 2ULL << random_() % kTypes | 2ULL << random_() % kTypes;
        categories = 2ULL << random_() % kCategories | 2ULL << random_() % kCategories;
      }
      ASSERT_NO_FATAL_FAILURE(PublishFrame(types, categories));
    }
    if (GetParam().is_indexed) {
      ASSERT_TRUE(DriveToRest(*log_));
    }
    if (!GetParam().is_reopened) return;
    ASSERT_OK(log_->Close());
    log_ = nullptr;
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    ends_.emplace_back(log_->published(), Position(log_->writer().next_position().value() - 1));
    if (!GetParam().is_damaged) return;
    for (const std::uint64_t index : {std::uint64_t{1}, std::uint64_t{4}}) {
      Bytes bytes = ReadWhole(File(IndexName(index)));
      bytes.back() ^= std::byte{1};
      WriteWhole(File(IndexName(index)), bytes);
    }
  }

  RecordFilter RandomFilter() {
    RecordFilter filter;
    for (std::uint64_t i = random_() % 3; i > 0; --i) {
      filter.types.push_back(static_cast<std::uint16_t>(1 + random_() % (kTypes + 1)));
    }
    for (std::uint64_t i = random_() % 3; i > 0; --i) {
      filter.categories.push_back(static_cast<std::uint16_t>(1 + random_() % (kCategories + 1)));
    }
    return filter;
  }
};

TEST_P(FilteredReaderTest, HandsOutWhatAScanFindsWhateverTheLimits) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    SCOPED_TRACE(seed);
    ASSERT_NO_FATAL_FAILURE(Make(seed));
    for (int round = 0; round < 40; ++round) {
      const RecordFilter filter = RandomFilter();
      FilteredReader reader = log_->NewFilteredReader(filter);
      Position first(1);
      // Old marks, most of them in the middle of a segment, then all.
      std::set<std::size_t> ends{ends_.size() - 1};
      while (ends.size() < 6) ends.insert(random_() % ends_.size());
      for (const std::size_t end : ends) {
        ASSERT_NO_FATAL_FAILURE(ExpectRest(reader, filter, first, end));
        first = ends_[end].second.Next();
      }
    }
    ASSERT_OK(log_->Close());
    std::filesystem::remove_all(scratch_.Sub("log"));
    given_.clear();
    streams_.clear();
    ends_.clear();
  }
}

TEST_P(FilteredReaderTest, GoesOnWhereAnotherStoppedOrAnywhere) {
  ASSERT_NO_FATAL_FAILURE(Make(4));
  const std::size_t all = ends_.size() - 1;
  FilteredReader moved = log_->NewFilteredReader({.types = {2, 3}});
  for (int round = 0; round < 40; ++round) {
    const RecordFilter filter = RandomFilter();
    FilteredReader one = log_->NewFilteredReader(filter);
    for (std::uint64_t events = random_() % 300; events > 0; --events) {
      if (one.NextEvent(ends_[all].first) == nullptr) break;
    }
    const Position next = one.position().Next();
    FilteredReader other = log_->NewFilteredReader(filter);
    other.StartAt(next);
    ASSERT_EQ(other.position(), one.position()) << "no step back before the first event";
    ASSERT_NO_FATAL_FAILURE(ExpectRest(other, filter, next, all));
    const Position first(1 + random_() % (ends_[all].second.value() + 10));
    moved.StartAt(first);
    ASSERT_NO_FATAL_FAILURE(ExpectRest(moved, {.types = {2, 3}}, first, all));
  }
}

TEST_P(FilteredReaderTest, FollowsALogThatGrows) {
  ASSERT_NO_FATAL_FAILURE(Make(5));
  const RecordFilter filter{.types = {1, 2}, .categories = {1, 3}};
  FilteredReader reader = log_->NewFilteredReader(filter);
  Position first(1);
  for (int step = 0; step < 2000; ++step) {
    // Whole segments of it have nothing that is wanted.
    const bool is_spared = log_->published().value() / kSegmentBytesMin % 2 == 0;
    ASSERT_NO_FATAL_FAILURE(PublishFrame(is_spared ? 0x38 : 0x7E, 0x1E));
    if (GetParam().is_indexed) {
      ASSERT_TRUE(Drive(*log_));
    }
    if (random_() % 200 != 0) continue;
    ASSERT_NO_FATAL_FAILURE(ExpectRest(reader, filter, first, ends_.size() - 1));
    first = ends_.back().second.Next();
  }
  EXPECT_GT(log_->published().value(), (kSegments + 3) * kSegmentBytesMin) << "it went over seams";
}

INSTANTIATE_TEST_SUITE_P(Segments, FilteredReaderTest,
                         ::testing::Values(Mode{"WithoutIndex", false, false, false},
                                           Mode{"Indexed", true, false, false},
                                           Mode{"IndexedAndReopened", true, true, false},
                                           Mode{"IndexesDamaged", true, true, true}),
                         [](const auto& param) { return param.param.name; });

// Segment s has types 1 and 2 + s % 2 only; its streams are bound in segment 0, but for one of
// category 3 in segment 2.
class PassedSegmentsTest : public FilteredLogTest {
 protected:
  void SetUp() override {
    log_ = OpenLog();
    ASSERT_NE(log_, nullptr);
    LogWriter& writer = BeginCommit();
    ASSERT_NO_FATAL_FAILURE(Bind(1));
    ASSERT_NO_FATAL_FAILURE(Bind(2));
    writer.EndCommit({});
    while (log_->published().value() < 6 * kSegmentBytesMin) {
      const std::uint64_t segment = log_->published().value() / kSegmentBytesMin;
      // No events near a seam, where the next frame may be the next segment's.
      const bool is_near_seam =
          log_->published().value() % kSegmentBytesMin > kSegmentBytesMin - 1024;
      BeginCommit();
      if (is_near_seam) {
        ASSERT_NE(writer.AppendRecord({.kind = RecordKind::kAccepted}, 0), nullptr);
        writer.EndCommit({});
        Publish();
        continue;
      }
      ASSERT_NO_FATAL_FAILURE(Append(segment == 4 ? 2 : 1, 1));
      ASSERT_NO_FATAL_FAILURE(Append(1, segment % 2 == 0 ? 2 : 3));
      if (segment == 2 && streams_.size() == 2) {
        ASSERT_NO_FATAL_FAILURE(Bind(3));
      }
      if (segment == 5 && given_.back().type == 3 && random_() % 50 == 0) {
        ASSERT_NO_FATAL_FAILURE(Append(3, 3));
      }
      writer.EndCommit({});
      Publish();
    }
    ASSERT_TRUE(DriveToRest(*log_));
    ASSERT_OK(log_->Close());
    log_ = nullptr;
    LogOptions options = Options();
    options.storage = &storage_;
    log_ = OpenLog(options);
    ASSERT_NE(log_, nullptr);
    ASSERT_GE(log_->recovery().segments_indexed, 6U);
    storage_.on_map_file = [this](const std::string& path) {
      opened_.insert(path.substr(path.size() - 5, 1));
      return absl::OkStatus();
    };
    ends_.emplace_back(log_->published(), Position(log_->writer().next_position().value() - 1));
  }
  void TearDown() override { log_ = nullptr; }

  // The segments that are opened to read it all.
  std::set<std::string> OpenedBy(const RecordFilter& filter, Position first = Position(1)) {
    opened_.clear();
    FilteredReader reader = log_->NewFilteredReader(filter);
    reader.StartAt(first);
    ExpectRest(reader, filter, first, ends_.size() - 1);
    return opened_;
  }

  FaultyStorage storage_;
  std::set<std::string> opened_;
};

TEST_F(PassedSegmentsTest, SegmentsWithoutTheTypeAreNotOpened) {
  EXPECT_THAT(OpenedBy({.types = {2}}), ElementsAre("0", "2", "4"));
  EXPECT_THAT(OpenedBy({.types = {3}}), ElementsAre("1", "3", "5"));
  EXPECT_THAT(OpenedBy({.types = {9}}), ElementsAre());
  EXPECT_THAT(OpenedBy({.types = {9, 3}}), ElementsAre("1", "3", "5"));
  EXPECT_THAT(OpenedBy({}), ElementsAre("0", "1", "2", "3", "4", "5"));
}

TEST_F(PassedSegmentsTest, SegmentsWithoutTheCategoryAreNotOpenedWhereverItsStreamsWereBound) {
  EXPECT_THAT(OpenedBy({.categories = {2}}), ElementsAre("4"));
  EXPECT_THAT(OpenedBy({.categories = {3}}), ElementsAre("5"));
  EXPECT_THAT(OpenedBy({.categories = {4}}), ElementsAre());
  EXPECT_THAT(OpenedBy({.types = {2}, .categories = {2}}), ElementsAre("4")) << "no event of both";
  EXPECT_THAT(OpenedBy({.types = {3}, .categories = {2}}), ElementsAre());
}

TEST_F(PassedSegmentsTest, SegmentsBeforeTheStartAreNotOpened) {
  const auto third = std::find_if(given_.begin(), given_.end(), [&](const Given& event) {
    const auto end = std::find_if(ends_.begin(), ends_.end(),
                                  [&](const auto& each) { return each.second >= event.position; });
    return end->first.value() > 3 * kSegmentBytesMin + 8192;
  });
  ASSERT_NE(third, given_.end());
  EXPECT_THAT(OpenedBy({.types = {1}}, third->position), ElementsAre("3", "4", "5"));
  EXPECT_THAT(OpenedBy({.types = {2}}, third->position), ElementsAre("4"));
  EXPECT_THAT(OpenedBy({.categories = {3}}, third->position), ElementsAre("5"));
}

// A key that was closed is bound again: all streams that it ever had are found, in indexes and in
// what has none yet.
TEST_F(FilteredLogTest, FindsEveryStreamOfAKey) {
  log_ = OpenLog();
  ASSERT_NE(log_, nullptr);
  std::map<std::tuple<std::uint16_t, std::uint64_t, std::uint64_t>, std::vector<std::uint32_t>>
      expected;
  std::uint32_t streams = 0;
  std::deque<std::uint32_t> eventless;
  while (log_->published().value() < 4 * kSegmentBytesMin + kSegmentBytesMin / 2 ||
         !eventless.empty()) {
    LogWriter& writer = BeginCommit();
    for (int i = 0; i < 20; ++i) {
      const auto category = static_cast<std::uint16_t>(1 + random_() % 2);
      const StreamBound bound{.key_high = random_() % 3, .key_low = random_() % 20};
      std::byte* const payload = writer.AppendRecord(
          {.kind = RecordKind::kStreamBound, .type = category, .stream = ++streams}, sizeof bound);
      ASSERT_NE(payload, nullptr);
      std::memcpy(payload, &bound, sizeof bound);
      // Its first event comes at once, later (in another segment, it may be), or never: one that
      // has none is not told.
      if (random_() % 4 == 0) continue;
      expected[{category, bound.key_high, bound.key_low}].push_back(streams);
      eventless.push_back(streams);
    }
    const std::size_t left = random_() % 2 == 0 ? 0 : 200;
    for (; eventless.size() > left; eventless.pop_front()) {
      ASSERT_NE(writer.AppendRecord({.kind = RecordKind::kEvent,
                                     .type = 1,
                                     .stream = eventless.front(),
                                     .version = Version(1)},
                                    0),
                nullptr);
    }
    writer.EndCommit({});
    Publish();
  }
  ASSERT_TRUE(DriveToRest(*log_));
  ASSERT_TRUE(std::filesystem::exists(scratch_.Sub("log") + "/0000000003.idx"));
  const auto expect_found = [&](const Log& log) {
    for (const auto& [key, numbers] : expected) {
      const auto found = log.FindStreams(std::get<0>(key), std::get<1>(key), std::get<2>(key));
      ASSERT_OK(found.status());
      EXPECT_EQ(*found, numbers);
    }
    const auto none = log.FindStreams(3, 0, 0);
    ASSERT_OK(none.status());
    EXPECT_TRUE(none->empty());
  };
  expect_found(*log_);
  ASSERT_OK(log_->Close());
  log_.reset();
  // One index is damaged: from there on the segments are walked over.
  std::filesystem::resize_file(scratch_.Sub("log") + "/0000000002.idx", 4096);
  log_ = OpenLog();
  ASSERT_NE(log_, nullptr);
  expect_found(*log_);
}

TEST_F(FilteredLogTest, StreamsBoundOutOfOrderEndTheReader) {
  log_ = OpenLog();
  ASSERT_NE(log_, nullptr);
  LogWriter& writer = BeginCommit();
  ASSERT_NO_FATAL_FAILURE(Bind(1));
  ASSERT_NO_FATAL_FAILURE(Append(1, 1));
  writer.EndCommit({});
  Publish();
  BeginCommit();
  streams_.resize(5);
  ASSERT_NO_FATAL_FAILURE(Bind(1));
  ASSERT_NO_FATAL_FAILURE(Append(6, 1));
  writer.EndCommit({});
  Publish();
  FilteredReader reader = log_->NewFilteredReader({.types = {1}});
  EXPECT_NE(reader.NextEvent(log_->published()), nullptr);
  EXPECT_EQ(reader.NextEvent(log_->published()), nullptr);
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(reader.status().message()), HasSubstr("position 4"));
  reader.StartAt(Position(1));
  EXPECT_EQ(reader.NextEvent(log_->published()), nullptr) << "final";
}

}  // namespace
}  // namespace pawl::inline v0
