#include "flip_trial.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "life.h"
#include "oracle.h"

namespace pawl::inline v0 {
namespace {

// Every so manieth refusal is looked at byte by byte; a prime, so that it meets all kinds of
// damage.
constexpr std::uint64_t kRefusalSample = 97;

// Damage of a segment that has an index is found by who reads it, in a log that is open.
bool IsFoundByReader(const Judgement& verdict) {
  return absl::StartsWith(verdict.what, "reader: DATA_LOSS");
}

bool IsRightRefusal(const Judgement& verdict) {
  return IsFoundByReader(verdict) || absl::StartsWith(verdict.what, "DATA_LOSS") ||
         absl::StartsWith(verdict.what, "FAILED_PRECONDITION");
}

// A refusal leaves every byte of the log as it was.
bool IsUntouched(const Damage& damage, const SimStorage& refused) {
  const std::unique_ptr<SimStorage> before = DamagedMachine(damage, 1);
  return std::all_of(
      damage.subject->files.begin(), damage.subject->files.end(),
      [&](const FileKept& file) { return before->Bytes(file.path) == refused.Bytes(file.path); });
}

std::string JudgeRefusal(const Damage& damage, const Judgement& verdict, const Expected& expected,
                         FlipTally& tally) {
  const bool may_refuse = expected.outcome != Expected::Outcome::kAccepted;
  if (may_refuse && IsRightRefusal(verdict)) {
    ++(damage.is_truncation ? tally.truncations : tally.flips).refused;
    return "";
  }
  ++tally.refused_torn;
  return absl::StrCat("refused_torn: ", verdict.what);
}

std::string JudgeAccepted(const Damage& damage, const Judgement& verdict, const Expected& expected,
                          FlipTally& tally) {
  const bool is_exact = expected.outcome == Expected::Outcome::kAccepted;
  if (expected.outcome == Expected::Outcome::kRefused) {
    ++tally.accepted_damage;
    return absl::StrCat("accepted_damage: opened with ", verdict.kept, " of ", damage.subject->owed,
                        " records owed ", verdict.what);
  }
  if (verdict.finding == Finding::kLost) {
    ++tally.lost;
    return absl::StrCat("lost: ", verdict.what);
  }
  if (!verdict.is_good() || (is_exact && verdict.kept != expected.kept)) {
    ++tally.wrong_reads;
    return absl::StrCat("wrong_read: ", verdict.what, " kept ", verdict.kept);
  }
  Outcomes& outcomes = damage.is_truncation ? tally.truncations : tally.flips;
  const bool is_whole = !is_exact || verdict.kept >= damage.subject->owed;
  ++(is_whole ? outcomes.harmless : outcomes.unevidenced);
  if (!is_whole && !damage.is_truncation) ++tally.owed_unevidenced;
  return "";
}

}  // namespace

std::string TryDamage(const Damage& damage, std::uint64_t number, FlipTally& tally) {
  const Expected expected = Expect(damage);
  ++(damage.is_truncation ? tally.truncations : tally.flips).count;
  if (expected.hits_owed_frame && !damage.is_truncation) ++tally.owed_flips;
  const std::unique_ptr<SimStorage> machine = DamagedMachine(damage, 1);
  Life life(machine.get(), damage.subject->history, 1);
  const std::uint64_t owed = expected.outcome == Expected::Outcome::kRefused ? 0 : expected.kept;
  const Judgement verdict = life.Begin(owed);
  std::string wrong = verdict.finding == Finding::kRefused
                          ? JudgeRefusal(damage, verdict, expected, tally)
                          : JudgeAccepted(damage, verdict, expected, tally);
  if (verdict.finding == Finding::kRefused && !IsFoundByReader(verdict) &&
      number % kRefusalSample == 0 && !IsUntouched(damage, *machine)) {
    ++tally.changed_by_refusal;
    absl::StrAppend(&wrong, " changed_by_refusal");
  }
  if (!wrong.empty()) wrong = absl::StrCat(damage.Name(), ": ", wrong);
  return wrong;
}

}  // namespace pawl::inline v0
