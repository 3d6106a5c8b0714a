// Runs a target over files without libFuzzer, so that every compiler and preset does.
//   corpus_replay [--mutants N] [--seed S] FILE-OR-FOLDER…
// With --mutants each file is also mutated N times, blindly.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "sim_random.h"

namespace pawl::inline v0 {
namespace {

constexpr std::size_t kInputBytesMax = 4096;

SimRandom& Random() {
  static SimRandom random(1);
  return random;
}

std::vector<std::string> FilesIn(const std::string& path) {
  std::vector<std::string> files;
  if (!std::filesystem::is_directory(path)) return {path};
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::uint8_t> Read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void RunMutants(const std::string& path, std::uint64_t mutants, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < mutants; ++i) {
    Random() = SimRandom::For(seed, i, 1);
    std::vector<std::uint8_t> input = Read(path);
    std::size_t size = input.size();
    input.resize(std::max(size, kInputBytesMax));
    // Each is some steps away from the file.
    for (std::uint64_t steps = 1 + Random().Below(4); steps > 0; --steps) {
      size = LLVMFuzzerCustomMutator(input.data(), size, kInputBytesMax,
                                     static_cast<unsigned>(Random().Next()));
    }
    LLVMFuzzerTestOneInput(input.data(), size);
  }
}

int Replay(const std::vector<std::string>& arguments) {
  std::uint64_t mutants = 0;
  std::uint64_t seed = 1;
  std::size_t inputs = 0;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--mutants" && i + 1 < arguments.size()) {
      mutants = std::stoull(arguments[++i]);
    } else if (arguments[i] == "--seed" && i + 1 < arguments.size()) {
      seed = std::stoull(arguments[++i]);
    } else {
      for (const std::string& file : FilesIn(arguments[i])) {
        // Told before it runs: what aborts has its name in the output.
        std::printf("%s\n", file.c_str());
        std::fflush(stdout);
        const std::vector<std::uint8_t> input = Read(file);
        LLVMFuzzerTestOneInput(input.data(), input.size());
        RunMutants(file, mutants, seed);
        ++inputs;
      }
    }
  }
  std::printf("%zu inputs, %llu mutants each, seed %llu\n", inputs,
              static_cast<unsigned long long>(mutants), static_cast<unsigned long long>(seed));
  return inputs > 0 ? 0 : 2;
}

}  // namespace
}  // namespace pawl::inline v0

// What libFuzzer does with bytes that have no structure, in small.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size,
                                        std::size_t size_max) {
  pawl::SimRandom& random = pawl::Random();
  if (size < size_max && (size == 0 || random.OneIn(4))) data[size++] = 0;
  data[random.Below(size)] = static_cast<std::uint8_t>(random.Next());
  return size;
}

int main(int argc, char** argv) { return pawl::Replay({argv + 1, argv + argc}); }
