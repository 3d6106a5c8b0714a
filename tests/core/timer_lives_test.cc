// Timers over many lives of an engine: set, set again, cancelled, ended by closings, due while
// nobody ran, under clocks that somebody sets, on a disk that loses what was not durable. A map
// says which timers are set; the log has to fire the first of them that is due, once, and all.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "alarm_domain.h"
#include "gate_storage.h"
#include "log_records.h"
#include "test_seed.h"

namespace pawl {
namespace {

constexpr std::uint64_t kSecond = FakeClock::kSecond;
constexpr std::uint64_t kHour = FakeClock::kHour;
constexpr std::uint64_t kYear = FakeClock::kYear;
constexpr std::uint64_t kSegmentBytes = std::uint64_t{64} << 10;
constexpr int kLives = 24;
constexpr int kActs = 40;
constexpr std::uint64_t kKeys = 5;
constexpr std::uint64_t kIds = 6;

// What one record did to timers, as the commands say, or a timer that fired.
struct Act {
  enum class Kind : std::uint8_t { kSet, kEnd, kCloseStream };

  std::uint64_t position;  // of the commit's last record; of a set, the record's own
  Kind kind;
  std::uint64_t key;
  std::uint64_t id = 0;
  std::uint64_t due_ns = 0;
  std::int64_t value = 0;
};

// Which timers are set, by name.
class TimerModel {
 public:
  struct Set {
    std::uint64_t due_ns;
    std::uint64_t position;
    std::int64_t value;
  };
  using Name = std::pair<std::uint64_t, std::uint64_t>;  // key, id

  void Take(const Act& act) {
    acts_.push_back(act);
    Apply(act);
  }
  // The power was cut: nothing behind this position was.
  void CutBehind(std::uint64_t position) {
    std::erase_if(acts_, [position](const Act& act) { return act.position > position; });
    set_.clear();
    for (const Act& act : acts_) Apply(act);
  }
  // The one that fires first; end(): none is set.
  std::map<Name, Set>::const_iterator First() const {
    return std::min_element(set_.begin(), set_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.second.due_ns, a.second.position) <
             std::tie(b.second.due_ns, b.second.position);
    });
  }
  const std::map<Name, Set>& set() const { return set_; }

 private:
  void Apply(const Act& act) {
    switch (act.kind) {
      case Act::Kind::kSet: set_[{act.key, act.id}] = {act.due_ns, act.position, act.value}; return;
      case Act::Kind::kEnd: set_.erase({act.key, act.id}); return;
      case Act::Kind::kCloseStream:
        std::erase_if(set_, [&act](const auto& each) { return each.first.first == act.key; });
        return;
    }
  }

  std::vector<Act> acts_;
  std::map<Name, Set> set_;
};

class TimerLivesTest : public AlarmTest {
 protected:
  void TearDown() override {
    gate_.Open();
    AlarmTest::TearDown();
  }

  EngineOptions LifeOptions() {
    EngineOptions options = directory_.Options(Threads::kHost);
    options.clock = &clock_;
    options.storage = &gate_;
    options.segment_bytes = kSegmentBytes;
    options.undurable_bytes_max = std::uint64_t{1} << 20;
    options.timers_max = 1'000;
    return options;
  }
  void OpenLife() { AlarmTest::Open(LifeOptions()); }

  std::uint64_t Random(std::uint64_t below) { return random_() % below; }
  template <class T>
  T OneOf(std::initializer_list<T> values) {
    return *(values.begin() + Random(values.size()));
  }

  // --- the log against the model ---

  // What fired since the last time, up to a position.
  void ReadOn(std::uint64_t last = UINT64_MAX) {
    LogReader reader = engine_->log().NewReader();
    while (const FrameHeader* frame = reader.NextFrame(engine_->log().published())) {
      ForEachRecord(*frame, [&](const RecordView& record) {
        time_ns_ = std::max(time_ns_, frame->time_ns);
        if (record.position.value() <= seen_ || record.position.value() > last) return;
        seen_ = record.position.value();
        TakeRecord(record);
      });
    }
    ASSERT_TRUE(reader.status().ok()) << reader.status();
    ASSERT_EQ(ring_wanted_, 0) << "a timer fired and did nothing";
  }
  void TakeRecord(const RecordView& record) {
    if (record.header.kind == RecordKind::kTimerFired) return TakeFired(record);
    if (record.commit.cause != CommitCause::kTimer || ring_wanted_ == 0) return;
    if (record.header.kind != RecordKind::kEvent) return;
    Rang rang;
    std::memcpy(&rang, record.payload(), sizeof rang);
    EXPECT_EQ(rang.value, ring_wanted_) << "position " << record.position.value();
    EXPECT_EQ(rang.now_ns, record.frame.time_ns) << "position " << record.position.value();
    ring_wanted_ = 0;
  }
  void TakeFired(const RecordView& record) {
    const std::uint64_t position = record.position.value();
    TimerFiredPayload fired;
    std::memcpy(&fired, record.payload(), sizeof fired);
    const auto first = model_.First();
    ASSERT_NE(first, model_.set().end()) << "position " << position << ": none is set";
    ASSERT_EQ(fired.set_position, first->second.position) << "position " << position;
    ASSERT_EQ(fired.id, first->first.second);
    ASSERT_GE(record.frame.time_ns, first->second.due_ns) << "position " << position << ": early";
    ++fired_;
    const auto [key, id] = first->first;
    const std::int64_t value = first->second.value;
    model_.Take({.position = position, .kind = Act::Kind::kEnd, .key = key, .id = id});
    const bool is_refused = value == Due::kRefuses;
    EXPECT_EQ(fired.outcome, is_refused ? 1 : 0);
    if (value == Due::kRepeats) {
      // Set before it rings.
      model_.Take({.position = position + 1,
                   .kind = Act::Kind::kSet,
                   .key = key,
                   .id = 0,
                   .due_ns = record.frame.time_ns + kSecond,
                   .value = value});
    }
    if (value == Due::kEnds) {
      model_.Take({.position = position + record.commit.records - 1,
                   .kind = Act::Kind::kCloseStream,
                   .key = key});
    }
    if (value > 0 || value == Due::kRepeats) ring_wanted_ = value;
  }
  // A command did that, behind what fired before it: timers that found no room come first.
  void Take(Act act) {
    ReadOn(act.position);
    // A time that has passed is the one at which it was set.
    act.due_ns = std::max(act.due_ns, time_ns_);
    model_.Take(act);
  }
  // Nothing is left to do: all that was due has fired, and the rest is set.
  void ExpectNoneIsLost() {
    Run();
    ASSERT_TRUE(Do(kKeys + 1, Ring{1}).ok());  // in the log is what time it is
    Run();
    ASSERT_NO_FATAL_FAILURE(ReadOn());
    std::vector<SetDue> wanted;
    for (const auto& [name, set] : model_.set()) {
      EXPECT_GT(set.due_ns, time_ns_) << "lost: key " << name.first << ", id " << name.second;
      wanted.push_back({name.first, name.second, set.due_ns, set.value});
    }
    EXPECT_EQ(Set(), wanted);
  }

  // --- what a life has ---

  std::int64_t RandomDelay() {
    const auto unit = OneOf<std::uint64_t>(
        {1, FakeClock::kMillisecond, kSecond, 60 * kSecond, kHour, 24 * kHour, 365 * 24 * kHour});
    return static_cast<std::int64_t>(unit * Random(6)) - static_cast<std::int64_t>(Random(2));
  }
  std::int64_t RandomValue(std::uint64_t id) {
    switch (Random(12)) {
      case 0: return Due::kRefuses;
      case 1: return Due::kNothing;
      case 2: return Due::kEnds;
      // One that sets itself again does so under id 0.
      case 3: return id == 0 && Random(4) == 0 ? Due::kRepeats : ++token_;
      default: return ++token_;
    }
  }
  void SetOne() {
    const std::uint64_t key = 1 + Random(kKeys);
    const std::uint64_t id = Random(kIds);
    const std::int64_t value = RandomValue(id);
    const std::int64_t delay = RandomDelay();
    // By the newest frame's time, which is what At() is relative to here.
    const std::uint64_t due_ns = time_ns_ + static_cast<std::uint64_t>(delay);
    const absl::StatusOr<Receipt> set = Do(key, SetAlarmAt{due_ns, value, id});
    ASSERT_TRUE(set.ok()) << set.status();
    Take({.position = set->position.value(),
          .kind = Act::Kind::kSet,
          .key = key,
          .id = id,
          .due_ns = due_ns,
          .value = value});
  }
  void CancelOne() {
    const std::uint64_t key = 1 + Random(kKeys);
    const std::uint64_t id = Random(kIds);
    const absl::StatusOr<Receipt> cancelled = Do(key, CancelAlarm{id});
    ASSERT_TRUE(cancelled.ok()) << cancelled.status();
    Take({.position = cancelled->position.value(), .kind = Act::Kind::kEnd, .key = key, .id = id});
  }
  void CloseOne() {
    const std::uint64_t key = 1 + Random(kKeys);
    const Key other = Random(2) == 0 ? Key() : Key(key);
    const absl::StatusOr<Receipt> closed =
        Do(other.is_zero() ? key : kKeys + 1, EndAlarm{.other = other});
    ASSERT_TRUE(closed.ok()) << closed.status();
    Take({.position = closed->position.value(), .kind = Act::Kind::kCloseStream, .key = key});
  }
  void RefuseOne() {
    const std::uint64_t key = 1 + Random(kKeys);
    EXPECT_FALSE(Do(key, Juggle{.is_refused = true}).ok());
    EXPECT_FALSE(Do(key, EndAlarm{.other = {}, .is_refused = true}).ok());
  }
  void PassTime() {
    clock_.Advance(Random(4) * OneOf<std::uint64_t>({FakeClock::kMillisecond, kSecond, 70 * kSecond,
                                                     kHour, 24 * kHour}));
    // A command may come before what is due now.
    if (Random(2) == 0) Run();
  }
  // Somebody sets the wall clock; within a range, so that time does not end.
  void StepWall() {
    const auto year = static_cast<std::int64_t>(kYear);
    const auto hour = static_cast<std::int64_t>(kHour);
    const std::int64_t step = OneOf<std::int64_t>({hour, -hour, 10 * year, -10 * year, 0});
    const std::uint64_t wall = clock_.wall_ns + static_cast<std::uint64_t>(step);
    if (wall > FakeClock::kStart - 30 * kYear && wall < FakeClock::kStart + 50 * kYear) {
      clock_.SetWall(wall);
    }
  }
  void ActOnce() {
    switch (Random(16)) {
      case 0: return CloseOne();
      case 1: return RefuseOne();
      case 2:
      case 3: return CancelOne();
      case 4:
      case 5:
      case 6: return PassTime();
      case 7: return Random(4) == 0 ? StepWall() : PassTime();
      default: return SetOne();
    }
  }
  void Live(int acts) {
    for (int i = 0; i < acts; ++i) {
      ASSERT_NO_FATAL_FAILURE(ActOnce());
      ASSERT_NO_FATAL_FAILURE(ReadOn());
    }
  }

  // --- how a life ends ---

  static std::string NameOf(std::uint64_t segment, const char* extension) {
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "/%010llu.%s", static_cast<unsigned long long>(segment),
                  extension);
    return name.data();
  }
  void Stop() {
    const HashSum hash = engine_->StateHash().value().sum;
    Close();
    // The same, replayed, before anything fires.
    auto opened = Engine::Open(LifeOptions(), Engines{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ((*opened)->StateHash().value().sum, hash);
  }
  // What was published and not durable goes with the power, but for its first bytes, which the disk
  // may have written.
  void LosePower() {
    gate_.Shut();
    ASSERT_NO_FATAL_FAILURE(Live(1 + static_cast<int>(Random(kActs))));
    ASSERT_TRUE(Do(kKeys + 1, Ring{1}).ok());
    ASSERT_NO_FATAL_FAILURE(ReadOn());
    gate_.Break();
    ASSERT_TRUE(Await([&] {
      engine_->Poll(kWholeTurns);
      return engine_->log().health() == LogHealth::kFailed;
    }));
    const std::uint64_t durable = engine_->log().durable().value();
    const std::uint64_t published = engine_->log().published().value();
    Close();
    gate_.Open();
    WriteTorn(durable, std::min(published, (durable / kSegmentBytes + 1) * kSegmentBytes));
    if (Random(4) != 0) {
      std::filesystem::remove_all(directory_.hot());
      clock_.boot_ns = kHour;
    }
    OpenLife();
    // Before the newest record that an epoch began.
    std::uint64_t last = 0;
    for (const SeenRecord& record : ReadLog(*engine_)) {
      if (record.kind == RecordKind::kEpochBegan) last = record.position - 1;
    }
    ASSERT_GE(last, durable_position_);
    losses_ += last < seen_ ? 1 : 0;
    seen_ = std::min(seen_, last);
    time_ns_ = 0;  // that of what is left
    model_.CutBehind(last);
    ASSERT_NO_FATAL_FAILURE(ReadOn());
  }
  void WriteTorn(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t bytes = Random(to - from + 1);
    const std::uint64_t segment = from / kSegmentBytes;
    const auto offset = static_cast<std::streamoff>(from % kSegmentBytes);
    std::string torn(bytes, '\0');
    std::ifstream(directory_.hot() + NameOf(segment, "img"), std::ios::binary)
        .seekg(offset)
        .read(torn.data(), static_cast<std::streamsize>(bytes));
    std::fstream(directory_.log() + NameOf(segment, "seg"),
                 std::ios::binary | std::ios::in | std::ios::out)
        .seekp(offset)
        .write(torn.data(), static_cast<std::streamsize>(bytes));
  }

  GateStorage gate_;
  std::mt19937_64 random_{SeedOfTest()};
  TimerModel model_;
  std::uint64_t seen_ = 0;  // position up to which the log was compared
  std::uint64_t time_ns_ = FakeClock::kStart;
  std::uint64_t durable_position_ = 0;
  std::int64_t token_ = 0;        // value of the timer that was set last
  std::int64_t ring_wanted_ = 0;  // of the timer whose commit is being read; 0: none
  std::uint64_t fired_ = 0;
  int losses_ = 0;
};

TEST_F(TimerLivesTest, EachTimerFiresOnceInItsOrderWhateverBecomesOfEngineDiskAndClock) {
  OpenLife();
  for (int life = 0; life < kLives; ++life) {
    SCOPED_TRACE("life " + std::to_string(life));
    ASSERT_NO_FATAL_FAILURE(Live(kActs));
    ASSERT_NO_FATAL_FAILURE(ExpectNoneIsLost());
    const absl::StatusOr<Receipt> durable = producer_->Execute<Alarm>(Key(kKeys + 1), Ring{1});
    ASSERT_TRUE(durable.ok()) << durable.status();
    durable_position_ = durable->position.value();
    ASSERT_NO_FATAL_FAILURE(ReadOn());
    if (Random(2) == 0) {
      ASSERT_NO_FATAL_FAILURE(LosePower());
    } else {
      ASSERT_NO_FATAL_FAILURE(Stop());
    }
    Close();
    clock_.Advance(Random(3) * kHour);
    StepWall();
    OpenLife();
    ASSERT_NO_FATAL_FAILURE(ReadOn());
  }
  ASSERT_NO_FATAL_FAILURE(ExpectNoneIsLost());
  EXPECT_GT(fired_, 100U);
  EXPECT_GT(losses_, 0);
}

}  // namespace
}  // namespace pawl
