// Opens the library's log, lends a book and asks for it again; run it twice on one directory to see
// that the log remembers.   library DIRECTORY

#include <cstdio>
#include <memory>
#include <string_view>
#include <utility>

#include "copy.h"
#include <pawl/engine.h>

namespace library {
namespace {

constexpr pawl::Key kBook{1};
constexpr pawl::Key kAda{100};

// Sends a command, waits until its answer survives a power cut, and says what it was.
template <class A, class C>
bool Run(pawl::Producer& producer, const char* what, const pawl::Key& key, const C& command) {
  const auto receipt = producer.Execute<A>(key, command);
  if (receipt.ok()) {
    std::printf("%s: accepted, version %llu\n", what,
                static_cast<unsigned long long>(receipt->version.value()));
    return true;
  }
  const int code = pawl::RefusalCode(receipt.status());
  if (code > 0) {
    std::printf("%s: refused with code %d\n", what, code);
    return true;
  }
  std::fprintf(stderr, "%s: %s\n", what, receipt.status().ToString().c_str());
  return false;
}

bool LendTheBook(pawl::Producer& producer) {
  return Run<Member>(producer, "ada joins", kAda, Join{}) &&
         Run<Copy>(producer, "the book comes", kBook,
                   Acquire{TitleOf("Emma"), Language::kEnglish}) &&
         Run<Copy>(producer, "it is lent to ada", kBook, Lend{kAda, 14}) &&
         Run<Copy>(producer, "it is lent again", kBook, Lend{kAda, 14}) &&
         Run<Copy>(producer, "it is taken back", kBook, TakeBack{});
}

}  // namespace
}  // namespace library

int main(int argc, char** argv) {
  auto engine =
      pawl::Engine::Open({.directory = argc > 1 ? argv[1] : "library.log"}, library::Aggregates{});
  if (!engine.ok()) {
    std::fprintf(stderr, "library: %s\n", engine.status().ToString().c_str());
    return 1;
  }
  auto producer = (*engine)->NewProducer();
  if (!producer.ok()) {
    std::fprintf(stderr, "library: %s\n", producer.status().ToString().c_str());
    return 1;
  }
  return library::LendTheBook(*producer) && (*engine)->Stop().ok() ? 0 : 1;
}
