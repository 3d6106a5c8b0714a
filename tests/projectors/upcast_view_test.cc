// Views and events that changed: they see the newest version; of a version from which nothing leads
// to what they list, they stop by name.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../core/test_directory.h"
#include "../core/upcast_domain.h"
#include "pawl/log.h"
#include "pawl/view.h"

namespace pawl {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
const Key kOne(1);

struct Newest {
  using Events = pawl::Events<LockedV2, FundedV3>;
  static constexpr int kVersion = 1;
  std::vector<std::int64_t> seen;
  void On(const FundedV3& e, const Meta&) noexcept { seen.push_back(e.net_cents * 10 + e.upcasts); }
  void On(const LockedV2& e, const Meta&) noexcept {
    seen.push_back(-static_cast<std::int64_t>(e.reason));
  }
};
struct OneOfThem {  // lists the second type alone
  using Events = pawl::Events<LockedV2>;
  static constexpr int kVersion = 1;
  std::vector<std::uint64_t> seen;
  void On(const LockedV2& e, const Meta&) noexcept { seen.push_back(e.reason); }
};
struct Outdated {  // of the first release
  using Events = pawl::Events<FundedV1>;
  static constexpr int kVersion = 1;
  std::vector<std::int64_t> seen;
  void On(const FundedV1& e, const Meta&) noexcept { seen.push_back(e.cents); }
};
struct FundedV2Alone {  // its Older was forgotten
  static constexpr EventType kType{"purse.funded", 2};
  std::int64_t cents;
  std::int64_t fee_cents;
};
struct Forgetful {
  using Events = pawl::Events<FundedV2Alone>;
  static constexpr int kVersion = 1;
  int seen = 0;
  void On(const FundedV2Alone&, const Meta&) noexcept { ++seen; }
};

class UpcastViewTest : public ::testing::Test {
 protected:
  template <class A>
  void Open() {
    engine_.reset();
    auto opened = Engine::Open(directory_.Options(), Aggregates<A>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  // 0: locks.
  template <class A>
  Receipt Do(std::int64_t cents) {
    Producer producer = *engine_->NewProducer();
    const auto done = cents == 0 ? producer.Execute<A>(kOne, Lock{}, kQuick)
                                 : producer.Execute<A>(kOne, Fund{cents}, kQuick);
    EXPECT_TRUE(done.ok()) << done.status();
    return done.value_or(Receipt{});
  }
  template <class P>
  View<P> Make() {
    auto view = Project<P>(*engine_);
    EXPECT_TRUE(view.ok()) << view.status();
    return *std::move(view);
  }
  template <class P>
  static auto SeenBy(const View<P>& view, const Receipt& least) {
    return view.Read(AtLeast(least, seconds(60)), [](const P& p) noexcept { return p.seen; });
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(UpcastViewTest, AViewSeesTheNewestVersionOfWhatThreeReleasesWrote) {
  Open<PurseV1>();
  Do<PurseV1>(100);
  Do<PurseV1>(0);
  Open<PurseV2>();
  Do<PurseV2>(200);
  Open<PurseV3>();
  const auto view = Make<Newest>();
  const auto locks = Make<OneOfThem>();
  Do<PurseV3>(300);
  const Receipt last = Do<PurseV3>(0);
  const auto seen = SeenBy(view, last);
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_THAT(*seen, ElementsAre(992, -77, 1981, 3000, 0));
  const auto locked = SeenBy(locks, last);
  ASSERT_TRUE(locked.ok()) << locked.status();
  EXPECT_THAT(*locked, ElementsAre(77, 0)) << "other names are none of its business";
}

TEST_F(UpcastViewTest, AVersionWithoutAChainStopsTheViewByNameAndPosition) {
  Open<PurseV1>();
  Do<PurseV1>(100);
  Open<PurseV2>();
  const auto view = Make<Outdated>();
  const Receipt lock = Do<PurseV2>(0);
  const auto before = SeenBy(view, lock);
  ASSERT_TRUE(before.ok()) << before.status() << ": the type alone is no event of it";
  EXPECT_THAT(*before, ElementsAre(100));
  const Receipt bad = Do<PurseV2>(200);
  const auto after = SeenBy(view, bad);
  EXPECT_EQ(after.status().code(), absl::StatusCode::kFailedPrecondition) << after.status();
  const std::string words(view.status().message());
  EXPECT_THAT(words, HasSubstr("position " + std::to_string(bad.position.value())));
  EXPECT_THAT(words, HasSubstr("purse.funded version 2"));
  EXPECT_THAT(words, HasSubstr("Upcast"));
  EXPECT_THAT(view.Read([](const Outdated& o) noexcept { return o.seen; }), ElementsAre(100));
  EXPECT_LT(view.position(), bad.position);
}

TEST_F(UpcastViewTest, AChainThatWasForgottenStopsTheViewAtTheOlderEvent) {
  Open<PurseV1>();
  const Receipt old = Do<PurseV1>(100);
  Open<PurseV2>();
  const Receipt last = Do<PurseV2>(200);
  const auto view = Make<Forgetful>();
  EXPECT_EQ(SeenBy(view, last).status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string words(view.status().message());
  EXPECT_THAT(words, HasSubstr("purse.funded version 1"));
  EXPECT_THAT(words, HasSubstr("position " + std::to_string(old.position.value())));
  EXPECT_EQ(view.Read([](const Forgetful& f) noexcept { return f.seen; }), 0);
}

// The engine replays events of the aggregates that it is opened with, and of those only.
class HostileEventTest : public UpcastViewTest {
 protected:
  // A log with one event of `payload_bytes` bytes that says it is a FundedV1, and one behind it.
  void WriteLog(std::uint32_t payload_bytes) {
    auto opened = Log::Open({.directory = directory_.log(),
                             .hot_directory = directory_.hot(),
                             .segment_bytes = std::uint64_t{1} << 20,
                             .undurable_bytes_max = std::uint64_t{4} << 20});
    ASSERT_TRUE(opened.ok()) << opened.status();
    Log& log = **opened;
    LogWriter& writer = log.writer();
    const EventDescriptor& type = DescriptorOf<FundedV1>();
    const TypeBound bound{.layout_hash = type.layout_hash,
                          .event_bytes = type.bytes,
                          .type_version = type.version,
                          .name_bytes = static_cast<std::uint16_t>(type.name.size()),
                          .layout_bytes = static_cast<std::uint32_t>(type.layout_text.size()),
                          .reserved = 0};
    writer.BeginCommit();
    Append(writer, {.kind = RecordKind::kCategoryBound, .type = 1}, "purse");
    Append(writer, {.kind = RecordKind::kTypeBound, .type = 1},
           std::string(reinterpret_cast<const char*>(&bound), sizeof bound) +
               std::string(type.name) + std::string(type.layout_text));
    Append(writer, {.kind = RecordKind::kStreamBound, .type = 1, .stream = 1},
           std::string(sizeof(StreamBound), '\1'));
    writer.EndCommit({.cause = CommitCause::kControl});
    AppendEvent(writer, 1, sizeof(FundedV1));
    hostile_ = AppendEvent(writer, 2, payload_bytes);
    AppendEvent(writer, 3, sizeof(FundedV1));
    writer.Publish();
    ASSERT_TRUE(log.Close().ok());
  }
  static void Append(LogWriter& writer, const RecordFields& fields, const std::string& payload) {
    std::byte* const room = writer.AppendRecord(fields, static_cast<std::uint32_t>(payload.size()));
    ASSERT_NE(room, nullptr);
    if (!payload.empty()) std::memcpy(room, payload.data(), payload.size());
  }
  static Position AppendEvent(LogWriter& writer, std::uint64_t version, std::uint32_t bytes) {
    writer.BeginCommit();
    const Position position = writer.next_position();
    Append(writer,
           {.kind = RecordKind::kEvent,
            .type = 1,
            .stream = 1,
            .version = Version(version),
            .back_link = Position(version == 1 ? 0 : position.value() - 1)},
           std::string(bytes, '\7'));
    writer.EndCommit({});
    return position;
  }

  Position hostile_;
};

TEST_F(HostileEventTest, AnEventOfAWrongSizeIsNotHandedOut) {
  for (const std::uint32_t bytes : {0U, 1U, 7U, 9U, 15U, 16U, 4096U}) {
    ASSERT_NO_FATAL_FAILURE(WriteLog(bytes));
    auto opened = Engine::Open(directory_.Options(), Aggregates<>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    {
      const auto view = Make<Outdated>();
      const auto seen = SeenBy(view, {.position = hostile_});
      EXPECT_EQ(seen.status().code(), absl::StatusCode::kDataLoss)
          << bytes << ": " << seen.status();
      const std::string words(view.status().message());
      EXPECT_THAT(words, HasSubstr("position " + std::to_string(hostile_.value())));
      EXPECT_THAT(words, HasSubstr("purse.funded version 1"));
      EXPECT_TRUE(view.Read([](const Outdated& o) noexcept { return o.seen; }).empty())
          << "the frame that holds it is not shown";
    }
    engine_.reset();
    std::filesystem::remove_all(directory_.log());
  }
}

TEST_F(HostileEventTest, TheSameEventOfItsOwnSizeIs) {
  ASSERT_NO_FATAL_FAILURE(WriteLog(sizeof(FundedV1)));
  auto opened = Engine::Open(directory_.Options(), Aggregates<>{});
  ASSERT_TRUE(opened.ok()) << opened.status();
  engine_ = *std::move(opened);
  const auto view = Make<Outdated>();
  const auto seen = SeenBy(view, {.position = Position(hostile_.value() + 1)});
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->size(), 3U);
  EXPECT_EQ(seen->front(), 0x0707'0707'0707'0707);
}

}  // namespace
}  // namespace pawl
