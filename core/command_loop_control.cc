#include <algorithm>
#include <cstring>

#include "command_loop.h"
#include "pawl/check.h"

// What cold calls ask of the loop, between two turns.
namespace pawl::inline v0 {

absl::Status CommandLoop::Serve(ControlRequest& request) noexcept {
  switch (request.kind) {
    case ControlRequest::Kind::kOpenLane: {
      UpdateRoom();
      request.lacks_room = !request.session.empty() && !HasRoom();
      absl::StatusOr<ProducerLane*> lane = OpenLane(request.session);
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

absl::StatusOr<ProducerLane*> CommandLoop::OpenLane(std::string_view session) noexcept {
  if (is_failed_ || is_draining_) {
    return absl::UnavailableError("the engine stopped or failed; open it again");
  }
  const auto free = std::find_if(lanes_.begin(), lanes_.end(),
                                 [](const auto& lane) { return !lane->loop.is_open; });
  if (free == lanes_.end()) {
    return absl::ResourceExhaustedError(
        "producers_max is reached; destroy a producer or raise the limit");
  }
  std::uint32_t number = 0;
  if (!session.empty()) {
    absl::StatusOr<std::uint32_t> opened = OpenSession(session);
    if (!opened.ok()) return opened.status();
    number = *opened;
  }
  ProducerLane& lane = **free;
  lane.BeginUse(number, number == 0 ? 0 : sessions_.generation(number),
                number == 0 ? Sequence() : sessions_.last(number));
  lane.loop = {.is_open = true};
  guard_.flight().SetSession(lane.index(), number);
  if (meter_.is_on()) lane.wait.Ask();
  meter_.CountProducer(1);
  return &lane;
}

absl::StatusOr<std::uint32_t> CommandLoop::OpenSession(std::string_view name) noexcept {
  std::uint32_t number = sessions_.Find(name);
  const std::uint32_t generation = number == 0 ? 1 : sessions_.generation(number) + 1;
  if (number == 0) number = sessions_.count() + 1;
  UpdateRoom();
  if (!HasRoom()) {
    return absl::ResourceExhaustedError("the disk is low or behind; try again later");
  }
  if (!sessions_.Open(number, name, generation)) {
    return absl::ResourceExhaustedError("sessions_max is reached; raise the limit");
  }
  const SessionOpened opened{.session = number,
                             .generation = generation,
                             .name_bytes = static_cast<std::uint16_t>(name.size()),
                             .reserved = {}};
  writer_.SetTime(clock_.Tick());
  writer_.BeginCommit();
  std::byte* room = writer_.AppendRecord({.kind = RecordKind::kSessionOpened},
                                         static_cast<std::uint32_t>(sizeof opened + name.size()));
  PAWL_CHECK(room != nullptr);
  std::memcpy(room, &opened, sizeof opened);
  std::memcpy(room + sizeof opened, name.data(), name.size());
  static_cast<void>(writer_.EndCommit({.cause = CommitCause::kControl}));
  pending_.EndTurn(writer_.Publish());
  meter_.CountFrame();
  meter_.SetSessions(sessions_.count());
  meter_.EndTurn(Newest());
  RingReaders();
  return number;
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
