// Records of sessions and keys that no engine writes: each is refused with its position and what is
// wrong, and the same log without it opens.

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "bank_fixture.h"
#include "log_records.h"
#include "pawl/log.h"
#include "pawl/log_writer.h"

namespace pawl {
namespace {

// Appends records to a log, without an engine.
class RecordMaker {
 public:
  explicit RecordMaker(LogWriter& writer) : writer_(writer) {}

  void Opened(std::uint32_t session, std::uint32_t generation, std::string_view name) {
    const SessionOpened opened{.session = session,
                               .generation = generation,
                               .name_bytes = static_cast<std::uint16_t>(name.size()),
                               .reserved = {}};
    Control(RecordKind::kSessionOpened, BytesOf(opened) + std::string(name));
  }
  void BulkOpened(std::uint32_t session, std::uint32_t generation, std::string_view name,
                  std::uint8_t lane = 1) {
    const LaneOpened opened{.session = session,
                            .generation = generation,
                            .name_bytes = static_cast<std::uint16_t>(name.size()),
                            .lane = lane,
                            .reserved = {}};
    Control(RecordKind::kLaneOpened, BytesOf(opened) + std::string(name));
  }
  void Closed(std::uint32_t session, std::uint32_t generation) {
    Control(RecordKind::kSessionClosed,
            BytesOf(SessionClosed{.session = session, .generation = generation}));
  }
  void Control(RecordKind kind, const std::string& payload) {
    writer_.BeginCommit();
    Append(kind, payload);
    writer_.EndCommit({.cause = CommitCause::kControl});
    writer_.Publish();
  }
  void Command(std::uint32_t session, std::uint64_t sequence, std::uint8_t flags = 0,
               std::uint32_t head_bytes = sizeof(CommitHeader)) {
    writer_.BeginCommit(head_bytes);
    Append(RecordKind::kAccepted, "");
    writer_.EndCommit({.session = session, .sequence = Sequence(sequence), .flags = flags});
    writer_.Publish();
  }
  void Extended(std::uint32_t session, std::uint64_t sequence, ExtensionKind kind,
                const std::string& bytes) {
    std::memcpy(writer_.StageExtension(kind, static_cast<std::uint32_t>(bytes.size())),
                bytes.data(), bytes.size());
    Command(session, sequence, kCommitHasExtensions,
            LogWriter::HeadBytesWith(static_cast<std::uint32_t>(bytes.size())));
  }
  template <class T>
  static std::string BytesOf(const T& value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  std::uint64_t next_position() const { return writer_.next_position().value(); }

 private:
  void Append(RecordKind kind, const std::string& payload) {
    std::byte* const room =
        writer_.AppendRecord({.kind = kind}, static_cast<std::uint32_t>(payload.size()));
    ASSERT_NE(room, nullptr);
    std::memcpy(room, payload.data(), payload.size());
  }

  LogWriter& writer_;
};

using Make = std::function<void(RecordMaker&)>;

class ReplaySessionsTest : public BankTest {
 protected:
  // Opens a new log of these records with an engine.
  absl::Status OpenAfter(const Make& make) {
    const TestDirectory directory;
    EngineOptions options = directory.Options(Threads::kHostAll);
    options.sessions_max = 3;
    {
      LogOptions of_log;
      of_log.directory = options.directory;
      of_log.hot_directory = options.hot_directory;
      of_log.segment_bytes = options.segment_bytes;
      of_log.undurable_bytes_max = options.undurable_bytes_max;
      auto log = Log::Open(of_log);
      EXPECT_TRUE(log.ok()) << log.status();
      RecordMaker maker((*log)->writer());
      make(maker);
      last_ = maker.next_position() - 1;
      EXPECT_TRUE((*log)->Close().ok());
    }
    auto opened = Engine::Open(options, Aggregates<Account>{});
    if (!opened.ok()) return opened.status();
    sessions_ = (*opened)->Stats().sessions;
    return absl::OkStatus();
  }
  // The last record is what is wrong.
  void ExpectDamage(const Make& good, const Make& bad, std::string_view what) {
    SCOPED_TRACE(what);
    EXPECT_TRUE(OpenAfter(good).ok());
    const absl::Status refused = OpenAfter([&](RecordMaker& maker) {
      good(maker);
      bad(maker);
    });
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << refused;
    EXPECT_NE(refused.message().find(std::string(what)), std::string::npos) << refused;
    EXPECT_NE(refused.message().find("position " + std::to_string(last_) + ":"), std::string::npos)
        << refused;
  }

  std::uint64_t last_ = 0;
  std::uint32_t sessions_ = 0;
};

constexpr auto kNothing = [](RecordMaker&) {};
constexpr auto kOne = [](RecordMaker& make) { make.Opened(1, 1, "one"); };

TEST_F(ReplaySessionsTest, SoundRecordsAreTakenIn) {
  const absl::Status opened = OpenAfter([](RecordMaker& make) {
    make.Opened(1, 1, "one");
    make.BulkOpened(1, 1, "one");
    make.BulkOpened(2, 5, "two");
    make.Command(1, 1);
    make.Command(1, 7, kCommitBulkLane);
    make.Closed(2, 5);
    make.Opened(2, 6, "three");  // the number again, above all closed generations
    make.Opened(3, 9, "two");    // the name again
    make.Closed(3, 9);
    make.Closed(1, 1);
    make.Extended(2, 1, ExtensionKind::kIdempotencyKey,
                  RecordMaker::BytesOf(IdempotencyKeyBlock{1, 2, 3}));
    make.Extended(2, 2, ExtensionKind::kFirstReceipt,
                  RecordMaker::BytesOf(FirstReceiptBlock{1, 0}));
    make.Extended(2, 3, static_cast<ExtensionKind>(77), std::string(16, 'x'));
    make.Extended(0, 3, ExtensionKind::kIdempotencyKey,
                  RecordMaker::BytesOf(IdempotencyKeyBlock{0, 2, 3}));
  });
  EXPECT_TRUE(opened.ok()) << opened;
  EXPECT_EQ(sessions_, 1U);
}

TEST_F(ReplaySessionsTest, OpeningsThatNobodyWrites) {
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(0, 2, "zero"); }, "number out of order");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(3, 1, "three"); }, "number out of order");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(1, 2, "two"); }, "another number or name");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(2, 2, "one"); }, "another number or name");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.BulkOpened(2, 1, "one"); }, "another number or name");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(1, 1, "one"); }, "opened twice");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(1, 0, "one"); }, "opened twice");
  ExpectDamage(
      kNothing, [](RecordMaker& m) { m.Opened(1, 0, "one"); }, "opened twice");
  const auto bulk = [](RecordMaker& m) { m.BulkOpened(1, 4, "one"); };
  ExpectDamage(
      bulk, [](RecordMaker& m) { m.BulkOpened(1, 4, "one"); }, "opened twice");
  const auto closed = [](RecordMaker& m) {
    m.Opened(1, 4, "one");
    m.Closed(1, 4);
  };
  ExpectDamage(
      closed, [](RecordMaker& m) { m.Opened(1, 4, "one"); }, "opened twice");
  ExpectDamage(
      closed, [](RecordMaker& m) { m.BulkOpened(1, 2, "two"); }, "opened twice");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.BulkOpened(1, 1, "one", 0); }, "wrong size, name or lane");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.BulkOpened(1, 1, "one", 2); }, "wrong size, name or lane");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(2, 1, ""); }, "wrong size, name or lane");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Opened(2, 1, std::string(129, 'n')); },
      "wrong size, name or lane");
  const auto cut = [](RecordKind kind) {
    return [kind](RecordMaker& m) {
      const SessionOpened opened{.session = 2, .generation = 1, .name_bytes = 3, .reserved = {}};
      m.Control(kind, RecordMaker::BytesOf(opened) + "ab");
    };
  };
  ExpectDamage(kOne, cut(RecordKind::kSessionOpened), "wrong size, name or lane");
  ExpectDamage(kOne, cut(RecordKind::kLaneOpened), "wrong size, name or lane");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Control(RecordKind::kLaneOpened, "short"); },
      "wrong size, name or lane");
}

TEST_F(ReplaySessionsTest, ClosingsThatNobodyWrites) {
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Closed(0, 1); }, "not open");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Closed(2, 1); }, "not open");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Closed(UINT32_MAX, 1); }, "not open");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Closed(1, 2); }, "another generation");
  const auto closed = [](RecordMaker& m) {
    m.Opened(1, 1, "one");
    m.Closed(1, 1);
  };
  ExpectDamage(
      closed, [](RecordMaker& m) { m.Closed(1, 1); }, "not open");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Control(RecordKind::kSessionClosed, "1234567"); }, "wrong size");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Control(RecordKind::kSessionClosed, "123456789"); },
      "wrong size");
}

TEST_F(ReplaySessionsTest, CommandsThatNobodyWrites) {
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Command(2, 1); }, "not open");
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Command(1, 1, kCommitBulkLane); }, "never opened");
  const auto used = [](RecordMaker& m) {
    m.Opened(1, 1, "one");
    m.Command(1, 5);
  };
  ExpectDamage(
      used, [](RecordMaker& m) { m.Command(1, 5); }, "the one before");
  const auto closed = [](RecordMaker& m) {
    m.Opened(1, 1, "one");
    m.Closed(1, 1);
  };
  ExpectDamage(
      closed, [](RecordMaker& m) { m.Command(1, 1); }, "not open");
}

TEST_F(ReplaySessionsTest, ExtensionsThatNobodyWrites) {
  constexpr ExtensionKind kKey = ExtensionKind::kIdempotencyKey;
  constexpr ExtensionKind kFirst = ExtensionKind::kFirstReceipt;
  for (const std::size_t bytes : {0U, 16U, 32U}) {
    ExpectDamage(
        kOne, [=](RecordMaker& m) { m.Extended(1, 1, kKey, std::string(bytes, 'k')); },
        "wrong size");
  }
  for (const std::size_t bytes : {0U, 8U, 24U}) {
    ExpectDamage(
        kOne, [=](RecordMaker& m) { m.Extended(1, 1, kFirst, std::string(bytes, 'f')); },
        "wrong size");
  }
  ExpectDamage(
      kOne, [](RecordMaker& m) { m.Extended(1, 1, kKey, std::string(24, '\0')); },
      "idempotency key 0");
  const auto first = [](std::uint64_t position, std::uint64_t version) {
    return RecordMaker::BytesOf(FirstReceiptBlock{position, version});
  };
  ExpectDamage(
      kOne, [&](RecordMaker& m) { m.Extended(1, 1, kFirst, first(0, 1)); }, "was not before");
  ExpectDamage(
      kOne, [&](RecordMaker& m) { m.Extended(1, 1, kFirst, first(m.next_position(), 1)); },
      "was not before");
  ExpectDamage(
      kOne, [&](RecordMaker& m) { m.Extended(1, 1, kFirst, first(1, kVersionMax + 1)); },
      "was not before");
}

// Not damage: the limit was higher.
TEST_F(ReplaySessionsTest, MoreAtATimeThanSessionsMaxNamesWhatIsEnough) {
  const absl::Status refused = OpenAfter([](RecordMaker& m) {
    for (std::uint32_t i = 1; i <= 4; ++i) m.Opened(i, 1, "session-" + std::to_string(i));
  });
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_NE(refused.message().find("at least 4"), std::string::npos) << refused;
}

// The last generation there is was given: the lane cannot be opened again, and what is open works.
TEST_F(ReplaySessionsTest, TheLastGenerationIsNamed) {
  const TestDirectory directory;
  EngineOptions options = directory.Options(Threads::kHostAll);
  {
    LogOptions of_log;
    of_log.directory = options.directory;
    of_log.hot_directory = options.hot_directory;
    of_log.segment_bytes = options.segment_bytes;
    of_log.undurable_bytes_max = options.undurable_bytes_max;
    auto log = Log::Open(of_log);
    ASSERT_TRUE(log.ok()) << log.status();
    RecordMaker((*log)->writer()).Opened(1, UINT32_MAX - 1, "old");
    ASSERT_TRUE((*log)->Close().ok());
  }
  Open(options);
  Producer last = NewProducer("old");
  EXPECT_EQ(last.generation(), UINT32_MAX);
  const absl::Status refused = engine_->NewProducer({.session = "old"}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("another name"), std::string::npos) << refused;
  EXPECT_TRUE(last.Execute<Account>(Key(1), Deposit{1}).ok());
  EXPECT_EQ(NewProducer("other").generation(), 1U);
  ASSERT_TRUE(last.CloseSession().ok());
  const absl::Status none = engine_->NewProducer({.session = "new"}).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(none.message().find("new log"), std::string::npos) << none;
  EXPECT_EQ(NewProducer("other").generation(), 2U);
}

}  // namespace
}  // namespace pawl
