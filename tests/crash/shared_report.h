#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "history.h"
#include "pawl/check.h"

namespace pawl::inline v0 {

// A verdict as a child that ended leaves it behind.
struct TellReport {
  Finding finding = Finding::kGood;
  char what[800] = {};

  void Tell(const Judgement& verdict) {
    finding = verdict.finding;
    const std::size_t bytes = std::min(verdict.what.size(), sizeof what - 1);
    std::memcpy(what, verdict.what.data(), bytes);
    what[bytes] = 0;
  }
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
