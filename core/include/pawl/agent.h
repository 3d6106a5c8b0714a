#pragma once

#include <cstdint>
#include <string_view>

#include "pawl/agent_meter.h"
#include "pawl/clock.h"
#include "pawl/doorbell.h"

namespace pawl::inline v0 {

// When a round should end early: host-driven, with the budget of Engine::Poll().
//   threads   any
class Deadline {
 public:
  Deadline(Clock& clock, std::uint64_t end_ns) noexcept : clock_(clock), end_ns_(end_ns) {}
  bool IsOver() const noexcept { return clock_.BootNs() >= end_ns_; }  // about 20 ns
  std::uint64_t end_ns() const noexcept { return end_ns_; }            // of Clock::BootNs()

 private:
  Clock& clock_;
  const std::uint64_t end_ns_;
};

// How often DoWork() of an agent is called while the engine stops: a view that is a million frames
// behind still comes to the end of the log, and an agent whose work never ends holds no stop up.
inline constexpr int kStopRoundsMax = 65'536;

// Something that makes progress in bounded rounds. The engine gives it a thread of its own, or the
// host calls it through Engine::Poll().
// Header-only, no key function: users may derive with -fno-rtti.
class Agent {
 public:
  virtual ~Agent() = default;

  // One bounded round. Returns the work done; 0: nothing to do now.
  virtual int DoWork() noexcept = 0;
  // The same, with an end: at least one small step, then more of them until the deadline. An agent
  // whose rounds are short need not know of it.
  virtual int DoWorkUntil(const Deadline&) noexcept { return DoWork(); }
  // True if DoWork() would find something. Asked before the agent's thread sleeps.
  virtual bool HasWork() noexcept = 0;
  // Rung by whoever makes work; the agent's thread sleeps there. Always the same one; nobody else
  // sleeps there, and the last ring returns before the agent is detached.
  virtual Doorbell& bell() noexcept = 0;
  // Longest sleep although nobody rings, nanoseconds; −1: for ever.
  virtual std::int64_t sleep_ns() noexcept { return -1; }
  virtual std::string_view name() const noexcept = 0;  // ≤ 15 characters: also the thread's name
  // Given by Engine::Attach() before the first DoWork(), for who wants to tell how far it is.
  virtual void UseMeter(const AgentMeter&) noexcept {}
  // Engine::Stop() ends it: who stops the engine, once the agent's thread is gone, calls DoWork()
  // until it returns 0, at most kStopRoundsMax times, then this, and never DoWork() again. For who
  // lets others wait for what it does. Calls nothing of the engine, which waits for it.
  virtual void EngineStopped() noexcept {}
};

// On which of the engine's own threads an agent runs. Host-driven it means nothing.
struct AgentThread {
  // Agents that name the same thread share it; those of the engine's own agents ("pawl-loop",
  // "pawl-sync", "pawl-prepare") can be named too, but whoever joins a disk agent waits for the
  // disk, and while he does not return the engine is stalled. 1 to 15 characters; empty: a thread
  // for this agent alone, with the agent's name.
  std::string_view name{};
  int core = -1;  // pins the thread; −1: not pinned, or as whoever came to it first said
};

// How an agent's thread waits when DoWork() returned 0.
enum class Idle : std::uint8_t {
  kBackOff,  // spins and yields for a few microseconds, then sleeps until rung
  kYield,    // yields its core, never sleeps
  kSpin,     // keeps its core
};

}  // namespace pawl::inline v0
