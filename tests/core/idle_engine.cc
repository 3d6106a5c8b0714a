// An engine with three views, two of them on one thread, and nothing to do, for idle_test.cc: works
// once, goes idle, says BEGIN, rests for three seconds, says END and how much processor time the
// rest took.

#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "bank_fixture.h"
#include "pawl/view.h"

namespace {

struct Total {
  using Events = pawl::Events<pawl::Deposited>;
  static constexpr int kVersion = 1;
  std::int64_t cents = 0;
  void On(const pawl::Deposited& e, const pawl::Meta&) noexcept { cents += e.cents; }
};

std::int64_t ProcessorMicroseconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1'000'000 + used.ru_utime.tv_usec +
         used.ru_stime.tv_usec;
}

void Say(std::string_view word) {
  if (::write(STDERR_FILENO, word.data(), word.size()) < 0) std::abort();
}

}  // namespace

int main() {
  const pawl::TestDirectory directory;
  auto engine = pawl::Engine::Open(directory.Options(), pawl::Aggregates<pawl::Account>{});
  if (!engine.ok()) return 1;
  auto view = pawl::Project<Total>(**engine);
  auto first = pawl::Project<Total>(**engine, {.thread = "readers"});
  auto second = pawl::Project<Total>(**engine, {.thread = "readers"});
  auto producer = (*engine)->NewProducer();
  if (!view.ok() || !first.ok() || !second.ok() || !producer.ok()) return 1;
  const auto receipt = producer->Execute<pawl::Account>(pawl::Key(1), pawl::Deposit{1});
  if (!receipt.ok()) return 1;
  for (const auto* each : {&*view, &*first, &*second}) {
    const auto seen = each->Read(pawl::AtLeast(*receipt, std::chrono::seconds(60)),
                                 [](const Total& total) noexcept { return total.cents; });
    if (!seen.ok() || *seen != 1) return 1;
  }

  // The last sync is written down as evidence, the next segment made ready: then it is idle.
  ::poll(nullptr, 0, 2000);
  Say("BEGIN\n");
  const std::int64_t before = ProcessorMicroseconds();
  ::poll(nullptr, 0, 3000);
  const std::int64_t used = ProcessorMicroseconds() - before;
  Say("END\n");
  std::printf("%lld\n", static_cast<long long>(used));
  return 0;
}
