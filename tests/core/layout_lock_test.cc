// The file that keeps layouts: what it accepts, what it says, and how it grows.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "failure_log.h"
#include "pawl/engine.h"
#include "pawl/testing.h"
#include "test_directory.h"

namespace pawl {
namespace {

using testing::CheckLayouts;
using testing::LayoutUpdate;

struct Touch {};

// An aggregate of these events.
template <class... Es>
struct Owner {
  using Commands = pawl::Commands<Touch>;
  using Events = pawl::Events<Es...>;
  static constexpr std::string_view kCategory = "owner";
  struct State {};
  static Verdict Decide(const State&, const Touch&, Emit<Owner>&) noexcept { return Accept(); }
  template <class E>
  static void Evolve(State&, const E&) noexcept {}
};

struct Made {
  static constexpr EventType kType{"lock.made", 1};
  std::int64_t cents;
};
struct MadeWider {
  static constexpr EventType kType{"lock.made", 1};
  std::int64_t cents;
  std::int64_t tax;
};
struct MadeTwo {
  static constexpr EventType kType{"lock.made", 2};
  std::int32_t cents;
  std::int32_t tax;
};
struct Ended {
  static constexpr EventType kType{"lock.ended", 1};
};

struct MadeThree {
  static constexpr EventType kType{"lock.made", 3};
  using Older = MadeTwo;
  std::int64_t cents;
};
MadeThree Upcast(const MadeTwo& e) noexcept { return {e.cents}; }
struct Noted {
  static constexpr EventType kType{"lock.noted", 1};
  std::string_view text;
};
}  // namespace

template <>
struct Codec<Noted> {
  static constexpr std::string_view kName = "lines";
  static constexpr std::string_view kSchema = "lock.Noted/1";
  using View = Noted;
  static std::size_t Size(const Noted&) noexcept { return 0; }
  static void Encode(const Noted&, std::span<std::byte>) noexcept {}
  static bool Decode(std::span<const std::byte>, View&) noexcept { return true; }
};

namespace {

// Lines of the format are golden: files of users must stay readable.
constexpr std::string_view kMadeLine = "lock.made 1 185fee8dcf82ba73 {cents:i64@0}\n";
constexpr std::string_view kMadeTwoLine = "lock.made 2 e4bbcc7ae29a3009 {cents:i32@0,tax:i32@4}\n";
constexpr std::string_view kMadeThreeLine = "lock.made 3 185fee8dcf82ba73 {cents:i64@0}\n";
constexpr std::string_view kNotedLine =
    "lock.noted 1 aa8e4ba293b3ac0b {codec<lines,lock.Noted/1>}\n";
constexpr std::string_view kEndedLine = "lock.ended 1 cbf29ce484222325 {}\n";

class LayoutLockTest : public ::testing::Test {
 protected:
  template <class... As>
  std::string Check(Aggregates<As...> aggregates, LayoutUpdate update = LayoutUpdate::kNo) {
    return CheckLayouts(aggregates.Traits(), path_, update);
  }
  template <class... Es>
  std::string CheckEvents(LayoutUpdate update = LayoutUpdate::kNo) {
    return Check(Aggregates<Owner<Es...>>{}, update);
  }
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  std::string Read() {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  std::string Line(std::string_view line) { return std::string(line); }
  std::string Problem(const std::string& lines) { return "layouts in " + path_ + ":" + lines; }

  const TestDirectory directory_;
  const std::string path_ = directory_.root() + "/layouts.txt";
};

TEST_F(LayoutLockTest, WhatIsLockedPasses) {
  Write("# of the test\n\n" + Line(kEndedLine) + Line(kMadeLine) + Line(kMadeTwoLine));
  EXPECT_EQ((CheckEvents<Made, MadeTwo, Ended>()), "");
  // The order of the list does not matter, nor who lists an event, nor that two do.
  EXPECT_EQ((Check(Aggregates<Owner<Ended, Made>, Owner<MadeTwo, Made>>{})), "");
}

TEST_F(LayoutLockTest, AChangedLayoutIsNamedWithBoth) {
  Write(Line(kMadeLine));
  EXPECT_EQ(CheckEvents<MadeWider>(),
            Problem("\n  lock.made version 1 changed: file {cents:i64@0}, program "
                    "{cents:i64@0,tax:i64@8}; give the changed event a new version and keep the "
                    "old one for the logs that hold it (if no log does yet: delete its line and "
                    "add it again)"));
  // An update does not make it right.
  EXPECT_NE(CheckEvents<MadeWider>(LayoutUpdate::kAddNew), "");
  EXPECT_EQ(Read(), kMadeLine);
}

TEST_F(LayoutLockTest, ANewEventIsShownAsTheLineToAdd) {
  Write(Line(kMadeLine));
  EXPECT_EQ(
      (CheckEvents<Made, MadeTwo, Ended>()),
      Problem("\n  it lacks these lines; add them, or run this test with "
              "PAWL_UPDATE_LAYOUTS=1:\n    " +
              Line(kEndedLine) + "    " + Line(kMadeTwoLine.substr(0, kMadeTwoLine.size() - 1))));
  EXPECT_EQ(Read(), kMadeLine);
}

TEST_F(LayoutLockTest, AnUpdateAddsNewEventsInOrderAndKeepsComments) {
  Write("# first\n" + Line(kMadeLine) + "# last\n");
  EXPECT_EQ((CheckEvents<Made, MadeTwo, Ended>(LayoutUpdate::kAddNew)), "");
  EXPECT_EQ(Read(),
            "# first\n" + Line(kEndedLine) + Line(kMadeLine) + "# last\n" + Line(kMadeTwoLine));
  EXPECT_EQ((CheckEvents<Made, MadeTwo, Ended>()), "");
}

TEST_F(LayoutLockTest, AFileThatIsNotThereIsMadeByAnUpdateOnly) {
  const std::string problem = CheckEvents<Made>();
  EXPECT_NE(problem.find("there is no such file"), std::string::npos) << problem;
  EXPECT_FALSE(std::ifstream(path_).is_open());
  EXPECT_EQ(CheckEvents<Made>(LayoutUpdate::kAddNew), "");
  EXPECT_EQ(CheckEvents<Made>(), "");
  EXPECT_EQ(Read().front(), '#');
}

TEST_F(LayoutLockTest, AVanishedEventIsNamed) {
  Write(Line(kEndedLine) + Line(kMadeLine));
  EXPECT_EQ(CheckEvents<Made>(),
            Problem("\n  lock.ended version 1 is listed by no aggregate any more, but a log that "
                    "holds it needs it to be opened; list it again (if no log holds it: delete its "
                    "line)"));
}

TEST_F(LayoutLockTest, TwoLayoutsOfOneVersionInTheProgramAreNamed) {
  Write(Line(kMadeLine));
  EXPECT_EQ((Check(Aggregates<Owner<Made>, Owner<MadeWider>>{})),
            Problem("\n  lock.made version 1 has two layouts in the program: {cents:i64@0} and "
                    "{cents:i64@0,tax:i64@8}"));
}

// What a log may hold, not only what is emitted.
TEST_F(LayoutLockTest, OlderVersionsAreLockedToo) {
  Write(Line(kMadeTwoLine) + Line(kMadeThreeLine));
  EXPECT_EQ((CheckEvents<MadeThree>()), "");
  Write(Line(kMadeThreeLine));
  const std::string problem = CheckEvents<MadeThree>();
  EXPECT_NE(problem.find("it lacks these lines"), std::string::npos) << problem;
  EXPECT_NE(problem.find(Line(kMadeTwoLine.substr(0, kMadeTwoLine.size() - 1))), std::string::npos)
      << problem;
  EXPECT_EQ((CheckEvents<MadeThree>(LayoutUpdate::kAddNew)), "");
  EXPECT_EQ(Read(), Line(kMadeTwoLine) + Line(kMadeThreeLine));
  // Without its chain the older one is missed.
  EXPECT_NE(CheckEvents<Ended>().find("lock.made version 2 is listed by no aggregate any more"),
            std::string::npos);
  Write("lock.made 2 " + std::string("185fee8dcf82ba73 {cents:i64@0}\n") + Line(kMadeThreeLine));
  EXPECT_NE((CheckEvents<MadeThree>())
                .find("lock.made version 2 changed: file {cents:i64@0}, "
                      "program {cents:i32@0,tax:i32@4}"),
            std::string::npos);
}

TEST_F(LayoutLockTest, ACodecIsLockedByItsNameAndSchema) {
  EXPECT_EQ(CheckEvents<Noted>(LayoutUpdate::kAddNew), "");
  EXPECT_NE(Read().find(kNotedLine), std::string::npos) << Read();
  EXPECT_EQ(CheckEvents<Noted>(), "");
  const std::string other = "codec<lines,lock.Noted/2>";
  Write("lock.noted 1 aa91c9a293b6b7fc {" + other + "}\n");
  EXPECT_NE(CheckEvents<Noted>().find("lock.noted version 1 changed: file {" + other +
                                      "}, program {codec<lines,lock.Noted/1>}"),
            std::string::npos)
      << CheckEvents<Noted>();
}

TEST_F(LayoutLockTest, LinesThatAreNoneAreNamed) {
  for (const std::string line :
       {"lock.made 1 185fee8dcf82ba73", "lock.made 1 185fee8dcf82ba73 cents:i64@0",
        "lock.made x 185fee8dcf82ba73 {cents:i64@0}", "lock.made 1 63b6 {cents:i64@0}",
        " 1 185fee8dcf82ba73 {cents:i64@0}", "lock.made 1 185fee8dcf82baxx {cents:i64@0}", "{}"}) {
    Write("# one\n" + line + "\n");
    const std::string problem = CheckEvents<Made>(LayoutUpdate::kAddNew);
    EXPECT_NE(problem.find("line 2 is no `name version hash {layout}`: " + line), std::string::npos)
        << problem;
    EXPECT_EQ(Read(), "# one\n" + line + "\n");  // not written over
  }
}

TEST_F(LayoutLockTest, EditedUnorderedAndDoubleLinesAreNamed) {
  Write("lock.made 1 185fee8dcf82ba73 {cents:i32@0}\n");
  std::string problem = CheckEvents<Made>();
  EXPECT_NE(problem.find("line 1 was edited: the layout {cents:i32@0} has the hash "),
            std::string::npos)
      << problem;
  Write(Line(kMadeLine) + Line(kEndedLine));
  problem = CheckEvents<Made, Ended>();
  EXPECT_NE(problem.find("line 2 is not in order: lock.ended version 1 comes before lock.made"),
            std::string::npos)
      << problem;
  Write(Line(kMadeLine) + Line(kMadeLine));
  problem = CheckEvents<Made>();
  EXPECT_NE(problem.find("line 2 names lock.made version 1 again"), std::string::npos) << problem;
}

TEST_F(LayoutLockTest, WhatCannotBeWrittenIsSaid) {
  const std::string problem =
      CheckLayouts(Aggregates<Owner<Made>>::Traits(), directory_.root() + "/none/layouts.txt",
                   LayoutUpdate::kAddNew);
  EXPECT_NE(problem.find("it cannot be written"), std::string::npos) << problem;
}

TEST_F(LayoutLockTest, TheEnvironmentAsksForAnUpdate) {
  ::unsetenv("PAWL_UPDATE_LAYOUTS");
  EXPECT_EQ(testing::LayoutUpdateFromEnvironment(), LayoutUpdate::kNo);
  for (const char* no : {"", "0"}) {
    ::setenv("PAWL_UPDATE_LAYOUTS", no, 1);
    EXPECT_EQ(testing::LayoutUpdateFromEnvironment(), LayoutUpdate::kNo);
  }
  const std::string failure =
      FailureOf([this] { testing::ExpectLayouts<Aggregates<Owner<Made>>>(path_); });
  EXPECT_NE(failure.find("PAWL_UPDATE_LAYOUTS=1"), std::string::npos) << failure;
  ::setenv("PAWL_UPDATE_LAYOUTS", "1", 1);
  testing::ExpectLayouts<Aggregates<Owner<Made>>>(path_);
  ::unsetenv("PAWL_UPDATE_LAYOUTS");
  testing::ExpectLayouts<Aggregates<Owner<Made>>>(path_);
}

}  // namespace
}  // namespace pawl
