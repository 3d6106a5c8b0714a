// An idle engine costs nothing: at most one system call per agent and second, under 1 % of a core.

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "program_output.h"
#include "test_directory.h"

namespace pawl {
namespace {

constexpr int kSeconds = 3;  // of rest, see idle_engine.cc

TEST(IdleTest, AnIdleEngineUsesUnderOnePercentOfACore) {
  const std::string used = OutputOf(PAWL_IDLE_ENGINE " 2>/dev/null");
  ASSERT_FALSE(used.empty());
  EXPECT_LT(std::atoll(used.c_str()), kSeconds * 1'000'000 / 100) << "microseconds";
}

TEST(IdleTest, AnIdleAgentMakesAtMostOneSystemCallPerSecond) {
  if (!CanTrace()) GTEST_SKIP() << "strace is missing or may not trace here";
#ifdef PAWL_UNDER_THREAD_SANITIZER
  GTEST_SKIP() << "ThreadSanitizer's own thread makes system calls beside the engine's";
#endif
  const TestDirectory directory;
  const std::string trace = directory.root() + "/trace";
  OutputOfTraced(PAWL_IDLE_ENGINE, trace);

  // The marks are the main thread's writes.
  std::ifstream lines(trace);
  std::map<std::string, int> calls;  // by thread, while resting
  std::map<std::string, int> before;
  std::string main_thread;
  bool is_resting = false;
  bool was_resting = false;
  for (std::string line; std::getline(lines, line);) {
    const std::string thread = line.substr(0, line.find(' '));
    if (main_thread.empty()) main_thread = thread;
    if (line.find("\"BEGIN\\n\"") != std::string::npos) {
      is_resting = was_resting = true;
    } else if (line.find("\"END\\n\"") != std::string::npos) {
      is_resting = false;
    } else if (thread != main_thread) {
      ++(is_resting ? calls : before)[thread];
    }
  }
  ASSERT_TRUE(was_resting) << "the trace has no mark";
  EXPECT_GE(before.size(), 5U) << "loop, sync, preparer, one projector, two together";
  for (const auto& [thread, count] : calls) EXPECT_LE(count, kSeconds) << "thread " << thread;
}

}  // namespace
}  // namespace pawl
