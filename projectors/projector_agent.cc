#include "pawl/projector_agent.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "pawl/check.h"
#include "pawl/deadline.h"
#include "pawl/parking.h"

namespace pawl::inline v0 {

namespace {

// Looks at the position before sleeping: a published command shows within a few microseconds.
constexpr int kYieldRounds = 64;

std::string PositionText(const RecordView& record) {
  return "position " + std::to_string(record.position.value());
}

}  // namespace

ProjectorAgent::ProjectorAgent(Engine& engine, std::span<const EventDescriptor* const> events)
    : log_(engine.log()), events_(events) {
  keys_.reserve(engine.streams_max() + std::size_t{1});
  keys_.emplace_back();
}

absl::Status ProjectorAgent::status() const { return is_stopped() ? status_ : absl::OkStatus(); }

void ProjectorAgent::Stop(absl::Status why) {
  PassOverEvents();
  status_ = std::move(why);
  // Release: the reason before the flag. Pairs with the acquire in is_stopped().
  is_stopped_.store(true, std::memory_order_release);
  waiters_.Notify();
}

void ProjectorAgent::EngineStopped() noexcept {
  // Release: the last position before the flag. Pairs with the acquire in has_engine_stopped().
  has_engine_stopped_.store(true, std::memory_order_release);
  waiters_.Notify();
}

void ProjectorAgent::StopAt(const RecordView& record, std::uint16_t event, const Outcome& outcome) {
  if (event == kNotListed) return Stop(NotListed(record));
  const EventDescriptor& type = *events_[event];
  if (outcome.ok()) {
    return Stop(absl::DataLossError(
        PositionText(record) + ": what the log has there is no event " + std::string(type.name) +
        " version " + std::to_string(type.version) + "; nothing from there on was applied"));
  }
  const char* const what = type.version == 0 ? ", closing of " : ", event ";
  Stop(absl::FailedPreconditionError("the projection failed at " + PositionText(record) + what +
                                     std::string(type.name) + ": " + std::string(outcome.text()) +
                                     " (code " + std::to_string(outcome.code()) +
                                     "); nothing after it was applied"));
}

absl::Status ProjectorAgent::NotListed(const RecordView& record) const {
  const auto found = std::find_if(not_listed_.begin(), not_listed_.end(), [&](const auto& each) {
    return each.first == record.header.type;
  });
  PAWL_CHECK(found != not_listed_.end());
  return absl::FailedPreconditionError(
      "the projection stopped at " + PositionText(record) + ", event " + found->second +
      ": it lists other versions of it, and no Upcast leads from this one there; list it, or name "
      "it as an Older; nothing from there on was applied");
}

void ProjectorAgent::Learn(const RecordHeader& header) {
  if (is_stopped()) return;
  if (header.kind == RecordKind::kStreamBound) {
    if (header.stream != keys_.size()) return;  // the other copy's pass learnt it
    StreamBound bound;
    std::memcpy(&bound, PayloadOf(header), sizeof bound);
    keys_.emplace_back(bound.key_high, bound.key_low);
  } else if (header.kind == RecordKind::kTypeBound) {
    if (absl::Status learnt = LearnType(header); !learnt.ok()) Stop(std::move(learnt));
  } else if (header.kind == RecordKind::kCategoryBound) {
    LearnCategory(header);
  }
}

void ProjectorAgent::LearnCategory(const RecordHeader& header) {
  const std::string_view name(reinterpret_cast<const char*>(PayloadOf(header)),
                              header.payload_bytes());
  if (index_by_category_.size() <= header.type) {
    index_by_category_.resize(header.type + std::size_t{1}, kNotMine);
  }
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (events_[i]->version != 0 || events_[i]->name != name) continue;
    index_by_category_[header.type] = static_cast<std::uint16_t>(i);
  }
}

absl::Status ProjectorAgent::LearnType(const RecordHeader& header) {
  TypeBound bound;
  std::memcpy(&bound, PayloadOf(header), sizeof bound);
  const char* const texts = reinterpret_cast<const char*>(PayloadOf(header)) + sizeof bound;
  const std::string_view name(texts, bound.name_bytes);
  const std::string_view layout(texts + bound.name_bytes, bound.layout_bytes);
  if (index_by_type_.size() > header.type) return absl::OkStatus();  // the other copy's pass did
  std::uint16_t index = kNotMine;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const EventDescriptor& event = *events_[i];
    if (event.name != name || event.version == 0) continue;  // 0: closings
    if (event.version != bound.type_version) {
      if (index == kNotMine) index = kNotListed;
      continue;
    }
    if (event.layout_hash != bound.layout_hash || event.layout_text != layout) {
      return absl::FailedPreconditionError(
          "event " + std::string(name) + " version " + std::to_string(bound.type_version) +
          " has another layout than the log: log {" + std::string(layout) + "}, projection {" +
          std::string(event.layout_text) + "}");
    }
    index = static_cast<std::uint16_t>(i);
  }
  if (index == kNotListed) {
    not_listed_.emplace_back(header.type,
                             std::string(name) + " version " + std::to_string(bound.type_version));
  }
  index_by_type_.resize(header.type, kNotMine);
  index_by_type_.push_back(index);
  types_known_ = static_cast<std::uint32_t>(index_by_type_.size());
  return absl::OkStatus();
}

absl::Status ProjectorAgent::WaitUntil(Engine& engine, Position least,
                                       std::chrono::nanoseconds timeout) {
  const auto is_over = [this, least]() noexcept {
    return position() >= least || is_stopped() || has_engine_stopped();
  };
  if (!is_over()) {
    const std::int64_t deadline_ns = DeadlineAfter(timeout.count());
    if (engine.threads() != Threads::kOwn) {
      while (!is_over() && KernelParking::NowNs() < deadline_ns) {
        if (engine.Poll() == 0) std::this_thread::yield();
      }
    } else {
      for (int i = 0; i < kYieldRounds && !is_over(); ++i) std::this_thread::yield();
      static_cast<void>(waiters_.WaitUntil(is_over, deadline_ns));  // looked at below
    }
  }
  if (position() >= least) return absl::OkStatus();
  if (is_stopped()) return status_;
  const std::string where = "the view is at position " + std::to_string(position().value()) +
                            ", asked for " + std::to_string(least.value());
  if (has_engine_stopped()) return absl::UnavailableError("the engine is stopped: " + where);
  return absl::DeadlineExceededError(where);
}

}  // namespace pawl::inline v0
