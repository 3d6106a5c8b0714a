#include "pawl/check.h"

#include <sys/uio.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace pawl::inline v0 {
namespace {

iovec Piece(const char* text) noexcept {
  return {.iov_base = const_cast<char*>(text), .iov_len = std::strlen(text)};
}

}  // namespace

void CheckFailed(const char* file, int line, const char* condition) noexcept {
  char digits[16] = {};
  std::to_chars(std::begin(digits), std::end(digits) - 1, line);
  const iovec message[] = {Piece(file),      Piece(":"), Piece(digits), Piece(": check failed: "),
                           Piece(condition), Piece("\n")};
  // One call, so that the lines of two failing threads do not mix. Nobody is left to be told when
  // standard error cannot be written: the abort below is the message then.
  [[maybe_unused]] const ssize_t written =
      ::writev(STDERR_FILENO, message, static_cast<int>(std::size(message)));
  std::abort();
}

}  // namespace pawl::inline v0
