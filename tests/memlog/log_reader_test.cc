#include "pawl/log_reader.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "log_fixture.h"

namespace pawl::inline v0 {
namespace {

struct Damage {
  std::string name;
  std::size_t offset;  // in the header of a segment's first frame
  std::uint32_t value;

  friend std::ostream& operator<<(std::ostream& out, const Damage& damage) {
    return out << damage.name;
  }
};

class LogReaderTest : public LogTest, public ::testing::WithParamInterface<Damage> {};

// A sealed segment's file was changed under a running engine: the reader that comes to it says what
// is wrong and where, and goes no further; it used to end the process.
TEST_P(LogReaderTest, ADamagedFrameOfASealedSegmentEndsTheReaderNotTheProcess) {
  auto log = OpenLog();
  ASSERT_NE(log, nullptr);
  for (std::uint64_t number = 1; log->published().value() < 4 * kSegmentBytesMin; ++number) {
    ASSERT_NO_FATAL_FAILURE(AppendEvents(*log, number, number, 1000));
    ASSERT_TRUE(Drive(*log));
  }
  std::fstream file(File("0000000001.seg"), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(kSegmentHeaderBytes + GetParam().offset));
  file.write(reinterpret_cast<const char*>(&GetParam().value), sizeof(std::uint32_t));
  file.close();
  ASSERT_TRUE(file.good());

  LogReader reader = log->NewReader();
  const Address end = log->published();
  while (reader.NextFrame(end) != nullptr) {
  }
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(reader.status().message()),
              ::testing::AllOf(::testing::HasSubstr("segment "), ::testing::HasSubstr("offset "),
                               ::testing::HasSubstr(
                                   "position " + std::to_string(reader.position().value() + 1))));
  EXPECT_LT(reader.address(), end);
  EXPECT_EQ(reader.NextFrame(end), nullptr) << "the status is final";
  EXPECT_EQ(reader.status().code(), absl::StatusCode::kDataLoss);
}

INSTANTIATE_TEST_SUITE_P(
    Of, LogReaderTest,
    ::testing::Values(Damage{"Address", offsetof(FrameHeader, address), 12345},
                      Damage{"FirstPosition", offsetof(FrameHeader, first_position), 12345},
                      Damage{"LengthBeyondTheSegment", offsetof(FrameHeader, length), 0x7FFFFFC0},
                      Damage{"LengthOfAllZeros", offsetof(FrameHeader, length), 0}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace pawl::inline v0
