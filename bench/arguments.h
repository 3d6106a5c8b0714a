#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::inline v0::bench {

// The command line of a benchmark program: `--name value` pairs, `--flag`s and plain words.
// A wrong argument ends the process with status 2 and one message that names it.
//   threads   one; used before any other thread starts
class Arguments {
 public:
  Arguments(int argc, char** argv);

  // The next plain word, or `otherwise` when none is left.
  std::string Word(std::string_view otherwise);
  bool Flag(std::string_view name);
  std::string Text(std::string_view name, std::string_view otherwise);
  // A whole number in [min, max].
  std::int64_t Number(std::string_view name, std::int64_t otherwise, std::int64_t min,
                      std::int64_t max);
  // Ends the process when an argument was given that nobody asked for.
  void RefuseTheRest(std::string_view usage) const;

 private:
  std::string program_;
  std::vector<std::string> rest_;  // Not asked for yet.
};

}  // namespace pawl::inline v0::bench
