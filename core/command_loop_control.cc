#include <algorithm>

#include "command_loop.h"
#include "pawl/check.h"

// What cold calls ask of the loop, between two turns.
namespace pawl::inline v0 {

absl::Status CommandLoop::Serve(ControlRequest& request) noexcept {
  switch (request.kind) {
    case ControlRequest::Kind::kOpenLane: {
      UpdateRoom();
      request.lacks_room = !request.session.empty() && !HasRoom();
      absl::StatusOr<ProducerLane*> lane = OpenLane(request);
      if (!lane.ok()) return lane.status();
      request.lane = *lane;
      request.opened_at = writer_.published();
      return absl::OkStatus();
    }
    case ControlRequest::Kind::kCloseLane:
      request.lane->loop.is_closing = true;
      request.lane->loop.closes_after = request.lane->sent();
      ++closing_lanes_;
      return absl::OkStatus();
    case ControlRequest::Kind::kCloseSession: return CloseSession(request);
    case ControlRequest::Kind::kCloseIdle: return CloseIdle(request);
    case ControlRequest::Kind::kAddBell:
      if (reader_bells_.size() == reader_bells_.capacity()) {
        return absl::ResourceExhaustedError("agents_max is reached; detach one or raise the limit");
      }
      reader_bells_.push_back(request.bell);
      return absl::OkStatus();
    case ControlRequest::Kind::kRemoveBell:
      std::erase(reader_bells_, request.bell);
      return absl::OkStatus();
    case ControlRequest::Kind::kVisit: (*request.visit)(); return absl::OkStatus();
    case ControlRequest::Kind::kDrain:
      is_draining_ = true;
      while (RefuseEverything() != 0) {
      }
      PublishAnswers();
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<ProducerLane*> CommandLoop::OpenLane(const ControlRequest& request) noexcept {
  if (is_failed_ || is_draining_) {
    return absl::UnavailableError("the engine stopped or failed; open it again");
  }
  const auto free = std::find_if(lanes_.begin(), lanes_.end(),
                                 [](const auto& lane) { return !lane->loop.is_open; });
  if (free == lanes_.end()) {
    return absl::ResourceExhaustedError(
        "producers_max is reached; destroy a producer or raise the limit");
  }
  ProducerLane::Use use{.session_lane = request.session_lane};
  if (!request.session.empty()) {
    absl::StatusOr<std::uint32_t> opened = OpenSession(request.session, request.session_lane);
    if (!opened.ok()) return opened.status();
    const Session& session = sessions_.At(*opened, request.session_lane);
    use.session = *opened;
    use.generation = session.generation();
    use.last = session.last();
  }
  if (use.session_lane == SessionLane::kBulk) queues_used_ = queues_.size();
  ProducerLane& lane = **free;
  lane.BeginUse(use);
  lane.loop = {.is_open = true};
  guard_.flight().SetSender(lane.index(), lane.flight_sender());
  if (meter_.is_on()) lane.wait.Ask();
  meter_.CountProducer(1);
  return &lane;
}

void CommandLoop::CloseLanes() noexcept {
  for (const std::unique_ptr<ProducerLane>& lane : lanes_) {
    ProducerLane::LoopSide& side = lane->loop;
    if (!side.is_closing || side.processed != side.closes_after || side.pending != 0) continue;
    side = {};
    --closing_lanes_;
    meter_.CountProducer(-1);
  }
}

}  // namespace pawl::inline v0
