#include "recovery_table.h"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace pawl::inline v0 {
namespace {

template <class Visit>
void ForEachFacts(Visit&& visit) {
  for (const EndBytes end :
       {EndBytes::kNoFrame, EndBytes::kUnknownFrame, EndBytes::kMalformedFrame}) {
    for (const ImageWitness images : {ImageWitness::kNone, ImageWitness::kWhole,
                                      ImageWitness::kBelowPublished, ImageWitness::kBehindFiles}) {
      for (const bool is_below : {false, true}) {
        for (const bool has_bytes : {false, true}) {
          visit(RecoveryFacts{end, images, is_below, has_bytes});
        }
      }
    }
  }
}

TEST(RecoveryTableTest, EveryCombinationOfFactsMeetsExactlyOneRow) {
  int combinations = 0;
  ForEachFacts([&](const RecoveryFacts& facts) {
    ++combinations;
    int rows = 0;
    for (const RecoveryRow& row : kRecoveryTable) rows += row.Holds(facts) ? 1 : 0;
    EXPECT_EQ(rows, 1) << static_cast<int>(facts.end) << static_cast<int>(facts.images)
                       << facts.is_below_evidence << facts.has_bytes_behind;
  });
  EXPECT_EQ(combinations, 3 * 4 * 2 * 2);
}

TEST(RecoveryTableTest, EveryRowIsMetByWhatItsNameSays) {
  const RecoveryFacts whole{};
  EXPECT_EQ(Decide(whole), RecoveryOutcome::kWhole);
  EXPECT_EQ(Decide({.has_bytes_behind = true}), RecoveryOutcome::kTornTail);
  EXPECT_EQ(Decide({.is_below_evidence = true}), RecoveryOutcome::kDurableLost);
  EXPECT_EQ(Decide({.images = ImageWitness::kWhole, .is_below_evidence = true}),
            RecoveryOutcome::kDurableLost);
  EXPECT_EQ(Decide({.images = ImageWitness::kBelowPublished}), RecoveryOutcome::kPublishedLost);
  EXPECT_EQ(Decide({.images = ImageWitness::kBehindFiles}), RecoveryOutcome::kImagesBehindFiles);
  EXPECT_EQ(Decide({.end = EndBytes::kUnknownFrame}), RecoveryOutcome::kUnknownFrame);
  EXPECT_EQ(Decide({.end = EndBytes::kMalformedFrame}), RecoveryOutcome::kMalformedFrame);
}

// What is known to be durable or published is never given up, whatever else is the case.
TEST(RecoveryTableTest, NoRowOpensALogThatLostSomething) {
  ForEachFacts([](const RecoveryFacts& facts) {
    const RecoveryOutcome outcome = Decide(facts);
    const bool opens = outcome == RecoveryOutcome::kWhole || outcome == RecoveryOutcome::kTornTail;
    if (facts.is_below_evidence || facts.images == ImageWitness::kBelowPublished) {
      EXPECT_FALSE(opens);
    }
  });
}

TEST(RecoveryTableTest, TheFormatPageNamesEveryRow) {
  std::ifstream in(PAWL_FORMAT_PAGE);
  const std::string page{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  ASSERT_FALSE(page.empty()) << PAWL_FORMAT_PAGE;
  for (const RecoveryRow& row : kRecoveryTable) {
    EXPECT_NE(page.find("| " + std::string(row.name) + " |"), std::string::npos) << row.name;
  }
}

}  // namespace
}  // namespace pawl::inline v0
