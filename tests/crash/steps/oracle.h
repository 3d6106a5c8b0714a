#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "live_image.h"
#include "mark_watch.h"
#include "pawl/log.h"
#include "plan.h"
#include "progress.h"

namespace pawl::inline v0 {

enum class Finding : std::uint8_t {
  kGood,
  kLost,      // published records are not there
  kDamage,    // durable ones are not there, and yet Open() accepted the log
  kWrong,     // a record that was never written, a hole, half a commit
  kRefused,   // Open() failed
  kBadOrder,  // the bytes in memory break the order of writing
  kAborted,   // the victim ended in a way that the script does not say
};
const char* NameOf(Finding finding) noexcept;

struct Judgement {
  Finding finding = Finding::kGood;
  std::string what;

  bool is_good() const noexcept { return finding == Finding::kGood; }
};

// Knows what the log owes, from outside the engine: from what the victim told, and from the marks
// that readers of other processes see.
class Oracle {
 public:
  Oracle(std::uint64_t seed, const Progress* progress) : seed_(seed), progress_(progress) {}
  virtual ~Oracle() = default;

  // Looks at an image that has changed.
  Judgement Observe(const LiveImage& image) { return watch_.Observe(image); }
  // Recovers the copy of `image` at `root`, and judges what is there.
  virtual Judgement Recover(const LiveImage& image, const std::string& root) = 0;
  // A process begins, or has opened the log: then the very next image must be recovered.
  virtual void BeginLife() { is_opening_ = true; }
  bool HasJustOpened() const noexcept { return Told(progress_->life) != life_; }

 protected:
  // What recovery may say about the addresses, whatever the records are.
  Judgement JudgeEnd(const RecoveryReport& recovery) const;

  const std::uint64_t seed_;
  const Progress* const progress_;
  MarkWatch watch_;
  bool is_opening_ = true;
  std::uint32_t life_ = 0;  // that has opened the log last, as far as this knows
};

// Compares records with the plan, one by one.
class LogOracle final : public Oracle {
 public:
  using Oracle::Oracle;
  Judgement Recover(const LiveImage& image, const std::string& root) override;
  void BeginLife() override;

 private:
  struct Recovered {
    std::vector<std::string> records;
    std::vector<bool> is_epoch;
  };

  static Judgement ReadAll(const Log& log, Recovered& recovered);
  Judgement Compare(const Recovered& recovered) const;
  void Extend();
  std::uint64_t PositionBehind(std::uint64_t commits) const;
  bool IsFrameEnd(std::uint64_t position) const;
  void Adopt(Recovered recovered);

  std::vector<std::string> given_;      // record i has position i + 1
  std::uint64_t base_ = 0;              // records that were there when this life began
  std::uint64_t first_commit_ = 0;      // the first one of this life
  std::vector<std::uint64_t> behind_;   // given_.size() behind each of its commits
  std::set<std::uint64_t> frame_ends_;  // positions
  std::uint32_t ends_taken_ = 0;        // of what the victim told
};

// Compares balances: after n commands, with n between what was answered and what was sent.
class BankOracle final : public Oracle {
 public:
  using Oracle::Oracle;
  Judgement Recover(const LiveImage& image, const std::string& root) override;

 private:
  using Balances = std::array<std::int64_t, kAccounts + 1>;

  Judgement Compare(const Balances& balances);

  std::vector<Balances> after_{Balances{}};  // n commands
};

}  // namespace pawl::inline v0
