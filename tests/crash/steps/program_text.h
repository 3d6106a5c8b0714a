#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pawl::inline v0 {

// Names and extents of what a process executes: the symbol tables of the files that it has mapped.
class ProgramText {
 public:
  struct Function {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::string name;      // as the linker knows it
    bool is_ours = false;  // of the engine: in the program itself and in namespace pawl
  };

  explicit ProgramText(pid_t process);

  const Function* Find(std::uint64_t address) const;
  // "pawl::v0::LogWriter::Publish()+0x12", or the number if nobody knows.
  std::string NameAt(std::uint64_t address) const;
  // Addresses of all instructions of the program itself, in order, as objdump finds them; empty
  // where there is no objdump.
  std::vector<std::uint64_t> Instructions() const;

 private:
  std::string PlaceAt(std::uint64_t address) const;
  void AddFile(const std::string& path, std::uint64_t bias, bool is_program);

  std::string program_;
  std::uint64_t program_bias_ = 0;
  std::map<std::uint64_t, std::string> files_;  // by bias
  std::vector<Function> functions_;             // by address
};

}  // namespace pawl::inline v0
