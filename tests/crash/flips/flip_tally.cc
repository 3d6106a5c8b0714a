#include "flip_tally.h"

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

void AddOutcomes(Outcomes& to, const Outcomes& from) {
  to.count += from.count;
  to.refused += from.refused;
  to.harmless += from.harmless;
  to.unevidenced += from.unevidenced;
}

std::string JsonOf(const char* name, const Outcomes& outcomes) {
  return absl::StrCat(", \"", name, "\": ", outcomes.count, ", \"", name,
                      "_refused\": ", outcomes.refused, ", \"", name,
                      "_harmless\": ", outcomes.harmless, ", \"", name,
                      "_unevidenced\": ", outcomes.unevidenced);
}

}  // namespace

void FlipTally::Add(const FlipTally& other) {
  AddOutcomes(flips, other.flips);
  AddOutcomes(truncations, other.truncations);
  owed_flips += other.owed_flips;
  owed_unevidenced += other.owed_unevidenced;
  lost += other.lost;
  wrong_reads += other.wrong_reads;
  refused_torn += other.refused_torn;
  accepted_damage += other.accepted_damage;
  changed_by_refusal += other.changed_by_refusal;
}

std::string FlipTally::ToJson() const {
  const double rate = owed_flips == 0
                          ? 0.0
                          : static_cast<double>(owed_unevidenced) / static_cast<double>(owed_flips);
  return absl::StrCat("{\"count\": ", flips.count + truncations.count, ", \"lost\": ", lost,
                      ", \"wrong_reads\": ", wrong_reads, ", \"refused_torn\": ", refused_torn,
                      ", \"accepted_damage\": ", accepted_damage,
                      ", \"changed_by_refusal\": ", changed_by_refusal, JsonOf("flips", flips),
                      ", \"owed_flips\": ", owed_flips, ", \"unevidenced_rate\": ", rate,
                      JsonOf("truncations", truncations));
}

}  // namespace pawl::inline v0
