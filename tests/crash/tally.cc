#include "tally.h"

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

void Tally::Add(const Tally& other) {
  states += other.states;
  images += other.images;
  exhaustive_states += other.exhaustive_states;
  lost += other.lost;
  wrong_reads += other.wrong_reads;
  refused_torn += other.refused_torn;
  violations += other.violations;
  kills += other.kills;
  kill_lost += other.kill_lost;
  flips += other.flips;
  flips_refused += other.flips_refused;
  flips_harmless += other.flips_harmless;
  flips_unevidenced += other.flips_unevidenced;
  accepted_damage += other.accepted_damage;
  for (const auto& [path, count] : other.met) met[path] += count;
}

std::string Tally::ToJson() const {
  std::string paths;
  for (const auto& [path, count] : met) {
    absl::StrAppend(&paths, paths.empty() ? "" : ", ", "\"", path, "\": ", count);
  }
  return absl::StrCat("{\"count\": ", states, ", \"lost\": ", lost,
                      ", \"wrong_reads\": ", wrong_reads, ", \"refused_torn\": ", refused_torn,
                      ", \"accepted_damage\": ", accepted_damage, ", \"violations\": ", violations,
                      ", \"images\": ", images, ", \"exhaustive_states\": ", exhaustive_states,
                      ", \"kills\": ", kills, ", \"kill_lost\": ", kill_lost,
                      ", \"flips\": ", flips, ", \"flips_refused\": ", flips_refused,
                      ", \"flips_harmless\": ", flips_harmless,
                      ", \"flips_unevidenced\": ", flips_unevidenced, ", \"met\": {", paths, "}");
}

}  // namespace pawl::inline v0
