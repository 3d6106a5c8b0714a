#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "failing_storage.h"
#include "troubled_life.h"

namespace pawl::inline v0 {

struct FailureTally {
  std::uint64_t count = 0;
  std::uint64_t lost = 0;
  std::uint64_t wrong_reads = 0;
  std::uint64_t refused = 0;   // the log did not open on the healthy disk
  std::uint64_t accepted = 0;  // something went on after a failed sync
  std::uint64_t wrong_status = 0;
  std::uint64_t leaked = 0;
  std::uint64_t violations = 0;  // of the storage interface's rules
  std::map<std::string, std::uint64_t> met;

  bool is_clean() const noexcept {
    return lost + wrong_reads + refused + accepted + wrong_status + leaked + violations == 0;
  }
  void Add(const FailureTally& other);
  // One JSON object without its closing brace.
  std::string ToJson() const;
};

// Where the calls are counted from.
struct FailureStart {
  std::string name;
  std::unique_ptr<SimStorage> machine;
  FrameBook book;
  std::uint32_t steps = 0;
  std::uint64_t calls = 0;  // of an undisturbed run from here
};

// Every call of a course of lives failed in turn, once and for good, with every kind of error and
// of effect: from a new machine, and from machines on which a log has to be recovered.
class FailureCases {
 public:
  FailureCases();

  std::uint64_t size() const noexcept { return size_; }
  //   returns   what broke; empty if nothing did
  std::string Run(std::uint64_t number, FailureTally& tally) const;
  const std::vector<FailureStart>& starts() const noexcept { return starts_; }

 private:
  std::string RunPlan(const FailureStart& start, const FailurePlan& plan,
                      FailureTally& tally) const;

  std::vector<FailureStart> starts_;
  std::uint64_t size_ = 0;
};

}  // namespace pawl::inline v0
