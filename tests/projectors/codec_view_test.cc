// Views of events with a codec.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../core/codec_domain.h"
#include "../core/test_directory.h"
#include "pawl/view.h"

namespace pawl {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr SubmitOptions kQuick{.ack = Ack::kPublished};
const Key kOne(1);

struct Letters {
  using Events = pawl::Events<Torn, Written, Posted>;
  static constexpr int kVersion = 1;
  std::vector<std::string> texts;
  int torn = 0;
  void On(const WrittenView& e, const Meta&) noexcept { texts.emplace_back(e.text); }
  void On(const Torn&, const Meta&) noexcept { ++torn; }
  Outcome On(const PostedView& e, const Meta&) noexcept {
    if (e.to == "nobody") return Fail(3, "to nobody");
    texts.emplace_back(e.to);
    return {};
  }
};

// Letters that are there.
struct Desk {
  using Events = pawl::Events<Written, Closed<LetterV3>, Posted>;
  static constexpr int kVersion = 1;
  std::map<Key, std::string> letters;
  std::vector<std::string> burnt;
  void On(const WrittenView& e, const Meta& m) noexcept { letters[m.key] += e.text; }
  void On(const PostedView& e, const Meta& m) noexcept {
    letters[m.key] += std::string(e.to) + (e.is_urgent ? "!" : "");
  }
  void On(const Closed<LetterV3>&, const Meta& m) noexcept {
    burnt.push_back(letters[m.key] + " " + std::to_string(m.version.value()));
    letters.erase(m.key);
  }
};

class CodecViewTest : public ::testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options = directory_.Options();
    options.segment_bytes = std::uint64_t{2} << 20;
    auto opened = Engine::Open(options, Aggregates<LetterV3>{});
    ASSERT_TRUE(opened.ok()) << opened.status();
    engine_ = *std::move(opened);
    auto view = Project<Letters>(*engine_);
    ASSERT_TRUE(view.ok()) << view.status();
    view_ = std::make_unique<View<Letters>>(*std::move(view));
  }
  void TearDown() override {
    view_.reset();
    engine_.reset();
    Codec<Written>::accepts_zeros = false;
  }
  template <class C>
  Receipt Do(const C& command) {
    Producer producer = *engine_->NewProducer();
    const auto done = producer.Execute<LetterV3>(kOne, command, kQuick);
    EXPECT_TRUE(done.ok()) << done.status();
    return done.value_or(Receipt{});
  }
  absl::StatusOr<std::vector<std::string>> Texts(const Receipt& least) {
    return view_->Read(AtLeast(least, seconds(60)),
                       [](const Letters& l) noexcept { return l.texts; });
  }

  const TestDirectory directory_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<View<Letters>> view_;
};

TEST_F(CodecViewTest, AViewGetsWhatTheCodecDecodes) {
  Do(Write{3, 'a'});
  Do(Tear{});
  Do(Post{{'b', 'o', 'b'}});
  const Receipt last = Do(Write{100'000, 'b'});
  const auto texts = Texts(last);
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_THAT(*texts, ElementsAre("aaa", "bob", std::string(100'000, 'b')));
  EXPECT_EQ(view_->Read([](const Letters& l) noexcept { return l.torn; }), 1);
}

TEST_F(CodecViewTest, AnOnThatFailsStopsIt) {
  Do(Write{3, 'a'});
  const Receipt bad = Do(Post{{'n', 'o', 'b', 'o', 'd', 'y'}});
  EXPECT_EQ(Texts(bad).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(view_->status().message()), HasSubstr("to nobody"));
}

// Events of any length, upcast ones and closings, in one view.
TEST(CodecViewClosingTest, ClosingsStandAmongEventsOfAnyVersion) {
  const TestDirectory directory;
  {
    auto older = Engine::Open(directory.Options(), Aggregates<LetterV2>{});
    ASSERT_TRUE(older.ok()) << older.status();
    Producer producer = *(*older)->NewProducer();
    for (const Key key : {kOne, Key(2)}) {
      ASSERT_TRUE(producer.Execute<LetterV2>(key, Write{2, 'b'}, kQuick).ok());
      ASSERT_TRUE(producer.Execute<LetterV2>(key, Post{{'b', 'o', 'b'}}, kQuick).ok());
    }
    ASSERT_TRUE(producer.Execute<LetterV2>(kOne, Burn{3}, kQuick).ok());
  }
  auto engine = Engine::Open(directory.Options(), Aggregates<LetterV3>{});
  ASSERT_TRUE(engine.ok()) << engine.status();
  auto view = Project<Desk>(**engine);
  ASSERT_TRUE(view.ok()) << view.status();
  Producer producer = *(*engine)->NewProducer();
  ASSERT_TRUE(producer.Execute<LetterV3>(kOne, Post{{'d', 'a', 'n'}}, kQuick).ok());
  const auto last = producer.Execute<LetterV3>(Key(2), Burn{1}, kQuick);
  ASSERT_TRUE(last.ok()) << last.status();
  const auto seen = view->Read(AtLeast(*last, seconds(60)), [](const Desk& desk) noexcept {
    return std::pair(desk.letters, desk.burnt);
  });
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_THAT(seen->second, ElementsAre("bbbobaaa 3", "bbboba 3"));
  EXPECT_EQ(seen->first, (std::map<Key, std::string>{{kOne, "dan!"}}));
}

// The codec of the view is a stricter release than the one that wrote.
TEST_F(CodecViewTest, WhatItsCodecDoesNotDecodeStopsItByNameAndPosition) {
  const Receipt good = Do(Write{3, 'a'});
  ASSERT_TRUE(Texts(good).ok());
  view_.reset();  // no agent decodes while that changes
  Codec<Written>::accepts_zeros = true;
  const Receipt bad = Do(Write{3, '\0'});
  Codec<Written>::accepts_zeros = false;
  const Receipt last = Do(Write{3, 'b'});
  view_ = std::make_unique<View<Letters>>(*Project<Letters>(*engine_));
  EXPECT_EQ(Texts(last).status().code(), absl::StatusCode::kDataLoss);
  const std::string words(view_->status().message());
  EXPECT_THAT(words, HasSubstr("position " + std::to_string(bad.position.value())));
  EXPECT_THAT(words, HasSubstr("letter.written version 1"));
  EXPECT_LT(view_->position(), bad.position);
}

}  // namespace
}  // namespace pawl
