// Scenario benchmarks: `pawl_bench SCENARIO [options]`. See bench/README.md.

#include <cstdio>
#include <string>

#include "arguments.h"
#include "bank_scenario.h"
#include "durable_scenario.h"
#include "features_scenario.h"
#include "open_scenario.h"
#include "wake_scenario.h"

int main(int argc, char** argv) {
  pawl::bench::Arguments arguments(argc, argv);
  const std::string scenario = arguments.Word("");
  if (scenario == "bank") return pawl::bench::RunBankScenario(arguments);
  if (scenario == "bank-features") return pawl::bench::RunFeaturesScenario(arguments);
  if (scenario == "wake") return pawl::bench::RunWakeScenario(arguments);
  if (scenario == "durable") return pawl::bench::RunDurableScenario(arguments);
  if (scenario == "open") return pawl::bench::RunOpenScenario(arguments);
  std::fprintf(stderr,
               "usage: pawl_bench SCENARIO [options]\n"
               "scenarios: bank, bank-features, wake, durable, open\n");
  return 2;
}
