#include "drawn_command.h"

#include <type_traits>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {

Condition DrawnCondition::ForEngine() const noexcept {
  switch (kind) {
    case Kind::kAny: return Any();
    case Kind::kNoStream: return NoStream();
    case Kind::kExists: return Exists();
    case Kind::kExact: return Exact(Version(value));
    case Kind::kUnchangedSince: return UnchangedSince(Position(value));
  }
  return Any();
}

namespace {

constexpr const char* kKinds[] = {"put in",    "take out", "move",     "look",
                                  "engrave",   "count up", "shut",     "shut and put",
                                  "hand over", "pledge",   "unpledge", "shuffle"};
constexpr const char* kConditions[] = {"any", "no stream", "exists", "exact", "unchanged since"};

std::string Describe(const StreamName& stream) {
  return absl::StrCat(stream.category == Category::kPurse ? "purse " : "tally ", stream.key);
}

std::string Describe(const DrawnCondition& condition) {
  if (condition.kind == DrawnCondition::Kind::kAny) return "";
  return absl::StrCat(" if ", kConditions[static_cast<std::size_t>(condition.kind)], " ",
                      condition.value);
}

}  // namespace

std::string Describe(const DrawnCommand& command) {
  std::string text = absl::StrCat(kKinds[command.command.index()], " on ",
                                  Describe(command.stream()), Describe(command.condition));
  for (const DrawnOther& other : command.others) {
    absl::StrAppend(&text, ", ", Describe(other.stream), Describe(other.condition));
  }
  if (command.resend != 0) absl::StrAppend(&text, ", resend of ", command.resend);
  if (command.idempotency_key != 0) absl::StrAppend(&text, ", key ", command.idempotency_key);
  return text;
}

std::string BodyOf(const DrawnCommand& command) {
  std::string body = absl::StrCat(command.command.index(), " ", command.key, " ");
  std::visit(
      [&body](const auto& each) {
        if constexpr (!std::is_empty_v<std::remove_cvref_t<decltype(each)>>) {
          body.append(reinterpret_cast<const char*>(&each), sizeof each);
        }
      },
      command.command);
  return body;
}

}  // namespace pawl::inline v0
