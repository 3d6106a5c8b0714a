#include "event_diff.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pawl::inline v0::testing {
namespace {

constexpr std::size_t kLinesMax = 20;      // of one difference; what is more is counted
constexpr std::size_t kFieldLinesMax = 8;  // of one event

std::string EventName(const Fact& fact) {
  const EventDescriptor& descriptor = *fact.format().descriptor;
  std::string name(descriptor.name);
  if (descriptor.version != 1) name += " v" + std::to_string(descriptor.version);
  return name;
}

// Of an event with a codec.
std::string CodedText(const Fact& fact) {
  const EventFormat& format = fact.format();
  if (format.text != nullptr) return format.text(fact.bytes);
  return std::to_string(fact.bytes.size()) + " bytes";
}

std::vector<std::string> Differences(const Fact& expected, const Fact& actual) {
  const EventFormat& format = expected.format();
  if (format.value != nullptr) {
    if (expected.bytes.empty()) return {};  // a timer that was cancelled
    return DifferingFields(*format.value, expected.bytes.data(), actual.bytes.data());
  }
  const auto differs = std::mismatch(expected.bytes.begin(), expected.bytes.end(),
                                     actual.bytes.begin(), actual.bytes.end());
  const auto at = static_cast<std::size_t>(differs.first - expected.bytes.begin());
  return {"expected " + CodedText(expected) + ", was " + CodedText(actual) +
          " (they differ from byte " + std::to_string(at) + " on)"};
}

bool IsSameKind(const Fact& a, const Fact& b) { return a.event == b.event && a.kind == b.kind; }

// A time that has passed is the one at which it was set.
bool IsSameDue(const Fact& expected, const Fact& actual) {
  if (expected.is_after) return expected.delay_ns == actual.delay_ns;
  return std::max(expected.due_ns, actual.due_ns - actual.delay_ns) == actual.due_ns;
}

bool IsSameEvent(const Fact& expected, const Fact& actual) {
  return IsSameKind(expected, actual) && expected.bytes == actual.bytes &&
         expected.id == actual.id && IsSameDue(expected, actual);
}

// "after 1.5 s", or "at 1577836830 s" since 1970.
std::string DueText(const Fact& fact, bool is_after) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t ns = is_after ? fact.delay_ns : fact.due_ns;
  std::string text = (is_after ? "after " : "at ") + std::to_string(ns / kSecond);
  if (std::uint64_t rest = ns % kSecond; rest != 0) {
    std::string digits = std::to_string(kSecond + rest).substr(1);
    text += "." + digits.substr(0, digits.find_last_not_of('0') + 1);
  }
  return text + " s";
}

// Lengths of the longest common sequences of all tails.
class TailLengths {
 public:
  TailLengths(std::span<const Fact> expected, std::span<const Fact> actual)
      : width_(actual.size() + 1), lengths_((expected.size() + 1) * width_) {
    for (std::size_t i = expected.size(); i-- > 0;) {
      for (std::size_t j = actual.size(); j-- > 0;) {
        lengths_[i * width_ + j] = IsSameEvent(expected[i], actual[j])
                                       ? static_cast<std::uint16_t>(At(i + 1, j + 1) + 1)
                                       : std::max(At(i + 1, j), At(i, j + 1));
      }
    }
  }
  std::uint16_t At(std::size_t i, std::size_t j) const { return lengths_[i * width_ + j]; }

 private:
  const std::size_t width_;
  std::vector<std::uint16_t> lengths_;
};

class Diff {
 public:
  Diff(std::span<const Fact> expected, std::span<const Fact> actual)
      : expected_(expected), actual_(actual) {}

  std::string Run() {
    const TailLengths tails(expected_, actual_);
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < expected_.size() || j < actual_.size()) {
      // As far as nothing is common: up to the next pair that is.
      const std::size_t i_from = i;
      const std::size_t j_from = j;
      while ((i < expected_.size() || j < actual_.size()) && !IsPair(i, j)) {
        if (j == actual_.size() || (i < expected_.size() && tails.At(i + 1, j) == tails.At(i, j))) {
          ++i;
        } else {
          ++j;
        }
      }
      AddGap(i_from, i, j_from, j);
      if (i < expected_.size()) ++i, ++j;
    }
    return Text();
  }

 private:
  bool IsPair(std::size_t i, std::size_t j) const {
    return i < expected_.size() && j < actual_.size() && IsSameEvent(expected_[i], actual_[j]);
  }

  // Expected events i…i_end instead of which j…j_end came: those of one type are compared field by
  // field, in order.
  void AddGap(std::size_t i, std::size_t i_end, std::size_t j, std::size_t j_end) {
    for (; i < i_end; ++i) {
      std::size_t same = j;
      while (same < j_end && !IsSameKind(expected_[i], actual_[same])) ++same;
      if (same == j_end) {
        AddLine(ExpectedPlace(i) + ": missing: " + EventText(expected_[i]));
        continue;
      }
      for (; j < same; ++j) AddUnexpected(j);
      AddFields(i, j++);
    }
    for (; j < j_end; ++j) AddUnexpected(j);
  }
  void AddUnexpected(std::size_t j) {
    AddLine("unexpected: " + EventText(actual_[j]) + ", number " + std::to_string(j + 1) + " of " +
            std::to_string(actual_.size()) + " that came");
  }
  void AddFields(std::size_t i, std::size_t j) {
    const Fact& fact = expected_[i];
    std::vector<std::string> fields = Differences(fact, actual_[j]);
    if (fact.id != actual_[j].id) {
      fields.push_back("id: expected " + std::to_string(fact.id) + ", was " +
                       std::to_string(actual_[j].id));
    }
    if (!IsSameDue(fact, actual_[j])) {
      fields.push_back("due: expected " + DueText(fact, fact.is_after) + ", was " +
                       DueText(actual_[j], fact.is_after));
    }
    const std::string place = ExpectedPlace(i) + ": " + EventName(fact) + ": ";
    for (std::size_t k = 0; k < fields.size() && k < kFieldLinesMax; ++k) {
      AddLine(place + fields[k]);
    }
    if (fields.size() > kFieldLinesMax) {
      AddLine(place + std::to_string(fields.size() - kFieldLinesMax) + " more fields differ");
    }
  }
  std::string ExpectedPlace(std::size_t i) const {
    return "event " + std::to_string(i + 1) + " of " + std::to_string(expected_.size());
  }

  void AddLine(std::string line) { lines_.push_back(std::move(line)); }
  std::string Text() const {
    std::string text;
    for (std::size_t k = 0; k < lines_.size() && k < kLinesMax; ++k) {
      text += "\n  " + lines_[k];
    }
    if (lines_.size() > kLinesMax) {
      text += "\n  and " + std::to_string(lines_.size() - kLinesMax) + " lines more";
    }
    return text;
  }

  const std::span<const Fact> expected_;
  const std::span<const Fact> actual_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string EventText(const Fact& fact) {
  std::string text = fact.kind == FactKind::kTimerSet         ? "timer "
                     : fact.kind == FactKind::kTimerCancelled ? "cancelled timer "
                                                              : "";
  text += EventName(fact);
  if (fact.format().value == nullptr) return text + "{" + CodedText(fact) + "}";
  if (!fact.bytes.empty()) AppendValue(text, *fact.format().value, fact.bytes.data());
  if (fact.id != 0) text += " with id " + std::to_string(fact.id);
  if (fact.kind == FactKind::kTimerSet) text += ", due " + DueText(fact, fact.is_after);
  return text;
}

std::string DiffEvents(std::span<const Fact> expected, std::span<const Fact> actual) {
  if (std::equal(expected.begin(), expected.end(), actual.begin(), actual.end(), IsSameEvent)) {
    return {};
  }
  return Diff(expected, actual).Run();
}

}  // namespace pawl::inline v0::testing
