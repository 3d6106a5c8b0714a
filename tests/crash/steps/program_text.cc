#include "program_text.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string_view>

#include <cxxabi.h>
#include <elf.h>

#include "absl/strings/str_cat.h"

namespace pawl::inline v0 {
namespace {

std::string Demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 && text != nullptr ? text.get() : name;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Element `index` of a table in a file; zeros behind the file's end.
template <class T>
T At(const std::string& file, std::uint64_t offset, std::uint64_t index = 0) {
  T value{};
  const std::uint64_t at = offset + index * sizeof(T);
  if (at + sizeof(T) <= file.size()) std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

}  // namespace

// The first mapping of a file begins at its bias: all of them are position-independent.
ProgramText::ProgramText(pid_t process) {
  const std::string folder = "/proc/" + std::to_string(process);
  char link[4096];
  const ssize_t length = ::readlink((folder + "/exe").c_str(), link, sizeof link);
  program_ = std::string(link, length > 0 ? static_cast<std::size_t>(length) : 0);
  std::ifstream maps(folder + "/maps");
  std::set<std::string> seen;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    if (!seen.insert(path).second) continue;
    AddFile(path, std::strtoull(line.c_str(), nullptr, 16), path == program_);
  }
  std::sort(functions_.begin(), functions_.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
}

void ProgramText::AddFile(const std::string& path, std::uint64_t bias, bool is_program) {
  const std::string file = ReadFile(path);
  const auto header = At<Elf64_Ehdr>(file, 0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
  if (header.e_type != ET_DYN) bias = 0;
  if (is_program) program_bias_ = bias;
  files_[bias] = path;
  Elf64_Shdr table{};
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = At<Elf64_Shdr>(file, header.e_shoff, i);
    const bool is_better = section.sh_type == SHT_SYMTAB ||
                           (section.sh_type == SHT_DYNSYM && table.sh_type != SHT_SYMTAB);
    if (is_better) table = section;
  }
  const auto names = At<Elf64_Shdr>(file, header.e_shoff, table.sh_link);
  for (std::uint64_t i = 0; i < table.sh_size / sizeof(Elf64_Sym); ++i) {
    const auto symbol = At<Elf64_Sym>(file, table.sh_offset, i);
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_size == 0) continue;
    const std::string name = file.c_str() + names.sh_offset + symbol.st_name;
    functions_.push_back({.begin = bias + symbol.st_value,
                          .end = bias + symbol.st_value + symbol.st_size,
                          .name = name,
                          .is_ours = is_program && name.find("N4pawl") != std::string::npos});
  }
}

const ProgramText::Function* ProgramText::Find(std::uint64_t address) const {
  const auto behind =
      std::upper_bound(functions_.begin(), functions_.end(), address,
                       [](std::uint64_t a, const Function& f) { return a < f.begin; });
  if (behind == functions_.begin() || address >= std::prev(behind)->end) return nullptr;
  return &*std::prev(behind);
}

std::string ProgramText::NameAt(std::uint64_t address) const {
  const Function* const function = Find(address);
  if (function == nullptr) return PlaceAt(address);
  return absl::StrCat(Demangled(function->name), "+0x", absl::Hex(address - function->begin));
}

// Stripped libraries name their public functions only.
std::string ProgramText::PlaceAt(std::uint64_t address) const {
  const auto behind = files_.upper_bound(address);
  if (behind == files_.begin()) return absl::StrCat("0x", absl::Hex(address));
  const auto& [bias, path] = *std::prev(behind);
  return absl::StrCat(path.substr(path.rfind('/') + 1), "+0x", absl::Hex(address - bias));
}

std::vector<std::uint64_t> ProgramText::Instructions() const {
  std::vector<std::uint64_t> addresses;
  const std::string command =
      "objdump --disassemble --no-show-raw-insn '" + program_ + "' 2>/dev/null";
  FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) return addresses;
  char line[4096];
  while (std::fgets(line, sizeof line, output) != nullptr) {
    // "    1a2b:\tmov …"; anything else is a heading.
    char* end = nullptr;
    const std::uint64_t address = std::strtoull(line, &end, 16);
    if (line[0] == ' ' && end[0] == ':' && end[1] == '\t') {
      addresses.push_back(program_bias_ + address);
    }
  }
  ::pclose(output);
  return addresses;
}

}  // namespace pawl::inline v0
