// The list of inputs that ended the process.

#include "death_list.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "fuse_aggregate.h"
#include "pawl/engine.h"
#include "test_directory.h"

namespace pawl {
namespace {

class DeathListTest : public ::testing::Test {
 protected:
  DeathListTest() : list_(PosixStorage(), directory_.root(), LogId{1}) {}

  FlightNote NoteOf(std::uint64_t tag, std::uint32_t epoch, std::uint32_t session = 0) {
    FlightNote note;
    note.epoch = epoch;
    note.has_command = true;
    note.session = session;
    note.slot.key = Key(1);
    note.slot.sequence = Sequence(tag);
    note.slot.type = Fuse::Commands::IndexOf<Blow>();
    note.body.resize(sizeof(Blow));
    std::memcpy(note.body.data(), &tag, sizeof tag);
    return note;
  }
  std::uint32_t Count(const FlightNote& note) {
    const DeathEntry* const entry = list_.Count(note, traits_);
    return entry == nullptr ? 0 : entry->deaths;
  }

  const TestDirectory directory_;
  const std::vector<const AggregateTraits*> traits_ = Aggregates<Fuse>::Traits();
  DeathList list_;
};

TEST_F(DeathListTest, ADeathThatIsToldTwiceIsOne) {
  EXPECT_EQ(Count(NoteOf(1, 4)), 1U);
  EXPECT_EQ(Count(NoteOf(1, 4)), 1U);
  EXPECT_EQ(Count(NoteOf(1, 5)), 2U);
  EXPECT_EQ(Count({}), 0U);
  EXPECT_EQ(list_.entries().size(), 1U);
}

TEST_F(DeathListTest, IsReadAsItWasWritten) {
  Count(NoteOf(1, 4));
  Count(NoteOf(2, 5, 3));
  FlightNote event;
  event.epoch = 6;
  event.replaying = Position(77);
  EXPECT_EQ(Count(event), 1U);
  ASSERT_TRUE(list_.Save().ok());
  DeathList read(PosixStorage(), directory_.root(), LogId{1});
  std::string problem;
  read.Load(problem);
  EXPECT_EQ(problem, "");
  ASSERT_EQ(read.entries().size(), 3U);
  EXPECT_EQ(std::memcmp(read.entries().data(), list_.entries().data(), 3 * sizeof(DeathEntry)), 0);
  DeathList other(PosixStorage(), directory_.root(), LogId{2});
  other.Load(problem);
  EXPECT_NE(problem, "");
  EXPECT_TRUE(other.entries().empty());
}

TEST_F(DeathListTest, WhoKilledLeastMakesRoom) {
  Count(NoteOf(1, 1));
  Count(NoteOf(1, 2));
  std::uint32_t epoch = 3;
  for (std::uint64_t tag = 2; tag < 40; ++tag) {
    EXPECT_EQ(Count(NoteOf(tag, epoch++)), 1U);
    EXPECT_LE(list_.entries().size(), QuarantineBlock::kEntriesMax);
  }
  EXPECT_EQ(list_.entries().size(), QuarantineBlock::kEntriesMax);
  EXPECT_EQ(Count(NoteOf(1, epoch)), 3U);
  EXPECT_EQ(Count(NoteOf(39, epoch + 1)), 2U) << "the newest are kept";
}

TEST_F(DeathListTest, SurvivorsAreDroppedUnlessTheyAreQuarantined) {
  Count(NoteOf(1, 1));
  Count(NoteOf(2, 2));
  Count(NoteOf(3, 3));
  Count(NoteOf(2, 4));
  list_.DropSurvivors(0b011);
  ASSERT_EQ(list_.entries().size(), 2U);
  EXPECT_EQ(Count(NoteOf(2, 5)), 3U);
  EXPECT_EQ(Count(NoteOf(3, 6)), 2U);
}

}  // namespace
}  // namespace pawl
