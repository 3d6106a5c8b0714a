#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace pawl {

struct SeenFailure {
  int line;
  std::string text;
};

// The failures that `f` reports, which are then not this test's.
template <class F>
std::vector<SeenFailure> FailuresOf(F&& f) {
  ::testing::TestPartResultArray results;
  {
    const ::testing::ScopedFakeTestPartResultReporter reporter(
        ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
    f();
  }
  std::vector<SeenFailure> failures;
  for (int i = 0; i < results.size(); ++i) {
    const ::testing::TestPartResult& result = results.GetTestPartResult(i);
    if (!result.failed()) continue;
    std::string text = result.message();
    if (constexpr std::string_view kWord = "Failed\n"; text.starts_with(kWord)) {
      text.erase(0, kWord.size());  // GoogleTest's own, of every failure that is told of
    }
    failures.push_back({result.line_number(), std::move(text)});
  }
  return failures;
}

// The text of the one failure that `f` reports.
template <class F>
std::string FailureOf(F&& f) {
  const std::vector<SeenFailure> failures = FailuresOf(f);
  if (failures.size() == 1) return failures.front().text;
  std::string all = std::to_string(failures.size()) + " failures";
  for (const SeenFailure& failure : failures) all += "\n" + failure.text;
  return all;
}

}  // namespace pawl
