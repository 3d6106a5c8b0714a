#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace console {

// Takes the options of a command line one by one; what nobody took is a mistake of the user.
//   Arguments arguments(argc, argv);
//   options.accounts = arguments.Number("--accounts", 1'000, 1, 1'000'000);
//   if (absl::Status status = arguments.Finish(); !status.ok()) …
// The first mistake is kept and returned by Finish(): name, what was found, what was expected.
class Arguments {
 public:
  Arguments(int argc, char** argv);

  // True if the option is there. Takes it.
  bool Flag(std::string_view name);
  // The word after the option, or `otherwise`.
  std::string Text(std::string_view name, std::string_view otherwise);
  // A whole number from `least` to `most`.
  std::uint64_t Number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                       std::uint64_t most);

  // INVALID_ARGUMENT: the first mistake, or an argument that is no option.
  absl::Status Finish() const;

 private:
  void Complain(std::string message);

  std::vector<std::string> left_;
  absl::Status mistake_;
};

// The digits of `text` as a number. INVALID_ARGUMENT: not digits only, or outside least…most.
absl::StatusOr<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t least,
                                          std::uint64_t most);

}  // namespace console
