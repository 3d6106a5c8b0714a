// What an Engine does about producers and sessions.

#include <bit>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine_parts.h"
#include "pawl/engine.h"

namespace pawl::inline v0 {

absl::Status CheckSessionOptions(const EngineOptions& options) {
  if (options.sessions_max == 0 || options.sessions_max > kSessionsMaxMax) {
    return absl::InvalidArgumentError("sessions_max must be 1 to 16,777,216");
  }
  if (!std::has_single_bit(options.session_window) || options.session_window > 65'536) {
    return absl::InvalidArgumentError("session_window must be a power of two, at most 65,536");
  }
  if (options.receipts_max > 0 && options.receipts_max < options.session_window) {
    return absl::InvalidArgumentError("receipts_max must be at least session_window, or 0");
  }
  if (options.receipts_max > kReceiptsMaxMax) {
    return absl::InvalidArgumentError("receipts_max is at most 68,719,476,736");
  }
  if (options.keys_max == 0 || options.keys_max > kKeysMaxMax) {
    return absl::InvalidArgumentError("keys_max must be 1 to 67,108,864");
  }
  if (options.key_window.count() < 0) {
    return absl::InvalidArgumentError("key_window must be ≥ 0; 0: no key is remembered");
  }
  return absl::OkStatus();
}

absl::StatusOr<Producer> Engine::NewProducer(const ProducerOptions& options) {
  if (options.session.size() > kSessionNameBytesMax) {
    return absl::InvalidArgumentError("a session's name has at most 128 bytes");
  }
  if (options.lane != SessionLane::kControl && options.lane != SessionLane::kBulk) {
    return absl::InvalidArgumentError("a producer's lane is kControl or kBulk");
  }
  const auto deadline = std::chrono::steady_clock::now() + kRoomWait;
  ControlRequest request{.kind = ControlRequest::Kind::kOpenLane,
                         .session = options.session,
                         .session_lane = options.lane};
  if (absl::Status opened = parts_->AskWithRoom(request, deadline); !opened.ok()) return opened;
  Producer producer(request.lane);
  if (!request.lane->PrepareToSend()) {
    return absl::ResourceExhaustedError("not enough memory for a producer's part of the queue");
  }
  request.lane->SetWhenFull(options.when_full, options.full_timeout.count());
  if (options.session.empty()) return producer;
  // A generation that a power cut takes back would be given to another producer after it.
  if (absl::Status s = parts_->AwaitDurable(request.opened_at, deadline); !s.ok()) return s;
  return producer;
}

absl::Status EngineParts::CloseSession(ProducerLane* lane, std::string_view name) {
  const auto deadline = std::chrono::steady_clock::now() + kRoomWait;
  ControlRequest request{
      .kind = ControlRequest::Kind::kCloseSession, .lane = lane, .session = name};
  absl::Status closed = AskWithRoom(request, deadline);
  // That there is none rests on a closing that a power cut may take back, like the closing itself.
  if (!closed.ok() && !absl::IsNotFound(closed)) return closed;
  if (absl::Status s = AwaitDurable(request.opened_at, deadline); !s.ok()) return s;
  return closed;
}

absl::Status Engine::CloseSession(std::string_view name) {
  return parts_->CloseSession(nullptr, name);
}

absl::Status Producer::CloseSession() {
  if (lane_->session() == 0) return absl::InvalidArgumentError("the producer has no session");
  return lane_->engine().CloseSession(lane_, {});
}

absl::StatusOr<std::uint32_t> Engine::CloseIdleSessions(std::chrono::nanoseconds idle_for) {
  if (idle_for.count() < 0) return absl::InvalidArgumentError("idle_for must be ≥ 0");
  ControlRequest request{.kind = ControlRequest::Kind::kCloseIdle,
                         .idle_ns = static_cast<std::uint64_t>(idle_for.count())};
  while (!request.is_done) {
    const auto deadline = std::chrono::steady_clock::now() + kRoomWait;
    if (absl::Status s = parts_->AskWithRoom(request, deadline); !s.ok()) return s;
  }
  const auto deadline = std::chrono::steady_clock::now() + kRoomWait;
  if (absl::Status s = parts_->AwaitDurable(request.opened_at, deadline); !s.ok()) return s;
  return request.closed;
}

}  // namespace pawl::inline v0
