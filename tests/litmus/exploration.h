#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <streambuf>
#include <string>

#include "relacy_atomics.h"

namespace pawl::litmus {

// What Relacy found out about a test suite of its own.
struct Exploration {
  rl::test_result_e result;
  unsigned long long executions;
  std::string report;  // The failed execution, access by access.
};

inline std::ostream& operator<<(std::ostream& out, const Exploration& exploration) {
  return out << rl::test_result_str(exploration.result) << " at execution "
             << exploration.executions << "\n"
             << exploration.report;
}

// Takes what Relacy prints. Relacy serves all allocations from its own pool while it runs, so a
// stream that grows meanwhile would be freed by the wrong allocator afterwards. What does not fit
// is lost.
class FixedReport : public std::streambuf {
 public:
  FixedReport() { setp(text_.get(), text_.get() + kBytes); }
  [[nodiscard]] std::string text() const { return {pbase(), pptr()}; }

 private:
  static constexpr std::ptrdiff_t kBytes = 1 << 20;
  std::unique_ptr<char[]> text_ = std::make_unique<char[]>(kBytes);
};

template <class Suite>
Exploration Explore(rl::scheduler_type_e scheduler, unsigned executions_max) {
  FixedReport report;
  std::ostream out(&report);
  rl::test_params params;
  params.search_type = scheduler;
  params.iteration_count = executions_max;
  params.output_stream = &out;
  params.progress_stream = &out;
  rl::simulate<Suite>(params);
  return {params.test_result, params.stop_iteration, report.text()};
}

// Every interleaving and every value that the memory model lets a load return. For the smallest
// suites only: the number of executions grows beyond any patience.
template <class Suite>
Exploration ExploreAll() {
  return Explore<Suite>(rl::sched_full, 0);
}

// `executions` random ones; the same ones at every call.
template <class Suite>
Exploration ExploreRandomly(unsigned executions) {
  return Explore<Suite>(rl::sched_random, executions);
}

}  // namespace pawl::litmus
