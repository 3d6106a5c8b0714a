// A busy engine with a view, for loop_kernel_test.cc, under strace: `busy_engine IDLE`, IDLE being
// `spin` or `back-off`. Warms up, says BEGIN, sends commands of both levels until three segments
// are full, says END, and prints the loop's thread id.

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bank_fixture.h"
#include "mixed_traffic.h"
#include "pawl/view.h"
#include "thread_facts.h"

namespace {

struct Total {
  using Events = pawl::Events<pawl::Deposited>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const pawl::Deposited& e, const pawl::Meta&) noexcept { cents += e.cents; }
};

void Say(std::string_view word) {
  if (::write(STDERR_FILENO, word.data(), word.size()) < 0) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view idle(argc > 1 ? argv[1] : "");
  const pawl::TestDirectory directory;
  pawl::EngineOptions options = directory.Options();
  options.idle = idle == "spin" ? pawl::Idle::kSpin : pawl::Idle::kBackOff;
  auto engine = pawl::Engine::Open(options, pawl::Aggregates<pawl::Account>{});
  if (!engine.ok()) return 1;
  auto view = pawl::Project<Total>(**engine);
  auto producer = (*engine)->NewProducer({.session = "teller"});
  if (!view.ok() || !producer.ok()) return 1;
  // Never armed: the loop must not write to it.
  if (!producer->EventFd().ok()) return 1;

  pawl::MixedTraffic traffic(*producer);
  const auto wait = [&producer] { producer->Wait(std::chrono::milliseconds(10)); };
  traffic.Run(5'000, wait);
  Say("BEGIN\n");
  const std::uint64_t begin = (*engine)->log().published().value();
  // In portions: at the end of each the disk agents and the sender have nothing to do and sleep.
  while ((*engine)->log().published().value() < begin + 3 * options.segment_bytes) {
    traffic.Run(2'000, wait);
  }
  Say("END\n");
  std::printf("%d\n", pawl::ThreadNamed("pawl-loop"));
  return traffic.is_sound() ? 0 : 1;
}
