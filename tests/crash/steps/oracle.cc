#include "oracle.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

const char* NameOf(Finding finding) noexcept {
  switch (finding) {
    case Finding::kGood: return "good";
    case Finding::kLost: return "lost";
    case Finding::kDamage: return "accepted_damage";
    case Finding::kWrong: return "wrong_read";
    case Finding::kRefused: return "refused_torn";
    case Finding::kBadOrder: return "bad_order";
    case Finding::kAborted: return "aborted";
  }
  return "unknown";
}

Judgement Oracle::JudgeEnd(const RecoveryReport& recovery) const {
  const std::uint64_t end = recovery.end.value();
  if (end < watch_.durable()) {
    return {Finding::kDamage,
            absl::StrCat("the log ends at ", end, ", durable up to ", watch_.durable())};
  }
  if (end < watch_.published()) {
    return {Finding::kLost,
            absl::StrCat("the log ends at ", end, ", published up to ", watch_.published())};
  }
  return {};
}

}  // namespace pawl::inline v0
