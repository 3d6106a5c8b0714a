// Two programs for stats_file_test.cc.
//   stats_reader read HOT        prints the statistics of the engine whose hot directory that is
//   stats_reader die LOG HOT     opens an engine, has it decide three commands and kills itself

#include <signal.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "bank_fixture.h"
#include "pawl/stats.h"

namespace {

int Read(const std::string& path) {
  const absl::StatusOr<pawl::EngineStats> stats = pawl::ReadStats(path);
  if (!stats.ok()) {
    std::fprintf(stderr, "%s\n", std::string(stats.status().message()).c_str());
    return 1;
  }
  const auto print = [](std::string_view name, std::uint64_t value) {
    std::printf("%.*s=%llu\n", static_cast<int>(name.size()), name.data(),
                static_cast<unsigned long long>(value));
  };
  print("pid", stats->pid);
  print("stopped", stats->is_stopped ? 1 : 0);
  std::printf("health=%s\n", std::string(ToString(stats->health)).c_str());
  print("sent", stats->commands_sent);
  print("accepted", stats->outcome(pawl::VerdictKind::kAccepted));
  print("refused", stats->outcome(pawl::VerdictKind::kRefused));
  print("durable", stats->durable.value());
  for (std::size_t i = 0; i < pawl::kStages; ++i) {
    const auto name = ToString(static_cast<pawl::Stage>(i));
    print(std::string(name) + " p99", stats->stages[i].p99_ns);
  }
  return 0;
}

int Die(const std::string& log, const std::string& hot) {
  auto engine = pawl::Engine::Open({.directory = log,
                                    .hot_directory = hot,
                                    .segment_bytes = std::uint64_t{1} << 20,
                                    .undurable_bytes_max = std::uint64_t{4} << 20},
                                   pawl::Aggregates<pawl::Account>{});
  if (!engine.ok()) return 0;
  auto producer = (*engine)->NewProducer();
  for (int i = 0; i < 3; ++i) {
    if (!producer->Execute<pawl::Account>(pawl::Key(1), pawl::Deposit{1}).ok()) return 0;
  }
  ::raise(SIGKILL);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what(argc > 1 ? argv[1] : "");
  if (what == "read" && argc == 3) return Read(argv[2]);
  if (what == "die" && argc == 4) return Die(argv[2], argv[3]);
  return 2;
}
