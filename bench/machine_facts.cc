#include "machine_facts.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace pawl::inline v0::bench {
namespace {

// Value of the first line "name : value" of a /proc file; empty when there is none.
std::string FactOf(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (!line.starts_with(name) || colon == std::string::npos) continue;
    const auto value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

std::string Kernel() {
  utsname facts{};
  if (uname(&facts) != 0) return "";
  return std::string(facts.sysname) + " " + facts.release + " " + facts.machine;
}

const char* Compiler() {
#if defined(__clang__)
  return "clang " __VERSION__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string CoreName(int core) { return core == kAnyCore ? "any" : std::to_string(core); }

void WriteThreads(JsonWriter& json, const Placement& placement) {
  json.BeginObject("thread_on_core");
  json.Text("producer", CoreName(placement.producer_core));
  json.Text("loop", CoreName(placement.loop_core));
  json.Text("projector", CoreName(placement.projector_core));
  json.EndObject();
}

}  // namespace

int CoresOnline() { return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); }

void WriteMachineFacts(JsonWriter& json, const Placement& placement) {
  json.BeginObject("machine");
  const std::string cpu = "family " + FactOf("/proc/cpuinfo", "cpu family") + " model " +
                          FactOf("/proc/cpuinfo", "model\t");
  json.Text("cpu", FactOf("/proc/cpuinfo", "model name") + " (" + cpu + ")");
  json.Integer("cores", static_cast<std::uint64_t>(CoresOnline()));
  json.Text("memory", FactOf("/proc/meminfo", "MemTotal"));
  json.Text("kernel", Kernel());
  WriteThreads(json, placement);
  json.EndObject();

  json.BeginObject("flags");
  json.Text("compiler", Compiler());
  json.Text("compile", PAWL_BENCH_COMPILE_FLAGS);
  json.Text("allocator", "glibc");
  const char* commit = std::getenv("PAWL_COMMIT");
  json.Text("commit", commit != nullptr ? commit : "unknown");
  json.EndObject();
}

}  // namespace pawl::inline v0::bench
