#include "crash_oracle.h"

#include <sys/mman.h>

#include <chrono>
#include <thread>

#include <absl/status/status.h>

namespace bank {

CrashOracle* CrashOracle::Map() {
  void* memory = mmap(nullptr, sizeof(CrashOracle), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // Fresh pages are zeros, which is the state of an entry without a command: constructing two
  // million of them would touch all pages.
  return memory == MAP_FAILED ? nullptr : static_cast<CrashOracle*>(memory);
}

void CrashOracle::Unmap(CrashOracle* oracle) { munmap(oracle, sizeof(CrashOracle)); }

pawl::EngineOptions CrashEngineOptions(const std::string& directory) {
  pawl::EngineOptions options;
  options.directory = directory + "/log";
  options.segment_bytes = std::uint64_t{1} << 20;
  options.undurable_bytes_max = std::uint64_t{16} << 20;
  options.streams_max = 1'024;
  options.session_window = CrashOracle::kWindow;
  return options;
}

absl::StatusOr<pawl::Producer> OpenTeller(pawl::Engine& engine) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (true) {
    auto producer = engine.NewProducer({.session = CrashOracle::kSession});
    if (!absl::IsResourceExhausted(producer.status())) return producer;
    if (std::chrono::steady_clock::now() > deadline) return producer;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace bank
