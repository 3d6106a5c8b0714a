#pragma once

#include <cstdint>
#include <string_view>

#include "pawl/agent_meter.h"
#include "pawl/doorbell.h"

namespace pawl::inline v0 {

// Something that makes progress in bounded rounds. The engine gives it a thread of its own, or the
// host calls it through Engine::Poll().
// Header-only, no key function: users may derive with -fno-rtti.
class Agent {
 public:
  virtual ~Agent() = default;

  // One bounded round. Returns the work done; 0: nothing to do now.
  virtual int DoWork() noexcept = 0;
  // True if DoWork() would find something. Asked before the agent's thread sleeps.
  virtual bool HasWork() noexcept = 0;
  // Rung by whoever makes work; the agent's thread sleeps there.
  virtual Doorbell& bell() noexcept = 0;
  // Longest sleep although nobody rings, nanoseconds; −1: for ever.
  virtual std::int64_t sleep_ns() noexcept { return -1; }
  virtual std::string_view name() const noexcept = 0;  // ≤ 15 characters: also the thread's name
  // Given by Engine::Attach() before the first DoWork(), for who wants to tell how far it is.
  virtual void UseMeter(const AgentMeter&) noexcept {}
};

// How an agent's thread waits when DoWork() returned 0.
enum class Idle : std::uint8_t {
  kBackOff,  // spins and yields for a few microseconds, then sleeps until rung
  kYield,    // yields its core, never sleeps
  kSpin,     // keeps its core
};

}  // namespace pawl::inline v0
