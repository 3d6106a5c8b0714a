#include "wake_chain.h"

#include <vector>

namespace pawl::inline v0::bench {

WakeChain::WakeChain(const WakeOptions& options) : options_(options) {
  relays_[0] = std::thread([this] { Relay(0, options_.placement.loop_core); });
  relays_[1] = std::thread([this] { Relay(1, options_.placement.projector_core); });
}

WakeChain::~WakeChain() {
  words_[0].Send(kEnd);
  for (std::thread& relay : relays_) relay.join();
}

void WakeChain::Relay(std::size_t index, int core) {
  PinThisThread(core);
  for (std::uint32_t number = 0; number != kEnd;) {
    number = words_[index].Await(number);
    words_[index + 1].Send(number);
  }
}

WakeTimes WakeChain::Run(WakeSchedule& schedule) {
  std::vector<std::int64_t> intended_ns(options_.samples);
  std::vector<std::int64_t> seen_ns(options_.samples);
  const std::uint32_t before = sent_;
  bool is_right = true;
  std::thread reader([&] {
    PinThisThread(options_.reader_core);
    // Who sees a number has seen those before it, should the chain be late.
    for (std::uint64_t seen = 0; seen < options_.samples;) {
      const std::uint32_t number = words_[kRelays].Await(before + static_cast<std::uint32_t>(seen));
      const std::int64_t now_ns = SteadyNowNs();
      const std::uint64_t until = number - before;
      is_right = is_right && until > seen && until <= options_.samples;
      for (; seen < until && seen < options_.samples; ++seen) seen_ns[seen] = now_ns;
    }
  });
  schedule.Begin();
  for (std::uint64_t i = 0; i < options_.samples; ++i) {
    intended_ns[i] = schedule.Next();
    WakeSchedule::WaitFor(intended_ns[i], [] {});
    words_[0].Send(++sent_);
  }
  reader.join();
  is_verified_ = is_verified_ && is_right;
  WakeTimes times;
  for (std::uint64_t i = 0; i < options_.samples; ++i) {
    times.visible.Record(seen_ns[i] - intended_ns[i]);
  }
  return times;
}

}  // namespace pawl::inline v0::bench
