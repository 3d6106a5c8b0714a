// A stranger's first program: one counter, one view, a log in a temporary folder that is opened
// twice. Says what it read and exits with 0, or says what went wrong.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include <pawl/engine.h>
#include <pawl/view.h>

namespace {

struct Add {
  std::int64_t amount;
};

struct Added {
  static constexpr pawl::EventType kType{"stranger.added", 1};
  std::int64_t amount;
};

struct Counter {
  using Commands = pawl::Commands<Add>;
  using Events = pawl::Events<Added>;
  static constexpr std::string_view kCategory = "counter";
  struct State {
    std::int64_t sum = 0;
  };
  static pawl::Verdict Decide(const State&, const Add& add, pawl::Emit<Counter>& emit) noexcept {
    emit(Added{add.amount});
    return pawl::Accept();
  }
  static void Evolve(State& state, const Added& added) noexcept { state.sum += added.amount; }
};

struct Total {
  using Events = pawl::Events<Added>;
  static constexpr int kVersion = 1;
  std::int64_t sum = 0;
  void On(const Added& added, const pawl::Meta&) noexcept { sum += added.amount; }
};

// Opens the log, adds `amount`, and returns the total that the view then shows, or -1.
std::int64_t AddOnce(const std::string& directory, std::int64_t amount) {
  auto engine = pawl::Engine::Open({.directory = directory}, pawl::Aggregates<Counter>{});
  if (!engine.ok()) {
    std::fprintf(stderr, "open: %s\n", engine.status().ToString().c_str());
    return -1;
  }
  auto view = pawl::Project<Total>(**engine);
  auto producer = (*engine)->NewProducer();
  if (!view.ok() || !producer.ok()) return -1;
  auto receipt = producer->Execute<Counter>(pawl::Key(1), Add{amount});
  if (!receipt.ok()) {
    std::fprintf(stderr, "execute: %s\n", receipt.status().ToString().c_str());
    return -1;
  }
  auto total = view->Read(pawl::AtLeast(*receipt, std::chrono::seconds(30)),
                          [](const Total& seen) noexcept { return seen.sum; });
  return total.ok() ? *total : -1;
}

}  // namespace

int main() {
  std::string folder = (std::filesystem::temp_directory_path() / "pawl-stranger-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const std::int64_t first = AddOnce(folder + "/log", 40);
  const std::int64_t second = AddOnce(folder + "/log", 2);
  std::filesystem::remove_all(folder);
  std::printf("an installed Pawl says %lld and, opened again, %lld\n",
              static_cast<long long>(first), static_cast<long long>(second));
  return first == 40 && second == 42 ? 0 : 1;
}
