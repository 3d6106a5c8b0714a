#include "session_table.h"

#include "pawl/check.h"

namespace pawl::inline v0 {

SessionTable::SessionTable(std::uint32_t sessions_max, std::uint32_t window)
    : window_(window),
      sessions_(sessions_max),
      entries_(std::make_unique<Session::Entry[]>(std::size_t{sessions_max} * window)) {
  PAWL_CHECK((window & (window - 1)) == 0);
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    sessions_[i].entries_ = &entries_[i * window];
    sessions_[i].mask_ = window - 1;
    sessions_[i].name_.reserve(kSessionNameBytesMax);
  }
}

std::uint32_t SessionTable::Find(std::string_view name) const noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    if (sessions_[i].name_ == name) return i + 1;
  }
  return 0;
}

bool SessionTable::Open(std::uint32_t number, std::string_view name,
                        std::uint32_t generation) noexcept {
  PAWL_CHECK(number >= 1 && number <= count_ + 1);
  PAWL_CHECK(name.size() <= kSessionNameBytesMax);
  if (number > sessions_.size()) return false;
  if (number > count_) count_ = number;
  Session& session = sessions_[number - 1];
  session.name_.assign(name);  // within the reserved bytes
  session.generation_ = generation;
  return true;
}

void SessionTable::Restore(std::uint32_t number, std::uint32_t sequence_low, Position position,
                           Version version) noexcept {
  Session& session = sessions_[number - 1];
  const std::uint32_t step = sequence_low - static_cast<std::uint32_t>(session.last_.value());
  PAWL_CHECK(step >= 1);
  const Sequence sequence = session.last_.Plus(step);
  const std::uint32_t forgotten = step - 1 < window_ ? step - 1 : window_;
  for (std::uint32_t back = forgotten; back >= 1; --back) {
    session.At(Sequence(sequence.value() - back)) =
        Session::Pack(Verdict(VerdictKind::kRefused, 0));
  }
  session.last_ = sequence;
  session.At(sequence) = {position.value(), version.value()};
}

SessionTable::Answer SessionTable::Recall(std::uint32_t number, Sequence sequence) const noexcept {
  const Session& session = sessions_[number - 1];
  PAWL_CHECK(sequence <= session.last_);
  if (session.last_ - sequence >= window_) {
    return {Verdict(VerdictKind::kExpired, 0), Position(), Version()};
  }
  const Session::Entry& entry = session.At(sequence);
  if ((entry.version_and_code & Session::kNotAccepted) == 0) {
    return {Accept(), Position(entry.position), Version(entry.version_and_code)};
  }
  const auto kind = static_cast<VerdictKind>((entry.version_and_code >> 16) & 0xFF);
  return {Verdict(kind, static_cast<std::uint16_t>(entry.version_and_code)), Position(), Version()};
}

}  // namespace pawl::inline v0
