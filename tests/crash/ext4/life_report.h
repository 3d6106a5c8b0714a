#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include "history.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

// A verdict as a child that ended leaves it behind.
struct TellReport {
  Finding finding = Finding::kGood;
  char what[800] = {};

  void Tell(const Verdict& verdict) {
    finding = verdict.finding;
    const std::size_t bytes = std::min(verdict.what.size(), sizeof what - 1);
    std::memcpy(what, verdict.what.data(), bytes);
    what[bytes] = 0;
  }
};

// What a child that may die at any moment tells its parent.
struct LifeReport : TellReport {
  // Writer: the parent, right before it cuts. Reader: the child, to tell an error that the cut
  // explains from one that it does not.
  std::atomic<std::uint32_t> is_cut{0};
  // Writer: the child. Reader: the parent, after the child's end. They only grow.
  std::atomic<std::uint64_t> given{0};  // events; before they can be in the log
  std::atomic<std::uint64_t> acked{0};  // events acknowledged as durable
  std::atomic<std::uint64_t> kept{0};   // events recovered; before has_recovered
  std::atomic<std::uint32_t> has_recovered{0};
  std::atomic<std::uint32_t> saw_failure{0};  // an error, and then nothing more was accepted
  std::atomic<std::uint32_t> was_torn{0};     // recovery cut a torn tail
};

// A report in memory that a forked child shares.
template <class Report>
class SharedReport {
 public:
  SharedReport() {
    void* const memory =
        ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PAWL_CHECK(memory != MAP_FAILED);
    report_ = new (memory) Report;
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  ~SharedReport() { ::munmap(report_, sizeof(Report)); }

  Report& operator*() const noexcept { return *report_; }
  Report* operator->() const noexcept { return report_; }

 private:
  Report* report_;
};

}  // namespace pawl::inline v0
