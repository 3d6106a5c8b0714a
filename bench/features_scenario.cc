#include "features_scenario.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_writer.h"
#include "machine_facts.h"
#include "or_fail.h"
#include "spread_json.h"
#include "temporary_directory.h"

namespace pawl::inline v0::bench {
namespace {

constexpr std::string_view kUsage =
    "usage: pawl_bench bank-features [--commands N] [--batch N] [--runs N] [--directory D]\n"
    "                                [--no-instructions | --ratio-max PERCENT] [--json]\n"
    "\n"
    "  --ratio-max PERCENT   exit with 1 if the instructions with features are more, of those "
    "without\n";

struct Plan {
  std::uint64_t count = 0;
  std::string batch;
  std::uint64_t runs = 0;
  std::string directory;
  bool has_instructions = false;
  double ratio_max = 0;  // 0: none
  bool is_json = false;
};

Plan ReadPlan(Arguments& arguments) {
  Plan plan;
  plan.count =
      static_cast<std::uint64_t>(arguments.Number("--commands", 1'000'000, 1'000, 100'000'000));
  plan.batch = std::to_string(arguments.Number("--batch", 256, 1, 4096));
  plan.runs = static_cast<std::uint64_t>(arguments.Number("--runs", 7, 1, 1'000));
  plan.directory = arguments.Text("--directory", ".");
  plan.has_instructions = !arguments.Flag("--no-instructions");
  plan.ratio_max = static_cast<double>(arguments.Number("--ratio-max", 0, 0, 1'000)) / 100;
  plan.is_json = arguments.Flag("--json");
  arguments.RefuseTheRest(kUsage);
  return plan;
}

// A program of two: with all features, or without any.
struct Side {
  const char* name;
  const char* program;  // beside this one
  const char* features;
};
constexpr std::array<Side, 2> kSides{
    {{"on", "pawl_feature_run", "1"}, {"off", "pawl_feature_run_unchecked", "0"}}};

// What a single command may use on top of that (pawl_feature_run --use), counted for fewer
// commands.
constexpr std::array<const char*, 5> kUses{"nothing", "bulk", "key", "other", "timer"};
constexpr std::uint64_t kUsesShare = 10;

std::string PathBesideThisProgram(const char* name) {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename(name).string();
}

// Runs a program to its end.
//   returns   what it printed
std::string OutputOf(const std::vector<std::string>& words) {
  int ends[2];
  if (::pipe(ends) != 0) Fail("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    std::fprintf(stderr, "pawl_bench: cannot run %s\n", words[0].c_str());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string output;
  char bytes[256];
  for (ssize_t n = 0; (n = ::read(ends[0], bytes, sizeof bytes)) > 0;) {
    output.append(bytes, static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
    Fail(words[0] + " failed");
  }
  return output;
}

std::vector<std::string> CommandOf(const Plan& plan, const Side& side, std::uint64_t commands) {
  return {PathBesideThisProgram(side.program),
          "--features",
          side.features,
          "--commands",
          std::to_string(commands),
          "--batch",
          plan.batch,
          "--directory",
          plan.directory};
}

double SecondsOf(const Plan& plan, const Side& side) {
  return std::stod(OutputOf(CommandOf(plan, side, plan.count)));
}

// Instructions of a command within Sender::Measured(), user code only. The first call of it makes
// the streams, a thousand commands.
//   use   of single commands; empty: in batches
double InstructionsOf(const Plan& plan, const Side& side, std::uint64_t commands,
                      const std::string& use) {
  const TemporaryDirectory folder(plan.directory, "pawl-callgrind");
  std::filesystem::create_directory(folder.path());
  const std::string file = folder.path() + "/out";
  std::vector<std::string> words{"valgrind", "--quiet", "--tool=callgrind",
                                 "--toggle-collect=*Sender::Measured*",
                                 "--callgrind-out-file=" + file};
  for (const std::string& word : CommandOf(plan, side, commands)) words.push_back(word);
  words.push_back("--counted-time");
  if (!use.empty()) words.insert(words.end(), {"--use", use});
  static_cast<void>(OutputOf(words));
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("summary: ")) {
      return static_cast<double>(std::stoull(line.substr(9))) / static_cast<double>(commands);
    }
  }
  Fail("valgrind left no summary in " + file);
}

}  // namespace

int RunFeaturesScenario(Arguments& arguments) {
  const Plan plan = ReadPlan(arguments);
  std::array<std::vector<double>, 2> rates;
  std::vector<double> ratios;
  for (std::uint64_t run = 1; run <= plan.runs; ++run) {
    std::array<double, 2> rate{};
    for (std::size_t k = 0; k < kSides.size(); ++k) {
      // The order alternates.
      const std::size_t which = (run + k) % kSides.size();
      rate[which] = static_cast<double>(plan.count) / SecondsOf(plan, kSides[which]);
      rates[which].push_back(rate[which]);
      std::fprintf(stderr, "run %lu: features %-3s %8.3f M commands/s\n",
                   static_cast<unsigned long>(run), kSides[which].name, rate[which] / 1e6);
    }
    ratios.push_back(rate[0] / rate[1]);
  }
  std::array<double, 2> instructions{};
  for (std::size_t which = 0; which < kSides.size() && plan.has_instructions; ++which) {
    instructions[which] = InstructionsOf(plan, kSides[which], plan.count, "");
    std::fprintf(stderr, "features %-3s %8.1f instructions a command\n", kSides[which].name,
                 instructions[which]);
  }
  std::array<double, kUses.size()> of_use{};
  for (std::size_t i = 0; i < kUses.size() && plan.has_instructions; ++i) {
    of_use[i] = InstructionsOf(plan, kSides[0], plan.count / kUsesShare, kUses[i]);
    std::fprintf(stderr, "single commands, %-8s %8.1f instructions\n", kUses[i], of_use[i]);
  }
  JsonWriter json;
  json.BeginObject();
  json.Text("scenario", "bank-features");
  for (std::size_t which = 0; which < kSides.size(); ++which) {
    json.BeginObject(kSides[which].name);
    WriteSpread(json, "commands_per_second", SpreadOf(rates[which]));
    if (plan.has_instructions) json.Number("instructions_per_command", instructions[which]);
    json.EndObject();
  }
  WriteSpread(json, "throughput_ratio", SpreadOf(ratios));
  if (plan.has_instructions) {
    json.Number("instructions_ratio", instructions[0] / instructions[1]);
    json.BeginObject("instructions_of_a_single_command");
    for (std::size_t i = 0; i < kUses.size(); ++i) json.Number(kUses[i], of_use[i]);
    json.EndObject();
  }
  json.Boolean("verified", true);  // a run that is not ends the program
  json.Integer("runs", plan.runs);
  json.Integer("commands", plan.count);
  WriteMachineFacts(json, {});
  json.EndObject();
  if (plan.is_json) {
    std::printf("%s\n", json.text().c_str());
  } else {
    std::printf("features on: %.2f of the throughput without (%.2f-%.2f)", SpreadOf(ratios).median,
                SpreadOf(ratios).min, SpreadOf(ratios).max);
    if (plan.has_instructions) {
      std::printf(", %.0f instructions a command beside %.0f, %.3f x", instructions[0],
                  instructions[1], instructions[0] / instructions[1]);
    }
    std::printf("\n");
  }
  const double ratio = plan.has_instructions ? instructions[0] / instructions[1] : 0;
  if (plan.ratio_max == 0 || ratio <= plan.ratio_max) return 0;
  std::fprintf(stderr, "pawl_bench: %.3f times the instructions, at most %.2f are allowed\n", ratio,
               plan.ratio_max);
  return 1;
}

}  // namespace pawl::inline v0::bench
