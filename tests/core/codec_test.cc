// Events with a codec: of any length, seen in place, believed by nobody before they are decoded.

#include "pawl/codec.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec_domain.h"
#include "log_records.h"
#include "pawl/engine.h"
#include "test_directory.h"

namespace pawl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
const Key kOne(1);
const Key kTwo(2);
// As large as a text may be: author and lengths are in the record too.
constexpr std::uint32_t kTextMax = kRecordPayloadBytesMax - 3 - 8;

// What the log's type says of another release.
struct WrittenOtherwise {
  static constexpr EventType kType{"letter.written", 1};
  std::string_view text;
};
struct WrittenAsStruct {
  static constexpr EventType kType{"letter.written", 1};
  std::uint64_t text;
};
}  // namespace

template <>
struct Codec<WrittenOtherwise> {
  static constexpr std::string_view kName = "letters";
  static constexpr std::string_view kSchema = "letter.Written/2";
  using View = WrittenOtherwise;
  static std::size_t Size(const WrittenOtherwise&) noexcept { return 0; }
  static void Encode(const WrittenOtherwise&, std::span<std::byte>) noexcept {}
  static bool Decode(std::span<const std::byte>, View&) noexcept { return true; }
};

namespace {

template <class... Es>
struct Mistaken {
  using Commands = pawl::Commands<Tear>;
  using Events = pawl::Events<Es...>;
  static constexpr std::string_view kCategory = "letter";
  struct State {};
  static Verdict Decide(const State&, const Tear&, Emit<Mistaken>&) noexcept { return Accept(); }
  template <class E>
  static void Evolve(State&, const E&) noexcept {}
};

class CodecTest : public ::testing::Test {
 protected:
  void TearDown() override {
    engine_.reset();
    Codec<Written>::accepts_zeros = false;
  }
  template <class A = LetterV3>
  void Open() {
    engine_.reset();
    auto opened = Engine::Open(Options(), Aggregates<A>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
  }
  template <class A>
  absl::Status Try() {
    engine_.reset();
    return Engine::Open(Options(), Aggregates<A>{}).status();
  }
  EngineOptions Options() const {
    EngineOptions options = directory_.Options();
    options.segment_bytes = std::uint64_t{2} << 20;  // a quarter holds the largest event
    return options;
  }
  template <class A = LetterV3, class C>
  absl::StatusOr<Receipt> Do(const Key& key, const C& command) {
    Producer producer = *engine_->NewProducer();
    return producer.Execute<A>(key, command, kQuick);
  }
  HashSum Hash() { return engine_->StateHash()->sum; }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
};

struct Texts {
  std::vector<std::pair<std::string, std::string>> written{};
  std::vector<std::pair<std::string, bool>> sent{};
  int torn = 0;
  bool is_aligned = true;

  void operator()(const WrittenView& e, const Meta&) noexcept {
    written.emplace_back(e.author, e.text);
    const auto at = reinterpret_cast<std::uintptr_t>(e.author.data());
    is_aligned = is_aligned && (at - 8) % 8 == 0;
  }
  void operator()(const PostedView& e, const Meta&) noexcept {
    sent.emplace_back(e.to, e.is_urgent);
  }
  void operator()(const Torn&, const Meta&) noexcept { ++torn; }
};

TEST_F(CodecTest, EventsOfAnyLengthComeBackInPlace) {
  ASSERT_NO_FATAL_FAILURE(Open());
  const std::vector<std::uint32_t> sizes{0, 1, 4, 5, 6, 7, 8, 1000, 65'536, kTextMax - 1, kTextMax};
  for (const std::uint32_t size : sizes) {
    const auto done = Do(kOne, Write{size, size % 2 == 0 ? 'a' : 'b'});
    ASSERT_TRUE(done.ok()) << size << ": " << done.status();
  }
  const HashSum live = Hash();
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(Hash(), live) << "replayed";
  auto history = engine_->NewHistory<LetterV3>(kOne);
  ASSERT_TRUE(history.ok()) << history.status();
  Texts texts;
  EXPECT_EQ(history->Forward(texts), sizes.size());
  EXPECT_TRUE(history->status().ok()) << history->status();
  ASSERT_EQ(texts.written.size(), sizes.size());
  EXPECT_TRUE(texts.is_aligned);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(texts.written[i].first, "ada");
    EXPECT_TRUE(texts.written[i].second == TextOf(sizes[i], sizes[i] % 2 == 0 ? 'a' : 'b')) << i;
  }
}

TEST_F(CodecTest, AnEventOverTheLimitIsRefusedWhole) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_TRUE(Do(kOne, Write{1, 'a'}).ok());
  const HashSum before = Hash();
  const std::size_t records = ReadLog(*engine_).size();
  for (const Write write : {Write{kTextMax + 1, 'a'}, Write{kTextBytesMax, 'a'}, Write{0, 'h'}}) {
    Producer producer = *engine_->NewProducer();
    ASSERT_TRUE(producer.Submit<LetterV3>(kTwo, write, kQuick));
    Verdict verdict(VerdictKind::kUnknown, 0);
    while (producer.Poll([&](const Completion& c) noexcept { verdict = c.verdict; }) == 0) {
      producer.Wait(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(verdict.kind(), VerdictKind::kLimitExceeded) << write.letter;
  }
  EXPECT_EQ(Hash(), before);
  EXPECT_EQ(ReadLog(*engine_).size(), records);
  EXPECT_TRUE(Do(kTwo, Write{kTextMax, 'a'}).ok()) << "and the next one is decided";
}

// It would keep the log from ever being opened again.
TEST_F(CodecTest, AnEventThatItsCodecDoesNotDecodeIsNotWritten) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_TRUE(Do(kOne, Write{3, 'a'}).ok());
  const HashSum before = Hash();
  const std::size_t records = ReadLog(*engine_).size();
  const auto refused = Do(kTwo, Write{3, '\0'});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_EQ(Hash(), before);
  EXPECT_EQ(ReadLog(*engine_).size(), records);
  ASSERT_TRUE(Do(kTwo, Write{3, 'b'}).ok());
  EXPECT_TRUE(Try<LetterV3>().ok());
}

TEST_F(CodecTest, EventsOnSeveralStreamsAreOneCommitAndARefusalLeavesNoTrace) {
  ASSERT_NO_FATAL_FAILURE(Open());
  ASSERT_TRUE(Do(kOne, WriteThere{kTwo, 5}).ok());
  const std::size_t records = ReadLog(*engine_).size();
  EXPECT_FALSE(Do(kTwo, WriteThenRefuse{1000}).ok());
  EXPECT_EQ(ReadLog(*engine_).size(), records);
  ASSERT_TRUE(Do(kTwo, WriteThere{kOne, 9}).ok());
  const HashSum live = Hash();
  const std::vector<SeenRecord> events = EventsOf(ReadLog(*engine_));
  ASSERT_EQ(events.size(), 8U);
  EXPECT_EQ(events[0].commit, events[3].commit);
  EXPECT_EQ(events[4].version, 2U) << "on the second stream, after one event";
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(Hash(), live);
  auto reader = engine_->NewEventReader<LetterV3, Written>();
  Texts texts;
  EXPECT_EQ(reader->Forward(texts), 6U);
  EXPECT_EQ(texts.written[1], std::pair(std::string("there"), std::string(6, 'b')));
}

TEST_F(CodecTest, TheLogNamesCodecAndSchema) {
  ASSERT_NO_FATAL_FAILURE(Open());
  std::map<std::string, std::pair<std::string, std::uint32_t>> types;
  for (const SeenRecord& record : ReadLog(*engine_)) {
    if (record.kind != RecordKind::kTypeBound) continue;
    const auto bound = record.As<TypeBound>();
    const std::string text = record.payload.substr(sizeof bound + bound.name_bytes);
    types[record.payload.substr(sizeof bound, bound.name_bytes)] = {text, bound.event_bytes};
    EXPECT_EQ(bound.layout_hash, layout_detail::HashText(text));
  }
  EXPECT_EQ(types["letter.written"],
            std::pair(std::string("codec<letters,letter.Written/1>"), 0xFFFF'FFFFU));
  EXPECT_EQ(types["letter.torn"], std::pair(std::string("pieces:u64@0"), 8U));
}

TEST_F(CodecTest, AnotherSchemaIsAnotherLayout) {
  ASSERT_NO_FATAL_FAILURE(Open());
  const auto expect_refused = [](const absl::Status& status, std::string_view program) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("letter.written version 1"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("log {codec<letters,letter.Written/1>}"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("program {" + std::string(program) + "}"));
  };
  expect_refused(Try<Mistaken<WrittenOtherwise>>(), "codec<letters,letter.Written/2>");
  expect_refused(Try<Mistaken<WrittenAsStruct>>(), "text:u64@0");
}

class MalformedEventTest : public CodecTest {
 protected:
  // A log with an event that a stricter codec does not decode, between two that it does.
  void SetUp() override {
    Codec<Written>::accepts_zeros = true;
    ASSERT_NO_FATAL_FAILURE(Open());
    ASSERT_TRUE(Do(kOne, Write{3, 'a'}).ok());
    bad_ = Do(kOne, Write{3, '\0'})->position;
    ASSERT_TRUE(Do(kOne, Write{3, 'b'}).ok());
  }
  void ExpectNamed(const absl::Status& status) const {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    const std::string words(status.message());
    EXPECT_THAT(words, HasSubstr("position " + std::to_string(bad_.value()) + ": "));
    EXPECT_THAT(words, HasSubstr("letter.written version 1"));
    EXPECT_THAT(words, HasSubstr("does not decode"));
  }

  Position bad_;
};

TEST_F(MalformedEventTest, OpenEndsWithDataLossThatNamesEventAndPosition) {
  engine_.reset();
  Codec<Written>::accepts_zeros = false;
  ExpectNamed(Try<LetterV3>());
  Codec<Written>::accepts_zeros = true;
  EXPECT_TRUE(Try<LetterV3>().ok()) << "nothing was taken away";
}

TEST_F(MalformedEventTest, ReadersStopThereAndSaySo) {
  Codec<Written>::accepts_zeros = false;
  auto history = engine_->NewHistory<LetterV3>(kOne);
  Texts texts;
  EXPECT_EQ(history->Forward(texts), 1U);
  ExpectNamed(history->status());
  EXPECT_EQ(history->Forward(texts), 0U) << "that is final";
  EXPECT_EQ(texts.written.size(), 1U);
  auto backward = engine_->NewHistory<LetterV3>(kOne);
  ASSERT_TRUE(backward->StandAtEnd().ok());
  EXPECT_EQ(backward->Backward(texts), 1U);
  ExpectNamed(backward->status());
  auto reader = engine_->NewEventReader<LetterV3>();
  EXPECT_EQ(reader->Forward(texts), 1U);
  ExpectNamed(reader->status());
}

TEST_F(CodecTest, VersionsWithAndWithoutCodecsAreUpcastToTheNewestView) {
  const Post send{{'b', 'o', 'b'}};
  ASSERT_NO_FATAL_FAILURE(Open<LetterV1>());
  ASSERT_TRUE(Do<LetterV1>(kOne, send).ok());
  ASSERT_NO_FATAL_FAILURE(Open<LetterV2>());
  ASSERT_TRUE(Do<LetterV2>(kOne, send).ok());
  ASSERT_NO_FATAL_FAILURE(Open<LetterV3>());
  ASSERT_TRUE(Do<LetterV3>(kOne, send).ok());
  const HashSum live = Hash();
  ASSERT_NO_FATAL_FAILURE(Open<LetterV3>());
  EXPECT_EQ(Hash(), live);
  Texts texts;
  EXPECT_EQ(engine_->NewHistory<LetterV3>(kOne)->Forward(texts), 3U);
  EXPECT_THAT(texts.sent, ElementsAre(std::pair("bob", false), std::pair("bob", false),
                                      std::pair("bob", true)));
}

}  // namespace
}  // namespace pawl
