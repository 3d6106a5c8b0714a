#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAWL_UNDER_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define PAWL_UNDER_THREAD_SANITIZER 1
#endif

namespace pawl {

// What `command` prints; its exit status must be 0.
inline std::string OutputOf(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return {};
  std::string output;
  std::array<char, 256> piece{};
  while (std::fgets(piece.data(), piece.size(), pipe) != nullptr) output += piece.data();
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return output;
}

// Whether strace is here and may trace.
inline bool CanTrace() { return std::system("strace -o /dev/null true > /dev/null 2>&1") == 0; }

// Runs `program` under strace and returns what it prints; the trace has one line per system call,
// the thread's id in front.
inline std::string OutputOfTraced(const std::string& program, const std::string& trace) {
  // LeakSanitizer is itself a tracer and ends a traced program with an error.
  return OutputOf("ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 strace -f -o " + trace + " " +
                  program + " 2>/dev/null");
}

}  // namespace pawl
