#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "life_report.h"
#include "pawl/log.h"
#include "record_oracle.h"
#include "sim_random.h"

namespace pawl::inline v0 {

// The life without a cut: recovers, is judged, works, closes, is opened and judged again; then one
// bit of what is durable is flipped on the disk, and the log must not open any more.
class LastLife {
 public:
  //   history, report   borrowed
  LastLife(const LogOptions& options, std::uint32_t life, std::uint64_t seed,
           const RecordHistory* history, LifeReport* report);

  // Whether the flipped bit was seen is told as saw_failure.
  void Run();

 private:
  Judgement Live();
  static bool FindsDamage(const Log& log);
  Judgement Reopen();
  Judgement Append(Log& log);
  Judgement FlipOneBit(LogReader reader, Address limit);

  const LogOptions options_;
  const std::uint32_t life_;
  SimRandom random_;
  RecordHistory history_;
  LifeReport* const report_;
};

}  // namespace pawl::inline v0
