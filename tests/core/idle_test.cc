// An idle engine costs nothing: at most one system call per agent and second, under 1 % of a core.

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "test_directory.h"

namespace pawl {
namespace {

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAWL_UNDER_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define PAWL_UNDER_THREAD_SANITIZER 1
#endif

constexpr int kSeconds = 3;  // of rest, see idle_engine.cc

// What `command` prints; its exit status must be 0.
std::string OutputOf(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 256> piece{};
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) output += piece.data();
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

TEST(IdleTest, AnIdleEngineUsesUnderOnePercentOfACore) {
  const std::string used = OutputOf(PAWL_IDLE_ENGINE " 2>/dev/null");
  ASSERT_FALSE(used.empty());
  EXPECT_LT(std::atoll(used.c_str()), kSeconds * 1'000'000 / 100) << "microseconds";
}

TEST(IdleTest, AnIdleAgentMakesAtMostOneSystemCallPerSecond) {
  if (std::system("strace -o /dev/null true > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "strace is missing or may not trace here";
  }
#ifdef PAWL_UNDER_THREAD_SANITIZER
  GTEST_SKIP() << "ThreadSanitizer's own thread makes system calls beside the engine's";
#endif
  const TestDirectory directory;
  const std::string trace = directory.root() + "/trace";
  // LeakSanitizer is itself a tracer and ends a traced program with an error.
  OutputOf("ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -o " + trace +
           " " PAWL_IDLE_ENGINE " 2>/dev/null");

  // One line per system call, the thread's id in front; the marks are the main thread's writes.
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
  EXPECT_GE(before.size(), 4U) << "loop, sync, preparer and projector have threads";
  for (const auto& [thread, count] : calls) EXPECT_LE(count, kSeconds) << "thread " << thread;
}

}  // namespace
}  // namespace pawl
