#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "pawl/condition.h"
#include "pawl/position.h"
#include "purse_domain.h"

namespace pawl::inline v0 {

enum class Category : std::uint8_t { kPurse, kTally };

// A stream of the domain.
struct StreamName {
  Category category = Category::kPurse;
  std::uint64_t key = 1;

  friend auto operator<=>(const StreamName&, const StreamName&) noexcept = default;
};

// A condition on a stream, in words that engine and model both understand.
struct DrawnCondition {
  enum class Kind : std::uint8_t { kAny, kNoStream, kExists, kExact, kUnchangedSince };

  Kind kind = Kind::kAny;
  std::uint64_t value = 0;  // version or position

  Condition ForEngine() const noexcept;
};

struct DrawnOther {
  StreamName stream;
  DrawnCondition condition;
};

// One command of the campaign, before it is sent.
struct DrawnCommand {
  std::variant<PutIn, TakeOut, MoveTo, Look, Engrave, CountUp, Shut, ShutAndPut, HandOver, Pledge,
               Unpledge, Shuffle>
      command;
  std::uint64_t key = 1;
  DrawnCondition condition;
  std::vector<DrawnOther> others;
  std::uint64_t resend = 0;           // sequence; 0: a new command
  std::uint64_t idempotency_key = 0;  // 0: none

  StreamName stream() const noexcept {
    const bool is_tally = std::holds_alternative<CountUp>(command);
    return {is_tally ? Category::kTally : Category::kPurse, key};
  }
};

std::string Describe(const DrawnCommand& command);
// What of a command must be the same for one key: stream, type and bytes.
std::string BodyOf(const DrawnCommand& command);

}  // namespace pawl::inline v0
