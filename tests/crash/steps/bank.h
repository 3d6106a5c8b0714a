#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "pawl/aggregate.h"
#include "pawl/clock.h"
#include "pawl/engine.h"
#include "pawl/key.h"

namespace pawl::inline v0 {

// The domain of the engine scenario: accounts, and transfers that write to two of them at once.
struct PutIn {
  std::int64_t cents;
};
struct MoveTo {
  Key to;
  std::int64_t cents;
};
struct CentsMoved {
  static constexpr EventType kType{"steps.cents-moved", 1};
  std::int64_t cents;
};

struct SteppedAccount {
  using Commands = pawl::Commands<PutIn, MoveTo>;
  using Events = pawl::Events<CentsMoved>;
  static constexpr std::string_view kCategory = "account";
  struct State {
    std::int64_t cents = 0;
  };
  static Verdict Decide(const State&, const PutIn& c, Emit<SteppedAccount>& emit) noexcept {
    emit(CentsMoved{c.cents});
    return Accept();
  }
  static Verdict Decide(const State&, const MoveTo& c, const Others&,
                        Emit<SteppedAccount>& emit) noexcept {
    emit(CentsMoved{-c.cents});
    emit.On<SteppedAccount>(c.to, CentsMoved{c.cents});
    return Accept();
  }
  static void Evolve(State& s, const CentsMoved& e) noexcept { s.cents += e.cents; }
};

// The same times in every run.
class SteppedClock final : public Clock {
 public:
  std::uint64_t WallNs() noexcept override { return kStartNs + ns_; }
  std::uint64_t BootNs() noexcept override { return ns_ += 1000; }

 private:
  static constexpr std::uint64_t kStartNs = 1'800'000'000'000'000'000;
  std::uint64_t ns_ = 0;
};

// Small limits: an engine is opened for every state that is judged.
inline EngineOptions BankOptions(const std::string& root, Storage* storage, Clock* clock) {
  return {.directory = root + "/log",
          .hot_directory = root + "/hot",
          .segment_bytes = kSegmentBytesMin,
          .undurable_bytes_max = 4 * kSegmentBytesMin,
          .streams_max = 16,
          .sessions_max = 2,
          .session_window = 16,
          .keys_max = 16,
          .producers_max = 2,
          .agents_max = 1,
          .threads = Threads::kHostAll,
          .clock = clock,
          .storage = storage};
}

}  // namespace pawl::inline v0
