#include "step_tally.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

std::uint64_t StepTally::failures() const {
  std::uint64_t sum = 0;
  for (const auto& [finding, count] : found) {
    if (finding != Finding::kGood) sum += count;
  }
  return sum;
}

std::uint64_t StepTally::FoundOf(Finding finding) const {
  const auto at = found.find(finding);
  return at == found.end() ? 0 : at->second;
}

std::uint64_t StepTally::Distinct(std::uint64_t phases) const {
  return static_cast<std::uint64_t>(
      std::count_if(addresses_.begin(), addresses_.end(),
                    [&](const auto& each) { return (each.second & phases) != 0; }));
}

StepTally::Extent StepTally::ExtentOf(std::uint64_t phases, const ProgramText& text,
                                      const std::vector<std::uint64_t>& instructions) const {
  std::set<const ProgramText::Function*> entered;
  Extent extent;
  for (const auto& [address, in] : addresses_) {
    const ProgramText::Function* const function = text.Find(address);
    if ((in & phases) == 0 || function == nullptr || !function->is_ours) continue;
    entered.insert(function);
    ++extent.stepped;
  }
  for (const ProgramText::Function* function : entered) {
    const auto begin = std::lower_bound(instructions.begin(), instructions.end(), function->begin);
    const auto end = std::lower_bound(begin, instructions.end(), function->end);
    extent.exist += static_cast<std::uint64_t>(end - begin);
  }
  return extent;
}

std::string StepTally::ToJson(const ProgramText* text) const {
  std::vector<std::uint64_t> instructions;
  if (text != nullptr) instructions = text->Instructions();
  const auto totals = [&](std::uint64_t phases) -> std::string {
    if (instructions.empty()) return "\"engine_distinct\": null, \"engine_total\": null";
    const Extent extent = ExtentOf(phases, *text, instructions);
    return absl::StrCat("\"engine_distinct\": ", extent.stepped,
                        ", \"engine_total\": ", extent.exist);
  };
  std::string phases;
  for (const auto& [phase, count] : phases_) {
    const std::uint64_t bit = std::uint64_t{1} << phase;
    absl::StrAppend(&phases, phases.empty() ? "" : ", ", "\"", names_.at(phase),
                    "\": {\"steps\": ", count.steps, ", \"changes\": ", count.changes,
                    ", \"distinct\": ", Distinct(bit), ", ", totals(bit), "}");
  }
  return absl::StrCat("{\"count\": ", steps, ", \"judged\": ", judged, ", \"unjudged\": ", unjudged,
                      ", \"distinct\": ", Distinct(~std::uint64_t{0}), ", ",
                      totals(~std::uint64_t{0}), ", \"lost\": ", FoundOf(Finding::kLost),
                      ", \"wrong_reads\": ", FoundOf(Finding::kWrong),
                      ", \"refused_torn\": ", FoundOf(Finding::kRefused),
                      ", \"accepted_damage\": ", FoundOf(Finding::kDamage),
                      ", \"bad_order\": ", FoundOf(Finding::kBadOrder),
                      ", \"aborted\": ", FoundOf(Finding::kAborted), ", \"lives\": ", lives,
                      ", \"full_looks\": ", looks, ", \"phases\": {", phases, "}");
}

}  // namespace pawl::inline v0
